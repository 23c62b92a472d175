"""``python -m zeroth``."""

from zeroth.cli import main

main()

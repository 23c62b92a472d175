"""A place for the lab machines of a measurement."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from tests.lab.paths import CACHE
from tests.lab.runner import Lane
from tests.lab.stage import Stage
from zeroth.progress import Stream

__all__ = ["measuring"]


@contextmanager
def measuring(name: str, console: Console) -> Iterator[Stage]:
    """A stage for the time of the block; its machines end with it, and its files go."""
    stage = Stage(name, CACHE / "run" / name, Stream([Lane(console)]))
    try:
        with stage.running():
            yield stage
    finally:
        stage.end()
        stage.clear()

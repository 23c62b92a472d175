"""What our command classes have in common. Reader's process only."""

from __future__ import annotations

from typing import Any

from pykickstart.options import KSOptionParser

from zeroth.spec.kickstart.draft import Draft
from zeroth.spec.kickstart.words import Line

__all__ = ["Filling", "Parsed", "whole"]

Parsed = Any
"""What pykickstart returns from ``parse``: the command itself, a data object or a namespace; it has no types."""


class Filling:
    """What all our commands have in common: no abbreviated options, and a way into the draft."""

    def _getParser(self) -> KSOptionParser:  # noqa: N802 - pykickstart's name
        parser = super()._getParser()  # type: ignore[misc]  # mixed into a pykickstart command
        parser.allow_abbrev = False
        return parser

    def fill(self, draft: Draft, line: Line, parsed: Parsed) -> None:
        """Put what one line said into the draft; ``parsed`` is what pykickstart made of the line."""
        raise NotImplementedError


def whole(draft: Draft, line: Line, text: str, option: str) -> int | None:
    """The number that an option gives; a problem and None when it is none."""
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return int(text)
    draft.error(line, f"{option}: {text!r} is not a whole number", "", line.value(option))
    return None

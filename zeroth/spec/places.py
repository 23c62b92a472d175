"""From positions in a text to lines and columns, as an editor counts them."""

from __future__ import annotations

import re
from bisect import bisect_right

from zeroth.spec.problems import Span

__all__ = ["Places"]


class Places:
    """The lines of a text. Only a line feed ends one: PyYAML and ``str.splitlines`` know more kinds of line end."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._length = len(text)

    def span(self, start: int, end: int | None = None) -> Span:
        """The place between two positions, cut at the end of its first line; one character when no end is given."""
        start = min(start, self._length)
        line = bisect_right(self._starts, start)
        first = self._starts[line - 1]
        line_end = self._starts[line] - 1 if line < len(self._starts) else self._length
        stop = max(start + 1, min(start + 1 if end is None else end, line_end))
        return Span(line, start - first + 1, stop - first + 1)

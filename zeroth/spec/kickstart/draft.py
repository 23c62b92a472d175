"""What the reader gathers from a kickstart file: values with their places, and problems. Goes home as JSON."""

from __future__ import annotations

import itertools
from dataclasses import asdict
from typing import Any

from zeroth.spec.document import Path
from zeroth.spec.kickstart.words import Line, Word
from zeroth.spec.problems import MOST, Problem, Span

__all__ = ["Draft"]


class Draft:
    """A HostSpec in the making: plain data in its shape."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}
        self.marks: list[tuple[tuple[str | int, ...], Span]] = []
        self.problems: list[Problem] = []
        self.unsure: set[str] = set()
        self.keys: list[tuple[str, str, Line, Word]] = []
        """ssh keys of users, whose lines may come later: user, key, and where it stands."""

    def put(self, path: str | Path, value: object, line: Line, word: Word | None = None) -> None:
        """Set a field (``management.vlan``) and note where it was written: at a word, or the line's command.

        :param path: with dots, or as a tuple; a list position that is one past the end makes the list longer.
        """
        parts = tuple(path.split(".")) if isinstance(path, str) else path
        target: Any = self.data
        for depth, (name, after) in enumerate(itertools.pairwise(parts), 1):
            if name not in (range(len(target)) if isinstance(target, list) else target):
                _set(target, name, [] if isinstance(after, int) else {})
                self._mark(parts[:depth], line)
            target = target[name]
        _set(target, parts[-1], value)
        self._mark(parts, line, word)

    def get(self, *path: str | int) -> Any:  # noqa: ANN401 - JSON
        """What stands at a place; None when nothing does."""
        found: Any = self.data
        for name in path:
            if name not in (range(len(found)) if isinstance(found, list) else found):
                return None
            found = found[name]
        return found

    def next(self, *path: str | int) -> Path:
        """The place of a new item at the end of a list."""
        return (*path, len(self.get(*path) or ()))

    def append(self, path: str | Path, value: object, line: Line, word: Word) -> None:
        """Add to a field that is a list."""
        parts = path.split(".") if isinstance(path, str) else path
        self.put(self.next(*parts), value, line, word)

    def error(self, line: Line, message: str, hint: str = "", word: Word | None = None) -> None:
        """Note a problem, at a word or at the line's command; of very many, a few more than are reported."""
        if len(self.problems) <= MOST:
            self.problems.append(Problem(message, hint, span(line, word)))

    @property
    def full(self) -> bool:
        """Whether there are so many problems that going on tells nobody anything."""
        return len(self.problems) > MOST

    def as_json(self) -> dict[str, object]:
        """Plain data for :mod:`zeroth.spec.kickstart.client`."""
        return {
            "data": self.data,
            "marks": [[list(path), list(asdict(place).values())] for path, place in self.marks],
            "problems": [
                [item.message, item.hint, list(asdict(item.where).values()), str(item.severity)]
                for item in self.problems
            ],
            "unsure": sorted(self.unsure),
        }

    def _mark(self, path: tuple[str | int, ...], line: Line, word: Word | None = None) -> None:
        self.marks.append((path, span(line, word)))


def _set(target: Any, name: str | int, value: object) -> None:  # noqa: ANN401 - JSON
    if isinstance(target, list) and name == len(target):
        target.append(value)
    else:
        target[name] = value


def span(line: Line, word: Word | None = None) -> Span:
    """The place of a word in its line; of the command when no word is given."""
    at = word or line.words[0]
    return Span(line.number, at.start, at.end)

"""What the reader gathers from a kickstart file: values with their places, and problems. Goes home as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from zeroth.spec.kickstart.words import Line, Word
from zeroth.spec.problems import FILE, MOST, Problem, Severity, Span

__all__ = ["Draft"]


class Draft:
    """A HostSpec in the making: plain data in its shape."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}
        self.marks: list[tuple[tuple[str | int, ...], Span]] = []
        self.problems: list[Problem] = []
        self.unsure: set[str] = set()

    def put(self, path: str, value: object, line: Line, word: Word | None = None) -> None:
        """Set a field (``management.vlan``) and note where it was written: at a word, or the line's command."""
        *parents, last = path.split(".")
        target = self.data
        for depth, name in enumerate(parents, 1):
            if name not in target:
                target[name] = {}
                self._mark(tuple(parents[:depth]), line)
            target = target[name]
        target[last] = value
        self._mark((*parents, last), line, word)

    def append(self, path: str, value: object, line: Line, word: Word) -> None:
        """Add to a field that is a list."""
        *parents, last = path.split(".")
        target = self.data
        for name in parents:
            target = target.get(name, {})
        if last not in target:
            self.put(path, [], line)
            self.append(path, value, line, word)
            return
        target[last].append(value)
        self._mark((*parents, last, len(target[last]) - 1), line, word)

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


def span(line: Line, word: Word | None = None) -> Span:
    """The place of a word in its line; of the command when no word is given."""
    at = word or line.words[0]
    return Span(line.number, at.start, at.end)


def problems_from(rows: Iterable[Any]) -> list[Problem]:
    """Problems as :meth:`Draft.as_json` wrote them."""
    return [Problem(message, hint, Span(*where) if where[0] else FILE, Severity(severity))
            for message, hint, where, severity in rows]  # fmt: skip

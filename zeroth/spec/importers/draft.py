"""What an importer gathers: settings in the shape of HostSpec, their places, and what is to be said about them."""

from __future__ import annotations

from typing import Any

from zeroth.spec.document import Document, Path
from zeroth.spec.problems import FILE, Problem, Severity, Span

__all__ = ["Draft"]


class Draft:
    """A host being put together."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}
        self._marks: dict[Path, Span] = {}
        self._problems: list[Problem] = []
        self._unsure: set[str] = set()

    def put(self, path: tuple[str, ...], value: object, where: Span) -> None:
        """Set a value; groups around it are made."""
        group = self.data
        for name in path[:-1]:
            group = group.setdefault(name, {})
        group[path[-1]] = value
        self._marks[path] = where
        for end in range(1, len(path)):
            self._marks.setdefault(path[:end], where)

    def append(self, path: tuple[str, ...], value: object, where: Span) -> None:
        """Add a value at the end of a list."""
        group = self.data
        for name in path[:-1]:
            group = group.setdefault(name, {})
        items: list[object] = group.setdefault(path[-1], [])
        self._marks[(*path, len(items))] = where
        for end in range(1, len(path) + 1):
            self._marks.setdefault(path[:end], where)
        if isinstance(value, dict):
            self._marks.update({(*path, len(items), name): where for name in value})
        items.append(value)

    def mark(self, path: Path, where: Span) -> None:
        """Note a place more precisely."""
        self._marks[path] = where

    def wrong(self, message: str, hint: str, where: Span, *fields: str) -> None:
        """An error: the file cannot be used.

        :param fields: top-level fields that are not to be reported as missing as well.
        """
        self._problems.append(Problem(message, hint, where))
        self._unsure.update(fields)

    def left_out(self, what: str, why: str, where: Span) -> None:
        """Something that has no counterpart."""
        self._problems.append(Problem(what, why, where, Severity.LEFT_OUT))

    def warn(self, message: str, hint: str, where: Span) -> None:
        """Something that was carried over and that the user should look at."""
        self._problems.append(Problem(message, hint, where, Severity.WARNING))

    def document(self, whole: Span = FILE) -> Document:
        """What the importer hands over."""
        marks = {(): whole, **self._marks}
        return Document(self.data, marks, problems=self._problems, unsure=frozenset(self._unsure))

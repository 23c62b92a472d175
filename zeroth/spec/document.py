"""An answer after its language was read: plain data, and for each value the place it was written at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from zeroth.spec.problems import FILE, Problem, Span

__all__ = ["MOST_VALUES", "Document", "Path"]

Path = tuple[str | int, ...]
"""The way to a value: keys and list positions."""


MOST_VALUES = 10_000
"""More than any answer holds; a reader stops there, so that a wrong file does not keep it busy."""


@dataclass(frozen=True)
class Document:
    """What a language's reader hands over.

    :param data: in the shape of HostSpec, values not yet checked.
    :param marks: where each value was written, by its path; that of a mapping is its key.
    :param keys: where each setting's name was written, in languages that have such.
    :param problems: what the reader itself found wrong.
    :param unsure: top-level fields about which a line that could not be read would have said something, so that they
        are not reported as missing too.
    """

    data: object
    marks: Mapping[Path, Span] = field(default_factory=dict)
    keys: Mapping[Path, Span] = field(default_factory=dict)
    problems: Sequence[Problem] = ()
    unsure: frozenset[str] = frozenset()

    def place(self, path: Path) -> Span:
        """Where a value is written, or else the nearest thing around it."""
        while path:
            if path in self.marks:
                return self.marks[path]
            path = path[:-1]
        return self.marks.get((), FILE)

    def text_at(self, name: str) -> str | None:
        """The text of a top-level setting; None when it is not there, or not text."""
        value = self.data.get(name) if isinstance(self.data, dict) else None
        return value if isinstance(value, str) else None

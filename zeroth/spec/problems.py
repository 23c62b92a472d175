"""What can be wrong with an answer: all of it at once, each with its place in the user's own text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

__all__ = ["FILE", "MOST", "Problem", "Severity", "Span", "closest", "in_order"]


class Severity(StrEnum):
    """How bad a problem is: an error refuses the answer, the others are only shown."""

    ERROR = "error"
    WARNING = "warning"
    LEFT_OUT = "left out"
    """Something in another installer's answer that has no counterpart in HostSpec."""


@dataclass(frozen=True, order=True)
class Span:
    """A stretch of one line.

    :param line: from 1; 0 means the file as a whole.
    :param column: from 1, in characters.
    :param end: the column after the last character; not before ``column``.
    """

    line: int
    column: int = 1
    end: int = 1


FILE = Span(0)
MOST = 100
"""So many problems are reported of one answer."""
_LONGEST = 300


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    :param message: what is wrong, one sentence; never holds a secret.
    :param hint: what to do about it.
    :param field: the HostSpec field it is about (``management.vlan``), where there is one.
    """

    message: str
    hint: str = ""
    where: Span = FILE
    severity: Severity = Severity.ERROR
    field: str = ""

    def as_json(self, name: str) -> dict[str, object]:
        """Flat, for ``--json``; ``line`` and ``column`` are left out when the file as a whole is meant."""
        place = {"line": self.where.line, "column": self.where.column} if self.where.line else {}
        extra = {"hint": self.hint} if self.hint else {}
        field = {"field": self.field} if self.field else {}
        return {"severity": str(self.severity), "file": name, **place, **field, "message": self.message, **extra}


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Sorted by place, each said once; what concerns the file as a whole comes last.

    Of very many, as a wrong file gives them, the first hundred are kept, errors before warnings; very long messages
    are cut.
    """
    unique = dict.fromkeys(replace(it, message=shortened(it.message)) for it in problems)
    kept = sorted(unique, key=lambda it: (it.severity, it.where.line == 0, it.where))[:MOST]
    if len(unique) > MOST:
        kept.append(Problem("there are more problems than are shown here", "Is it the right file?"))
    return tuple(sorted(kept, key=lambda it: (it.where.line == 0, it.where, it.severity, it.message)))


def shortened(text: str) -> str:
    """The text, or its beginning."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def closest(word: str, known: Iterable[str]) -> str:
    """The known word that was most likely meant; empty when none is near."""
    if len(word) > 100:
        return ""
    from difflib import get_close_matches  # here: most answers have no mistake

    by_lower: Mapping[str, str] = {name.lower(): name for name in known}
    found = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else ""

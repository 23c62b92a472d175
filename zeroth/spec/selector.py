"""The language that selects disks: ``serial=S3Z*``, ``ssd & size>=400G & smallest``, ``/dev/disk/by-id/...``.

A selector is terms with ``&`` between them, all of which must hold, and at most one word that picks among the disks
left: ``smallest``, ``largest`` or ``only`` (which demands that there is but one, as is the rule without it). Which
disk of a machine is meant is for the installer to say; this module reads the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from zeroth.system.size import Size

__all__ = ["Key", "Pick", "Selector", "Term", "parse_selector"]

_PATTERNED = ("id", "serial", "wwn", "model", "transport")
_PATH = re.compile(r"/dev/[A-Za-z0-9_.:+@/-]+")
_TERM = re.compile(r"([a-z]+)\s*(>=|<=|=|>|<)\s*(.*)", re.DOTALL)
_MOST_TERMS = 16


class Key(StrEnum):
    """What a term looks at."""

    PATH = "path"
    ID = "id"
    SERIAL = "serial"
    WWN = "wwn"
    MODEL = "model"
    TRANSPORT = "transport"
    SIZE = "size"
    SSD = "ssd"
    HDD = "hdd"


class Pick(StrEnum):
    """How one is picked of those that fit."""

    ONLY = "only"
    SMALLEST = "smallest"
    LARGEST = "largest"


@dataclass(frozen=True)
class Term:
    """One condition.

    :ivar value: the path, or the shell pattern that must fit; empty for ``ssd``, ``hdd`` and ``size``.
    :ivar operator: of a size: ``=``, ``>=``, ``<=``, ``>`` or ``<``.
    :ivar size: bytes; of a size.
    """

    key: Key
    value: str = ""
    operator: str = "="
    size: Size | None = None

    def __str__(self) -> str:
        match self.key:
            case Key.PATH:
                return self.value
            case Key.SSD | Key.HDD:
                return str(self.key)
            case Key.SIZE:
                return f"size{self.operator}{str(self.size).replace(' ', '')}"
        return f"{self.key}={self.value}"


@dataclass(frozen=True)
class Selector:
    """A selector, read.

    :ivar pick: None where nothing is said, which demands that exactly one disk fits, as ``only`` does.
    """

    terms: tuple[Term, ...] = ()
    pick: Pick | None = None

    def __str__(self) -> str:
        return " & ".join([*map(str, self.terms), *([str(self.pick)] if self.pick else [])])


def parse_selector(text: str) -> Selector:
    """Read a selector.

    :raises ValueError: it is none; the message says what is wrong, for people.
    """
    terms: list[Term] = []
    pick: Pick | None = None
    parts = text.split("&")
    if len(parts) > _MOST_TERMS:
        raise ValueError(f"a disk is selected with at most {_MOST_TERMS} terms")
    for part in map(str.strip, parts):
        if part in list(Pick):
            if pick:
                raise ValueError(f"{text!r} selects a disk by {pick} and by {part}: give one of them")
            pick = Pick(part)
        else:
            terms.append(_term(part, text))
    return Selector(tuple(terms), pick)


def _term(part: str, text: str) -> Term:
    if part in (Key.SSD, Key.HDD):
        return Term(Key(part))
    if _PATH.fullmatch(part) and ".." not in part and not part.endswith("/"):
        return Term(Key.PATH, part)
    match = _TERM.fullmatch(part)
    if match and match[1] == Key.SIZE:
        return Term(Key.SIZE, operator=match[2], size=Size.parse(match[3]))
    if match and match[1] in _PATTERNED and match[2] == "=" and match[3] and match[3].isprintable():
        return Term(Key(match[1]), match[3])
    raise ValueError(
        f"{text!r} does not select a disk: write a path (/dev/disk/by-id/...), serial=, wwn=, id=, model= or "
        "transport= with a value, size>=400G, ssd, hdd, or only, smallest, largest; with & between several"
    )

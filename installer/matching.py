"""Whether a disk fits a selector, and the words for why it does not. Pure.

How a selector reads is :mod:`zeroth.spec.selector`; what its terms mean on a machine is here.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from zeroth.deploy.layout import MINIMUM_DISK
from zeroth.spec.selector import Key, Pick, Selector, Term
from zeroth.system.facts import DiskFacts
from zeroth.system.size import Size

__all__ = ["ANSWER_VOLUME", "MEDIUM", "fits", "outermost", "passed_over", "why_not"]

ANSWER_VOLUME = "ZEROTH-CFG"
MEDIUM = "holds the medium that the installer was started from"
_BY_ID = "/dev/disk/by-id/"
# What says which disk is meant, rather than what kind of disk: such a disk is not passed over for being too small,
# say, but refused, with the reason.
_NAMING = frozenset({Key.PATH, Key.ID, Key.SERIAL, Key.WWN, Key.MODEL})
# Makers count "960 GB" in their own ways: equal is what is nearer than one part in this.
_NEARLY = 100
_COMPARE: dict[str, Callable[[int, int], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": lambda found, wanted: abs(found - wanted) * _NEARLY <= wanted,
}


def fits(selector: Selector, disk: DiskFacts) -> bool:
    """Whether every term of the selector holds for the disk; what picks one among several is not looked at."""
    return all(_holds(term, disk) for term in selector.terms)


def why_not(selector: Selector, disk: DiskFacts) -> str:
    """The first term that does not hold, for people: ``has the serial number ZC1, not S3Z*``. Empty when all hold."""
    failed = next((term for term in selector.terms if not _holds(term, disk)), None)
    if failed is None:
        return ""
    match failed.key:
        case Key.PATH:
            return f"is not {failed.value}"
        case Key.SSD:
            return "is a hard disk, not an SSD"
        case Key.HDD:
            return "is an SSD, not a hard disk"
        case Key.SIZE:
            return f"has {Size(disk.size).approx()}, not {failed}"
        case Key.ID:
            return f"has no name under {_BY_ID} like {failed.value}"
    found = {
        Key.SERIAL: ("serial number", disk.serial),
        Key.WWN: ("WWN", disk.wwn),
        Key.MODEL: ("model", f"{disk.vendor} {disk.model}".strip()),
        Key.TRANSPORT: ("transport", disk.transport),
    }
    what, value = found[failed.key]
    return f"has the {what} {value}, not {failed.value}" if value else f"tells no {what}, so not {failed.value}"


def passed_over(selector: Selector, disk: DiskFacts) -> str:
    """Why a disk does not come into question for a selector that says what kind of disk is wanted; empty when it does.

    A selector that names a disk takes it as it is (and it may be refused later), but for the medium.
    """
    if disk.medium:
        return MEDIUM
    keys = {term.key for term in selector.terms}
    if keys & _NAMING and selector.pick in (None, Pick.ONLY):
        return ""
    if ANSWER_VOLUME in disk.labels:
        return f"holds the volume {ANSWER_VOLUME} with the answer"
    if disk.removable and not keys & (_NAMING | {Key.TRANSPORT}):
        return "is removable, and so only taken when named"
    if disk.read_only:
        return "is read-only"
    if disk.size < MINIMUM_DISK:
        return f"is too small ({Size(disk.size).approx()}, {MINIMUM_DISK} are needed)"
    return ""


def outermost(pick: Pick | None, disks: Sequence[DiskFacts], count: int) -> list[DiskFacts]:
    """The ``count`` smallest or largest disks, and those of the same size as the last of them; all for no pick."""
    if pick not in (Pick.SMALLEST, Pick.LARGEST) or not disks:
        return list(disks)
    sizes = sorted((disk.size for disk in disks), reverse=pick is Pick.LARGEST)
    limit = sizes[min(count, len(sizes)) - 1]
    return [disk for disk in disks if (disk.size <= limit if pick is Pick.SMALLEST else disk.size >= limit)]


def _holds(term: Term, disk: DiskFacts) -> bool:
    match term.key:
        case Key.PATH:
            # A path of a disk names the disk: paths are not to be had one by one.
            return term.value in (disk.path, *disk.links, *disk.paths)
        case Key.ID:
            names = (PurePosixPath(link).name for link in disk.links if link.startswith(_BY_ID))
            return any(_like(name, term.value) for name in names)
        case Key.SERIAL:
            return _like(disk.serial, term.value)
        case Key.WWN:
            return _like(_bare_wwn(disk.wwn), _bare_wwn(term.value))
        case Key.MODEL:
            return _like(disk.model, term.value) or _like(f"{disk.vendor} {disk.model}", term.value)
        case Key.TRANSPORT:
            return _like(disk.transport, term.value)
        case Key.SIZE:
            assert term.size is not None
            return _COMPARE[term.operator](disk.size, term.size)
        case Key.SSD:
            return not disk.rotational
        case Key.HDD:
            return disk.rotational


def _like(found: str, pattern: str) -> bool:
    def flat(text: str) -> str:
        return " ".join(text.replace("_", " ").split()).casefold()

    return bool(found) and fnmatchcase(flat(found), flat(pattern))


def _bare_wwn(text: str) -> str:
    lower = text.casefold()
    for prefix in ("0x", "naa.", "eui.", "t10.", "uuid."):
        lower = lower.removeprefix(prefix)
    return lower

"""What an answer may say and hardly means: told as warnings, each at its place."""

from __future__ import annotations

from pathlib import PurePosixPath

from zeroth.spec.document import Document
from zeroth.spec.model import MISSING, DiskSpec, HostSpec
from zeroth.spec.problems import Problem, Severity
from zeroth.spec.selector import Key, Term, parse_selector

__all__ = ["doubts"]

_WILD = frozenset("*?[")


def doubts(spec: HostSpec, document: Document) -> list[Problem]:
    """The warnings about a host that is without errors."""
    return _consent(spec.disk, document)


def _consent(disk: DiskSpec, document: Document) -> list[Problem]:
    """A consent to erase that is for none of the disks that are installed on (ignoredisk beside clearpart)."""
    chosen = [*disk.choices, *([disk.mirror_with] if disk.mirror_with not in (None, MISSING) else []), *disk.sr_disks]
    named = disk.wipe_disks
    if not named or not all(_differ(one, other) for one in map(str, chosen) for other in named):
        return []
    problem = (
        f"the installation goes onto {' or '.join(map(str, chosen))}, but the consent to erase is for "
        f"{' and '.join(named)}"
    )
    hint = "Name the same disk in both (kickstart: ignoredisk --only-use, clearpart --drives), or leave one out."
    return [Problem(problem, hint, document.place(("disk", "wipe_disks", 0)), Severity.WARNING, "disk.wipe_disks")]


def _differ(one: str, other: str) -> bool:
    """Whether two selectors cannot mean the same disk, as far as the text alone tells."""
    first, second = parse_selector(one).terms, parse_selector(other).terms
    return any(_exclude(term, counterpart) for term in first for counterpart in second)


def _exclude(one: Term, other: Term) -> bool:
    if {one.key, other.key} == {Key.SSD, Key.HDD}:
        return True
    if one.key is not other.key or one.value == other.value or _WILD & {*one.value, *other.value}:
        return False
    if one.key is Key.PATH:
        # A disk has several names, but one in each folder; by-id and by-path have several as well.
        folders = {PurePosixPath(term.value).parent for term in (one, other)}
        return folders == {PurePosixPath("/dev")}
    return one.key in (Key.SERIAL, Key.WWN)

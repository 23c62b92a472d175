"""Which disks to install on: a pure function from facts and the answer to disks, or to reasons why not.

The rule is *exactly one*: a selector that fits two disks fits none. What the installer was started from is never
taken, nor what the answer says to ignore.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from installer.keeping import bare_table, holds
from installer.matching import MEDIUM, fits, outermost, passed_over, why_not
from zeroth.deploy.layout import InstallId
from zeroth.spec.model import DiskSpec
from zeroth.spec.model.disks import MISSING, Layout
from zeroth.spec.selector import Pick, Selector, parse_selector
from zeroth.system.facts import DiskFacts

__all__ = ["Choice", "Resumption", "Verdict", "choose_disks", "fitting_disks", "resumable_phase", "resumption"]

_IGNORED = "is on the answer's list of disks to ignore"


@dataclass(frozen=True)
class Verdict:
    """Why one disk was taken or not."""

    disk: DiskFacts
    taken: bool
    why: str


@dataclass(frozen=True)
class Choice:
    """The result of choosing.

    :ivar legs: the disk that is installed on; two for a mirror. Empty when there is a problem. They may still have to
        be refused.
    :ivar sr: further disks for the local storage repository.
    :ivar consent: paths of the disks that the answer allows to erase one by one.
    :ivar verdicts: one for every disk of the machine, in their order.
    :ivar problems: why there is no choice; empty when there is.
    :ivar notes: what the user should know although there is.
    """

    verdicts: tuple[Verdict, ...]
    legs: tuple[DiskFacts, ...] = ()
    sr: tuple[DiskFacts, ...] = ()
    consent: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def choose_disks(spec: DiskSpec, disks: tuple[DiskFacts, ...]) -> Choice:
    """Apply the answer's selectors to all disks. The order in which the disks were found says nothing."""
    if not disks:
        return Choice((), problems=("no disk was found in this machine",))
    return _Chooser(spec, disks).choose()


def fitting_disks(spec: DiskSpec, disks: tuple[DiskFacts, ...]) -> Sequence[DiskFacts]:
    """All that the first of the answer's selectors fits that fits any."""
    chooser = _Chooser(spec, disks)
    return next((found for text in spec.choices if (found := chooser.fitting(parse_selector(text), 1))), ())


def resumable_phase(disk: DiskFacts, digest: str) -> str:
    """Whether an interrupted installation of the same answer may go on without being allowed again.

    :returns: ``installing`` (it begins again), ``finishing`` (only boot loaders are missing) or empty (no).
    """
    marker = disk.zeroth.marker if disk.zeroth else None
    if marker is None or marker.digest != digest or marker.phase == "rebuilding":
        return ""
    identity = InstallId(marker.install)
    if identity.leg_of(disk.table_uuid) or identity.sr_disk_of(disk.table_uuid):
        return marker.phase
    # Cut off while the table was being written, or before, where the old one says what stays.
    begun = bare_table(disk) or (marker.sr is not None and holds(disk, marker.sr))
    return "installing" if marker.phase == "installing" and begun else ""


@dataclass(frozen=True)
class Resumption:
    """How the disks that were chosen go on with what an earlier run left on them.

    :ivar legs: in the order that the earlier run gave them, where that matters.
    :ivar phase: as of :func:`resumable_phase`, of all of them together.
    :ivar install: the earlier run's identity; None when nothing goes on.
    """

    legs: tuple[DiskFacts, ...]
    phase: str = ""
    install: UUID | None = None


def resumption(legs: tuple[DiskFacts, ...], digest: str, sr: tuple[DiskFacts, ...] = ()) -> Resumption:
    """Whether an interrupted installation goes on, on all disks together.

    :param sr: further disks of the local storage repository.

    Marks are written to one disk after the other. Only when every disk has its data, the boot loaders alone are made
    again: each has the mark that says so, or had it already taken off as the last step.
    """
    marked = [(disk.zeroth.marker, phase) for disk in legs
              if (phase := resumable_phase(disk, digest)) and disk.zeroth and disk.zeroth.marker]  # fmt: skip
    if not marked:
        return Resumption(legs)
    install = marked[0][0].install
    numbers = {InstallId(install).leg_of(disk.table_uuid): disk for disk in legs}
    parts = [InstallId(install).sr_disk_of(disk.table_uuid) for disk in sr]
    complete = sorted(numbers) == list(range(1, len(legs) + 1)) and parts == list(range(1, len(sr) + 1))
    if complete and all(mark.install == install and phase == "finishing" for mark, phase in marked):
        return Resumption(tuple(disk for _, disk in sorted(numbers.items())), "finishing", install)
    return Resumption(legs, "installing", install)


class _Chooser:
    """One choice in the making: what is still to be had, and why each disk was taken or not."""

    def __init__(self, spec: DiskSpec, disks: tuple[DiskFacts, ...]) -> None:
        self._spec = spec
        self._disks = disks
        self._why: dict[str, list[str]] = {disk.path: [] for disk in disks}
        self._problems: list[str] = []
        self._taken: dict[str, str] = {}
        ignore = [parse_selector(text) for text in spec.ignore]
        self._ignored = {disk.path for selector in ignore for disk in _any(selector, disks)}

    def choose(self) -> Choice:
        legs = self._legs()
        role = "for the local storage repository"
        sr = [found for text in self._spec.sr_disks for found in self._take((text,), 1, role)]
        consent, notes = self._consent()
        self._check_paths([*legs, *sr])
        if self._problems:
            self._taken.clear()
        chosen = not self._problems
        return Choice(
            verdicts=tuple(self._verdict(disk) for disk in self._disks),
            legs=tuple(legs) if chosen else (),
            sr=tuple(sr) if chosen else (),
            consent=consent,
            problems=tuple(self._problems),
            notes=notes,
        )

    def _legs(self) -> list[DiskFacts]:
        spec = self._spec
        if spec.layout is Layout.SINGLE:
            return self._take(spec.choices, 1, "")
        if spec.mirror_with is None:
            return self._take(spec.choices, 2, "as a leg of the mirror")
        first = self._take(spec.choices, 1, "as the first leg of the mirror")
        if spec.mirror_with == MISSING:
            return first
        return first + self._take((spec.mirror_with,), 1, "as the second leg of the mirror")

    def _take(self, choices: Sequence[str], count: int, role: str) -> list[DiskFacts]:
        """Take disks by the first selector that fits any; what it fits must be exactly ``count`` disks."""
        tried = []
        for text in choices:
            selector = parse_selector(text)
            found = self.fitting(selector, count)
            if not found:
                tried.append(text)
                continue
            if len(found) == count:
                passed = f", and none is {' or '.join(tried)}" if tried else ""
                self._note(selector, found, f"{_is(text)}{passed}")
                for disk in found:
                    self._taken[disk.path] = role
                return found
            self._note(selector, found, f"{_is(text)}, as are others" if len(found) > 1 else _is(text))
            self._problems.append(_not_exactly(text, found, count))
            return []
        self._problems.append(self._none_fits(tried))
        return []

    def fitting(self, selector: Selector, count: int) -> list[DiskFacts]:
        found = [disk for disk in self._disks if not self._out(selector, disk) and fits(selector, disk)]
        return outermost(selector.pick, found, count)

    def _out(self, selector: Selector, disk: DiskFacts) -> str:
        """Why a disk does not come into question, whatever the selector says of it."""
        if disk.path in self._ignored:
            return _IGNORED
        if disk.path in self._taken:
            return "is taken already"
        return passed_over(selector, disk)

    def _note(self, selector: Selector, found: Sequence[DiskFacts], fitting: str) -> None:
        """Keep the reason for every disk."""
        for disk in self._disks:
            if disk.path in self._taken:
                continue
            if disk in found:
                reason = fitting
            else:
                reason = self._out(selector, disk) or why_not(selector, disk) or f"is not the {selector.pick}"
            if reason not in self._why[disk.path]:
                self._why[disk.path].append(reason)

    def _none_fits(self, tried: Sequence[str]) -> str:
        for text in tried:
            self._note(parse_selector(text), (), "")
        named = [disk for text in tried for disk in self._disks if fits(parse_selector(text), disk)]
        said = " or ".join(tried)
        if any(selector in (*Pick,) for selector in tried):
            return "none of this machine's disks comes into question"
        if any(disk.path in self._taken for disk in named):
            return f"{said} is a disk that is taken for something else already"
        medium = next((disk for disk in named if disk.medium), None)
        if medium:
            return f"{said} is the medium that the installer was started from ({medium.path})"
        if any(disk.path in self._ignored for disk in named):
            return f"{said} is to be ignored, says the answer too"
        return f"no disk {'comes into question that ' if named else ''}matches {said}"

    def _check_paths(self, chosen: Sequence[DiskFacts]) -> None:
        """A disk that is there twice and was not joined: writing over one path while another is used would harm it."""
        for disk in chosen:
            others = [other for other in self._disks if other.path != disk.path]
            twins = [other.path for other in others if _identity(other) == _identity(disk)]
            if twins:
                self._problems.append(_not_joined([disk.path, *twins]))
            # multipath would take them for paths, whatever else they say of themselves.
            copies = [other.path for other in others if disk.paths and other.wwn and other.wwn == disk.wwn]
            if copies:
                self._problems.append(
                    f"{', '.join(copies)} {'have' if len(copies) > 1 else 'has'} the WWID of {disk.path}, which is "
                    f"seen over several paths, and another serial number or size"
                )

    def _consent(self) -> tuple[frozenset[str], tuple[str, ...]]:
        allowed, notes = set(), []
        for text in self._spec.wipe_disks:
            found = _any(parse_selector(text), [disk for disk in self._disks if not disk.medium])
            if len(found) == 1:
                allowed.add(found[0].path)
            elif found:
                names = ", ".join(disk.path for disk in found)
                self._problems.append(f"the consent to erase {text} fits {len(found)} disks ({names}), not one")
            else:
                notes.append(f"the answer allows to erase {text}, and this machine has no such disk")
        return frozenset(allowed), tuple(notes)

    def _verdict(self, disk: DiskFacts) -> Verdict:
        out = MEDIUM if disk.medium else _IGNORED if disk.path in self._ignored else ""
        role = self._taken.get(disk.path)
        why = out or "; ".join(self._why[disk.path]) or "is not asked for"
        return Verdict(disk, role is not None, f"{why} ({role})" if role else why)


def _any(selector: Selector, disks: Sequence[DiskFacts]) -> list[DiskFacts]:
    """The disks that a selector fits, without the rule that it must be one."""
    return outermost(selector.pick, [disk for disk in disks if fits(selector, disk)], 1)


def _is(text: str) -> str:
    """``is the smallest``, ``matches serial=...``: why a disk was taken."""
    if text == Pick.ONLY:
        return "is a candidate"
    return f"is the {text}" if text in (*Pick,) else f"matches {text}"


def _identity(disk: DiskFacts) -> tuple[object, ...]:
    """What two devices have in common when they are the same disk; by itself where a disk tells no WWN."""
    return (disk.wwn, disk.serial, disk.size) if disk.wwn else (disk.path,)


def _not_joined(paths: Sequence[str]) -> str:
    return f"{', '.join(paths)} say that they are the same disk, and have no WWID by which multipath joins them"


def _not_exactly(text: str, found: Sequence[DiskFacts], count: int) -> str:
    names = ", ".join(disk.path for disk in found)
    if len({_identity(disk) for disk in found}) == 1 < len(found):
        return _not_joined([disk.path for disk in found])
    must = "exactly one must match" if count == 1 else f"exactly {count} must match"
    if text == Pick.ONLY:
        return f"the answer names no disk, and {len(found)} come into question ({names}); {must}"
    if text in (*Pick,) and count == 1:
        return f"{len(found)} disks are equally the {text} ({names}); {must}"
    return f"{text} matches {len(found)} disk{'s' if len(found) > 1 else ''} ({names}); {must}"

"""Which disk to install on: a pure function from facts and the answer to one disk, or to reasons why not.

The rule is *exactly one*: an answer that fits two disks fits none. What the installer was started from is never taken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from zeroth.deploy.layout import MINIMUM_DISK, InstallId
from zeroth.spec.model import DiskSpec
from zeroth.system.facts import DiskFacts
from zeroth.system.size import Size

__all__ = ["Choice", "Verdict", "choose_disk", "resumable_phase"]

_ANSWER_LABEL = "ZEROTH-CFG"
_BY_ID = "/dev/disk/by-id/"


@dataclass(frozen=True)
class Verdict:
    """Why one disk was taken or not."""

    disk: DiskFacts
    taken: bool
    why: str


@dataclass(frozen=True)
class Choice:
    """The result of choosing.

    :ivar disk: the one that is meant, if there is exactly one; it may still have to be refused.
    :ivar verdicts: one for every disk of the machine.
    :ivar problem: why there is no disk; empty when there is.
    """

    disk: DiskFacts | None
    verdicts: tuple[Verdict, ...]
    problem: str = ""


def choose_disk(spec: DiskSpec, disks: tuple[DiskFacts, ...]) -> Choice:
    """Apply the answer's selector to all disks."""
    if not disks:
        return Choice(None, (), "no disk was found in this machine")
    if spec.select in _KEYWORDS:
        return _by_keyword(spec.select, disks)
    return _by_match(spec.select, _matcher(spec.select), disks)


def resumable_phase(disk: DiskFacts, digest: str) -> str:
    """Whether an interrupted installation of the same answer may go on without being allowed again.

    :returns: ``installing`` (it begins again), ``finishing`` (only boot loaders are missing) or empty (no).
    """
    marker = disk.zeroth.marker if disk.zeroth else None
    if marker is None or marker.digest != digest:
        return ""
    if disk.table_uuid == InstallId(marker.install).disk_guid:
        return marker.phase
    # Cut off while the table was being written: the mark, and of a table no more than its protective part.
    half = all(sign.type in ("PMBR", "gpt", "dos") for sign in disk.signatures)
    bare = not disk.table or (disk.table == "dos" and all(part.type == "ee" for part in disk.partitions))
    return "installing" if marker.phase == "installing" and half and bare else ""


def _by_match(select: str, matches: Callable[[DiskFacts], bool], disks: tuple[DiskFacts, ...]) -> Choice:
    fitting = [disk for disk in disks if matches(disk)]
    usable = [disk for disk in fitting if not disk.medium]
    chosen = usable[0] if len(usable) == 1 else None
    verdicts = []
    for disk in disks:
        if disk not in fitting:
            why = f"is not {select}"
        elif disk.medium:
            why = "holds the medium that the installer was started from"
        else:
            why = "matches" if disk is chosen else "matches, as do others"
        verdicts.append(Verdict(disk, disk is chosen, why))
    if chosen:
        return Choice(chosen, tuple(verdicts))
    if fitting and not usable:
        problem = f"{select} is the medium that the installer was started from ({fitting[0].path})"
    elif usable:
        problem = f"{select} matches {len(usable)} disks ({', '.join(d.path for d in usable)}); exactly one must match"
    else:
        problem = f"no disk matches {select}"
    return Choice(None, tuple(verdicts), problem)


def _by_keyword(select: str, disks: tuple[DiskFacts, ...]) -> Choice:
    out = {disk.path: _unsuitable(disk) for disk in disks}
    pool = [disk for disk in disks if not out[disk.path]]
    best = _KEYWORDS[select](pool) if pool else []
    chosen = best[0] if len(best) == 1 else None
    verdicts = []
    for disk in disks:
        if out[disk.path]:
            why = out[disk.path]
        elif disk in best:
            why = f"is the {select} candidate" if disk is chosen else f"is {select}, as are others"
            why = "is a candidate, as are others" if select == "only" and disk is not chosen else why
        else:
            why = f"is not the {select}"
        verdicts.append(Verdict(disk, disk is chosen, why))
    if chosen:
        return Choice(chosen, tuple(verdicts))
    if not pool:
        problem = "none of this machine's disks comes into question"
    else:
        names = ", ".join(disk.path for disk in best)
        problem = (
            f"the answer names no disk, and {len(best)} come into question ({names})"
            if select == "only"
            else f"{len(best)} disks are equally the {select} ({names})"
        )
    return Choice(None, tuple(verdicts), problem)


def _unsuitable(disk: DiskFacts) -> str:
    """Why a disk is left out of consideration when the answer does not name it."""
    if disk.medium:
        return "holds the medium that the installer was started from"
    if _ANSWER_LABEL in disk.labels:
        return f"holds the volume {_ANSWER_LABEL} with the answer"
    if disk.removable:
        return "is removable, and so only taken when named"
    if disk.read_only:
        return "is read-only"
    if disk.size < MINIMUM_DISK:
        return f"is too small ({Size(disk.size).approx()}, {MINIMUM_DISK} are needed)"
    return ""


def _extreme(pick: Callable[[list[int]], int]) -> Callable[[list[DiskFacts]], list[DiskFacts]]:
    def choose(pool: list[DiskFacts]) -> list[DiskFacts]:
        size = pick([disk.size for disk in pool])
        return [disk for disk in pool if disk.size == size]

    return choose


_KEYWORDS: dict[str, Callable[[list[DiskFacts]], list[DiskFacts]]] = {
    "only": lambda pool: pool,
    "smallest": _extreme(min),
    "largest": _extreme(max),
}


def _matcher(select: str) -> Callable[[DiskFacts], bool]:
    """A test for one disk. The selector's form was checked when the answer was read."""
    key, _, value = select.partition("=")
    match key:
        case "serial":
            return lambda disk: _like(disk.serial, value)
        case "wwn":
            return lambda disk: _like(_bare_wwn(disk.wwn), _bare_wwn(value))
        case "model":
            return lambda disk: _like(disk.model, value) or _like(f"{disk.vendor} {disk.model}", value)
        case "id":
            return lambda disk: any(
                _like(PurePosixPath(link).name, value) for link in disk.links if link.startswith(_BY_ID)
            )
    return lambda disk: select == disk.path or select in disk.links


def _like(found: str, pattern: str) -> bool:
    def flat(text: str) -> str:
        return " ".join(text.replace("_", " ").split()).casefold()

    return bool(found) and fnmatchcase(flat(found), flat(pattern))


def _bare_wwn(text: str) -> str:
    lower = text.casefold()
    for prefix in ("0x", "naa.", "eui.", "t10.", "uuid."):
        lower = lower.removeprefix(prefix)
    return lower

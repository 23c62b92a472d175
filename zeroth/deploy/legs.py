"""The disks of a running host that lies on two: which of them are whole, and whether their boot files are in step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from zeroth.deploy.arrays import array_device
from zeroth.deploy.booted import Booted
from zeroth.deploy.bootenv import read_boot_state
from zeroth.deploy.bootsync import copy_boot_files
from zeroth.deploy.esp import Esp
from zeroth.deploy.layout import MIRRORED, InstallId, Part
from zeroth.deploy.marker import read_marker
from zeroth.errors import ExitCode, UserError
from zeroth.progress import Step
from zeroth.system.block import partition_path
from zeroth.system.mdraid import Array, assemble, read_array

__all__ = ["Leg", "Mirror", "read_mirror", "start_arrays", "sync_boot"]

_DEVICES = Path("/dev/disk/by-partuuid")
_MOST = 64
_WORDS = {
    "filling": "being filled",
    "in part": "out of date in part: it was away or failed, and does not count",
    "out of date": "out of date: not part of the mirror",
}


@dataclass(frozen=True)
class Leg:
    """One disk of the host.

    :ivar number: see :class:`zeroth.deploy.layout.InstallId`.
    :ivar whole: it holds everything.
    :ivar filling: it is being filled.
    :ivar partly: it holds some of it: one that was away misses what was written meanwhile, and no more.
    :ivar generation: of its boot state; None when it has none that can be read.
    """

    disk: Path
    number: int
    whole: bool
    filling: bool = False
    generation: int | None = None
    partly: bool = False

    @property
    def state(self) -> str:
        """In a few words."""
        if self.whole:
            return "whole"
        if self.filling:
            return "filling"
        return "in part" if self.partly else "out of date"

    @property
    def esp(self) -> Esp:
        """Its EFI system partition."""
        return Esp(partition_path(self.disk, Part.ESP))


@dataclass(frozen=True)
class Mirror:
    """The whole of it.

    :ivar arrays: those that run.
    """

    identity: InstallId
    legs: tuple[Leg, ...]
    arrays: Mapping[Part, Array]

    @property
    def whole(self) -> bool:
        """Either disk may be lost."""
        return len(self.arrays) == len(MIRRORED) and not any(array.missing for array in self.arrays.values())

    @property
    def newest(self) -> int:
        """The generation of the boot state that counts."""
        return max((leg.generation or 0 for leg in self.legs if leg.whole), default=0)

    def as_json(self) -> Mapping[str, object]:
        """For ``--json``. Sizes in bytes."""
        return {
            "mirror": True,
            "whole": self.whole,
            "disks": [
                {
                    "disk": str(leg.disk),
                    "leg": leg.number,
                    "state": leg.state,
                    "boot_files": "current" if leg.generation == self.newest else "behind",
                }
                for leg in self.legs
            ],
            "arrays": [
                {"partition": int(part), "label": part.label, "device": str(array.device), "missing": array.missing,
                 "size": array.size, "filled": array.done}
                for part, array in self.arrays.items()
            ],
        }  # fmt: skip

    def lines(self) -> list[str]:
        """The same in words."""
        found = []
        for leg in self.legs:
            behind = "" if leg.generation == self.newest else ", its boot files are behind"
            found.append(f"{leg.disk}: {_WORDS.get(leg.state, leg.state)}{behind}")
        for part, array in self.arrays.items():
            if array.done is not None:
                found.append(f"{part.label}: {100 * array.done // max(array.size, 1)} % filled")
        if self.whole:
            found.append("the mirror is whole: either disk may be lost")
        elif not any(leg.filling for leg in self.legs):
            found.append("the mirror has one disk: `zeroth disk replace` gives it a second")
        return found


def read_mirror(identity: InstallId, devices: Path = _DEVICES) -> Mirror:
    """Look at every array and every disk of this installation. Nothing is changed."""
    arrays = {part: array for part in MIRRORED if (array := read_array(array_device(part))) is not None}
    return Mirror(identity, tuple(_legs(identity, list(arrays.values()), devices)), arrays)


def _legs(identity: InstallId, arrays: Sequence[Array], devices: Path) -> Sequence[Leg]:
    found = []
    for number in range(1, _MOST + 1):
        link = devices / identity.partition_uuid(Part.ESP, number)
        if not link.exists():
            continue
        disk = link.resolve().with_name(_disk_name(link.resolve()))
        states = [[member.state for member in array.members if member.disk == disk] for array in arrays]
        found.append(
            Leg(
                disk,
                number,
                whole=bool(states) and all(state == ["in_sync"] for state in states),
                filling=["spare"] in states,
                generation=_generation(disk),
                partly=["in_sync"] in states,
            )
        )
    return found


def _disk_name(partition: Path) -> str:
    return (Path("/sys/class/block") / partition.name).resolve().parent.name


def _generation(disk: Path) -> int | None:
    try:
        return read_boot_state(Esp(partition_path(disk, Part.ESP))).generation
    except (UserError, OSError):
        return None


def _rebuilding(disk: Path) -> bool:
    """Whether a disk is being made a leg: it gets its boot files then.

    :raises UserError: when the disk cannot be read.
    """
    try:
        return read_marker(disk) is not None
    except OSError as error:
        raise UserError(
            f"{disk} cannot be read: {error.strerror}", "Replace it: `zeroth disk replace`.", code=ExitCode.MACHINE
        ) from None


def start_arrays(identity: InstallId, devices: Path = _DEVICES) -> tuple[str, ...]:
    """Start the arrays that the initrd had no need of; returns what did not work, a line each."""
    wrong = []
    for part in MIRRORED:
        if read_array(array_device(part)) is not None:
            continue
        members = [link for number in range(1, _MOST + 1)
                   if (link := devices / identity.partition_uuid(part, number)).exists()]  # fmt: skip
        try:
            assemble(array_device(part), identity.array_uuid(part), members)
        except UserError as error:
            wrong.append(f"the mirror of {part.label} does not start: {error.message.splitlines()[-1].strip()}")
    return tuple(wrong)


def sync_boot(mirror: Mirror, here: Booted, step: Step) -> bool:
    """Bring the boot files of every disk up to the newest that is whole.

    :returns: whether the host was started by files that were behind, and would start another slot by the newest.
    :raises UserError: when a disk does not keep what is written to it.
    """
    whole = [leg for leg in mirror.legs if leg.whole and leg.generation is not None]
    if not whole:
        return False
    best = max(whole, key=lambda leg: leg.generation or 0)
    state = read_boot_state(Esp(*(partition_path(leg.disk, Part.ESP) for leg in whole)))
    for leg in mirror.legs:
        if leg == best or _rebuilding(leg.disk):
            continue
        if leg.generation != best.generation or read_boot_state(leg.esp) != state:
            with step.step(f"Bring the boot files of {leg.disk} up to date"):
                copy_boot_files(best.esp, leg.esp, step)
    return 0 < here.generation < (best.generation or 0) and here.slot != state.committed and not here.trial

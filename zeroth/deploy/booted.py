"""Which slot this host runs from, as its kernel was told."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from zeroth.deploy.arrays import array_device
from zeroth.deploy.esp import Esp
from zeroth.deploy.layout import MIRRORED, Part
from zeroth.errors import ExitCode, UserError
from zeroth.system.block import partition_path
from zeroth.system.mdraid import read_array
from zeroth.system.multipath import is_wwid, map_path

__all__ = ["FOUND_OUT", "ROOT_DEVICE", "Booted", "booted"]

ROOT_DEVICE = Path("/dev/mapper/zeroth-root")
"""The verified root image: what the initrd opens the slot's partition as."""

_DEVICES = Path("/dev/disk/by-partuuid")
_SYS = Path("/sys/class/block")

FOUND_OUT = Path("/run/zeroth/booted")
"""Left by the initrd of a host that Secure Boot started: its command line is the same on every host."""


@dataclass(frozen=True)
class Booted:
    """What the kernel command line says.

    :ivar slot: ``a`` or ``b``.
    :ivar root: PARTUUID of the slot's partition, lower case; of a host on two disks the UUID of its array.
    :ivar root_hash: that vouches for the root image.
    :ivar trial: the slot was started on trial.
    :ivar mirror: the host lies on two disks.
    :ivar generation: of the boot state that the menu went by; 0 when it did not say.
    :ivar multipath: the WWID of the host's disk when that is seen over several paths; else empty.
    """

    slot: str
    root: str
    root_hash: str
    trial: bool
    mirror: bool = field(default=False, kw_only=True)
    generation: int = field(default=0, kw_only=True)
    multipath: str = field(default="", kw_only=True)

    def on_trial(self, committed: str) -> bool:
        """Whether the slot still is on trial: it may have proved itself since it was started.

        :param committed: the slot that is started by default.
        """
        return self.trial and committed != self.slot

    def esp(self, devices: Path = _DEVICES, sys: Path = _SYS) -> Esp:
        """The ESP of the disk that the slot is on, of a mirror of all disks that are whole: never another disk's.

        :raises UserError: when the partition is not there.
        """
        if self.mirror:
            return Esp(*(partition_path(disk, Part.ESP) for disk in self.disks(sys)))
        return Esp(self.partition(Part.ESP, devices, sys))

    def disks(self, sys: Path = _SYS) -> tuple[Path, ...]:
        """The disks of a mirror that hold all that the host holds.

        :raises UserError: when its array does not run.
        """
        array = read_array(array_device(Part.STATE), sys)
        found = tuple(member.disk for member in array.members if member.whole) if array else ()
        if not found:
            raise UserError("the mirror of the state partition does not run", code=ExitCode.MACHINE)
        return found

    def partition(self, part: Part, devices: Path = _DEVICES, sys: Path = _SYS) -> Path:
        """The device of another partition of the same disk; of a mirror its array.

        :raises UserError: when the slot's own is not there.
        """
        if self.mirror and part in MIRRORED:
            return array_device(part)
        if self.multipath:
            # The initrd saw to it that the slot is on this disk; the paths' own partitions are not to be used.
            return partition_path(map_path(self.multipath), part)
        partition = (devices / self.root).resolve()
        folder = (sys / partition.name).resolve()
        if not (folder / "partition").is_file():
            raise UserError(
                f"the partition of slot {self.slot} ({self.root}) is not on a disk that this host sees",
                code=ExitCode.MACHINE,
            )
        return partition_path(partition.with_name(folder.parent.name), part)


def booted(cmdline: Path = Path("/proc/cmdline"), found_out: Path = FOUND_OUT) -> Booted:
    """Read the kernel command line, and what the initrd found out where that does not say it.

    :raises UserError: on a machine that was not started as a zeroth host.
    """
    words = cmdline.read_text(encoding="utf-8", errors="replace").split()
    if found_out.is_file():
        words += found_out.read_text(encoding="utf-8", errors="replace").split()
    found = dict(word.split("=", 1) for word in words if word.startswith("zeroth.") and "=" in word)
    slot, root = found.get("zeroth.slot", ""), found.get("zeroth.root", "")
    kind, _, uuid = root.partition("=")
    if found.get("zeroth.mode") != "host" or slot not in ("a", "b") or kind not in ("PARTUUID", "MD_UUID"):
        raise UserError(
            "this machine was not started from a slot of a zeroth host",
            "Run it on an installed host.",
            code=ExitCode.MACHINE,
        )
    generation = found.get("zeroth.generation", "")
    return Booted(
        slot=slot,
        root=uuid.lower(),
        root_hash=found.get("zeroth.roothash", ""),
        trial="zeroth.trial" in words,
        mirror=kind == "MD_UUID",
        multipath=wwid if is_wwid(wwid := found.get("zeroth.multipath", "")) else "",
        generation=int(generation) if re.fullmatch("[0-9]{1,18}", generation, re.ASCII) else 0,
    )

"""Which slot this host runs from, as its kernel was told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zeroth.deploy.esp import Esp
from zeroth.deploy.layout import Part
from zeroth.errors import ExitCode, UserError
from zeroth.system.block import partition_path

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
    :ivar root: PARTUUID of the slot's partition, lower case.
    :ivar root_hash: that vouches for the root image.
    :ivar trial: the slot was started on trial.
    """

    slot: str
    root: str
    root_hash: str
    trial: bool

    def on_trial(self, committed: str) -> bool:
        """Whether the slot still is on trial: it may have proved itself since it was started.

        :param committed: the slot that is started by default.
        """
        return self.trial and committed != self.slot

    def esp(self, devices: Path = _DEVICES, sys: Path = _SYS) -> Esp:
        """The ESP of the disk that the slot is on: never another disk's.

        :raises UserError: when the partition is not there.
        """
        return Esp(self.partition(Part.ESP, devices, sys))

    def partition(self, part: Part, devices: Path = _DEVICES, sys: Path = _SYS) -> Path:
        """The device of another partition of the same disk.

        :raises UserError: when the slot's own is not there.
        """
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
    if found.get("zeroth.mode") != "host" or slot not in ("a", "b") or not root.startswith("PARTUUID="):
        raise UserError(
            "this machine was not started from a slot of a zeroth host",
            "Run it on an installed host.",
            code=ExitCode.MACHINE,
        )
    return Booted(
        slot, root.removeprefix("PARTUUID=").lower(), found.get("zeroth.roothash", ""), "zeroth.trial" in words
    )

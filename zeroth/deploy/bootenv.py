"""Which slot the boot menu starts: GRUB's environment block on the ESP.

The block is a file of 1024 bytes that GRUB itself overwrites in place, sector by sector, without knowing of the file
system (manual, "Environment block"). We do the same: the file keeps its place, and a power cut leaves the old or the
new first sector, in which everything stands. Copying a file over it would free and reserve clusters, and a cut in
between would leave none.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from zeroth.deploy.esp import Esp
from zeroth.errors import ExitCode, UserError
from zeroth.system.block import flush

__all__ = ["ENVIRONMENT", "TRIES", "BootState", "make_boot_state", "read_boot_state", "write_boot_state"]

ENVIRONMENT = "/boot/grub/grubenv"
TRIES = 2
"""How often a slot on trial is started before the menu goes back."""
_SIZE = 1024
_HEADER = b"# GRUB Environment Block\n"
_SLOTS = ("a", "b")


@dataclass(frozen=True)
class BootState:
    """What the block says.

    :ivar committed: the slot that has proved itself.
    :ivar trial: the slot on trial, or empty.
    :ivar tries: how often it may still be started.
    """

    committed: str = "a"
    trial: str = ""
    tries: int = 0

    def encode(self) -> bytes:
        """The block, in GRUB's format."""
        lines = [f"committed={self.committed}", f"trial={self.trial}", f"tries={self.tries}"]
        text = _HEADER + "".join(f"{line}\n" for line in lines).encode()
        return text + b"#" * (_SIZE - len(text))

    @classmethod
    def decode(cls, raw: bytes) -> BootState:
        """What a block says. What is missing or makes no sense is read as the boot menu reads it: slot a, no trial."""
        pairs = (line.partition("=") for line in raw.decode(errors="replace").splitlines() if "=" in line)
        found = {name: value for name, _, value in pairs}
        committed, trial, tries = (found.get(name, "") for name in ("committed", "trial", "tries"))
        return cls(
            committed if committed in _SLOTS else "a",
            trial if trial in _SLOTS else "",
            int(tries) if tries in ("1", "2") else 0,
        )


def make_boot_state(esp: Esp, state: BootState) -> None:
    """Write the block's file for the first time."""
    esp.put_bytes(state.encode(), ENVIRONMENT)


def read_boot_state(esp: Esp) -> BootState:
    """Read the block.

    :raises UserError: when there is none.
    """
    with esp.device.open("rb") as device:
        device.seek(_place(esp))
        return BootState.decode(device.read(_SIZE))


def write_boot_state(esp: Esp, state: BootState) -> None:
    """Overwrite the block in place; durable when this returns.

    :raises UserError: when there is none.
    """
    place = _place(esp)
    handle = os.open(esp.device, os.O_WRONLY | os.O_DSYNC)
    try:
        os.pwrite(handle, state.encode(), place)
        os.fsync(handle)
    finally:
        os.close(handle)
    flush(esp.device)


def _place(esp: Esp) -> int:
    """Where the block lies on the device, in bytes.

    :raises UserError: when it is in pieces.
    """
    extents = esp.extents(ENVIRONMENT)
    if len(extents) != 1:
        raise UserError(
            f"GRUB's environment block {ENVIRONMENT} on {esp.device} is in {len(extents)} pieces, and not in one",
            "Install the boot loader again, from the installation medium.",
            code=ExitCode.MACHINE,
        )
    return extents[0]

"""Which slot the boot menu starts: GRUB's environment block on the ESP.

The block is a file of 1024 bytes that GRUB itself overwrites in place, sector by sector, without knowing of the file
system (manual, "Environment block"). We do the same: the file keeps its place, and a power cut leaves the old or the
new first sector, in which everything stands. Copying a file over it would free and reserve clusters, and a cut in
between would leave none.

A host on two disks has a block on each. Writing them goes on counting in ``generation``, so that a disk that was away
meanwhile is known by its lower number; GRUB, which writes only the block of the disk that it was started from, does
nothing but count tries down.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace

from zeroth.deploy.esp import Esp
from zeroth.errors import ExitCode, UserError
from zeroth.system.block import flush

__all__ = [
    "ENVIRONMENT",
    "TRIES",
    "BootState",
    "boot_state_problem",
    "copy_boot_state",
    "make_boot_state",
    "merged",
    "read_boot_state",
    "write_boot_state",
]

ENVIRONMENT = "/boot/grub/grubenv"
TRIES = 2
"""How often a slot on trial is started before the menu goes back."""
_SIZE = 1024
_HEADER = b"# GRUB Environment Block\n"
_SLOTS = ("a", "b")
_COMMITTED = re.compile(rb"^committed=[ab]$", re.MULTILINE)
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True)
class BootState:
    """What the block says.

    :ivar committed: the slot that has proved itself.
    :ivar trial: the slot on trial, or empty.
    :ivar tries: how often it may still be started.
    :ivar generation: counts what was written; says nothing of which slot is started, and so makes no difference here.
    """

    committed: str = "a"
    trial: str = ""
    tries: int = 0
    generation: int = field(default=0, compare=False)

    def encode(self) -> bytes:
        """The block, in GRUB's format."""
        lines = [f"committed={self.committed}", f"trial={self.trial}", f"tries={self.tries}"]
        if self.generation:
            lines.append(f"generation={self.generation}")
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
            int(counted) if _NUMBER.fullmatch(counted := found.get("generation", "")) else 0,
        )


def make_boot_state(esp: Esp, state: BootState) -> None:
    """Write the block's file for the first time."""
    esp.put_bytes(state.encode(), ENVIRONMENT)


def read_boot_state(esp: Esp) -> BootState:
    """Read the block: of several disks the newest, and of tries the fewest that any of them has left.

    :raises UserError: when there is none.
    """
    return merged(tuple(_read(one) for one in esp.each))


def boot_state_problem(esp: Esp) -> str:
    """Why neither GRUB nor we can go by the block of one disk; empty when it is as it should be."""
    try:
        if not esp.exists(ENVIRONMENT):
            return "is missing"
        extents = esp.extents(ENVIRONMENT)
        if len(extents) != 1:
            return f"is in {len(extents)} pieces, and not in one"
        with esp.device.open("rb") as device:
            device.seek(extents[0])
            raw = device.read(_SIZE)
    except (UserError, OSError):
        return "cannot be read"
    if not raw.startswith(_HEADER) or not _COMMITTED.search(raw):
        return "is damaged"
    return ""


def merged(states: tuple[BootState, ...]) -> BootState:
    """What the blocks of several disks say together."""
    newest = max(states, key=lambda state: state.generation)
    same = [state for state in states if state.generation == newest.generation and state.trial == newest.trial]
    return replace(newest, tries=min(state.tries for state in same))


def write_boot_state(esp: Esp, state: BootState) -> None:
    """Overwrite the block in place, on every disk; durable when this returns.

    :raises UserError: when there is none.
    """
    each = esp.each
    state = replace(state, generation=max(_read(one).generation for one in each) + 1)
    for one in each:
        _write(one, state)


def copy_boot_state(source: Esp, target: Esp) -> None:
    """Overwrite the block of one disk with what another's says, as the last step of making it the same.

    :raises UserError: when there is none.
    """
    _write(target, _read(source))


def _read(esp: Esp) -> BootState:
    with esp.device.open("rb") as device:
        device.seek(_place(esp))
        return BootState.decode(device.read(_SIZE))


def _write(esp: Esp, state: BootState) -> None:
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

"""An ISO image onto a USB stick: only onto a whole disk that nothing uses, and compared afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from images.iso.layout import Iso
from zeroth.deploy.slots import FileImage, write_slot
from zeroth.errors import ExitCode, UserError
from zeroth.progress import Step
from zeroth.system.block import exclusive
from zeroth.system.facts import DiskFacts
from zeroth.system.files import sha256_file
from zeroth.system.live import LiveMachine
from zeroth.system.size import Size

__all__ = ["Stick", "choose_stick", "refusal", "stick_lines", "write_stick"]


@dataclass(frozen=True)
class Stick:
    """A disk that may be written to.

    :ivar device: as its user named it, resolved.
    """

    device: Path
    facts: DiskFacts


def choose_stick(device: Path, size: int) -> Stick:
    """The disk of that name.

    :param size: of the image, bytes.
    :raises UserError: when it is no whole disk, in use, or too small.
    """
    real = device.resolve()
    if not real.is_block_device():
        what = "this is no block device" if real.exists() else "there is no such device"
        raise UserError(what, "Name the stick: lsblk lists all disks.", where=str(device))
    disks = {Path(disk.path).resolve(): disk for disk in LiveMachine().facts().disks}
    if real not in disks:
        hint = f"Name the whole disk. There are: {', '.join(sorted(map(str, disks))) or 'none'}."
        raise UserError("this is no whole disk", hint, where=str(device))
    facts = disks[real]
    why = refusal(facts, size)
    if why:
        raise UserError(f"not written to: {why}", "Name another disk, or free this one.",
                        where=str(device), code=ExitCode.MACHINE)  # fmt: skip
    return Stick(real, facts)


def refusal(disk: DiskFacts, size: int) -> str:
    """Why a disk is not written to; empty when it may be."""
    if disk.in_use:
        return f"it is in use: {'; '.join(disk.in_use)}"
    if disk.read_only:
        return "it is write-protected"
    if disk.size < size:
        return f"it holds {Size(disk.size).approx()}, and the image has {Size(size).approx()}"
    return ""


def stick_lines(stick: Stick) -> list[str]:
    """What the stick is and what is on it, for people."""
    facts = stick.facts
    name = " ".join(word for word in (facts.model, facts.serial and f"serial {facts.serial}") if word)
    lines = [f"{facts.path}: {name or 'a disk without a name'}, {Size(facts.size).approx()}"]
    if facts.transport != "usb":
        lines.append("  this is no USB disk")
    lines += [f"  on it: {content}" for content in facts.contents] or ["  it is empty"]
    return lines


def write_stick(iso: Iso, stick: Stick, step: Step) -> None:
    """Write the image and read it back.

    :raises UserError: when the stick holds something else afterwards, cannot be written, or the writing was
        interrupted: it does not boot then.
    """
    try:
        with step.step("Read the image"):
            sha256 = sha256_file(iso.path)
        with exclusive(stick.device):
            write_slot(FileImage(iso.path, iso.size, sha256), stick.device, step)
    except KeyboardInterrupt:
        message = f"interrupted: {stick.device} holds a part of the image at the most, and does not boot"
        raise UserError(message, "Write it again.", code=ExitCode.MACHINE) from None
    except OSError as error:
        hint = "Is the stick still in, and are you root?"
        message = f"cannot write it: {error.strerror}"
        raise UserError(message, hint, where=str(stick.device), code=ExitCode.MACHINE) from None

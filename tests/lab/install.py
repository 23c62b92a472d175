"""Installing a lab machine from the medium, and starting the installed host."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.lab import disks
from tests.lab.answers import TARGET, answer
from tests.lab.host import Host
from tests.lab.machine import Disk, Firmware, Machine
from tests.lab.paths import ISO
from tests.lab.serial import SerialTimeout
from tests.lab.stage import Stage, expect
from zeroth.system.size import GIB, Size

__all__ = [
    "BOOT_PROBLEMS",
    "BOOT_SECONDS",
    "DISK_SIZE",
    "FAILED",
    "FINISHED",
    "FIRST_BOOT",
    "FIRST_BOOT_BEGAN",
    "INSTALL_SECONDS",
    "NOTHING",
    "Target",
    "boot",
    "choose",
    "install",
    "installer_machine",
    "new_target",
    "shell",
    "start_installer",
]

FINISHED = r"zeroth: installation finished"
FAILED = r"zeroth: installation failed: .*"
FIRST_BOOT = r"zeroth: first boot finished: https://\S+"
NOTHING = r"zeroth: nothing to do: .*"
FIRST_BOOT_BEGAN = r"zeroth: first boot: "
BOOT_PROBLEMS = r"Kernel panic|grub rescue>|emergency mode|error: no such device|Panic on CPU"
"""What a console says when there is nothing to wait for any more."""
DISK_SIZE = Size(24 * GIB)
# Hard limits for waiting, generous because the machine may be shared: a scenario's own budget is what is watched.
INSTALL_SECONDS = 1500
BOOT_SECONDS = 1200


@dataclass(frozen=True)
class Target:
    """What an installed host is made of.

    :ivar disk: its disk.
    :ivar variables: its firmware variables, for UEFI.
    """

    firmware: Firmware
    disk: Disk
    variables: Path | None

    def machine(self, **changes: object) -> Machine:
        """A machine that boots it, without the medium."""
        return Machine(firmware=self.firmware, disks=(self.disk,), variables=self.variables, **changes)  # type: ignore[arg-type]


def new_target(
    stage: Stage, firmware: Firmware, *, name: str = "target", logged: bool = False, size: Size = DISK_SIZE,
    rate: int = 0,
) -> Target:  # fmt: skip
    """An empty disk (and empty firmware variables) to install on.

    :param logged: record every write to it in ``NAME.log``.
    :param rate: see :class:`Disk`.
    """
    log = disks.blank(stage.folder / f"{name}.log", DISK_SIZE) if logged else None
    disk = Disk(disks.blank(stage.folder / f"{name}.raw", size), TARGET, log=log, boot=5, rate=rate)
    return Target(firmware, disk, stage.variables(firmware, f"{name}-vars.qcow2"))


def installer_machine(
    stage: Stage,
    target: Target,
    files: dict[str, str] | None = None,
    *,
    medium: Path = ISO,
    stick: bool = False,
    extra: tuple[Disk, ...] = (),
) -> Machine:
    """A machine with the medium, the target, and a volume that carries the answer.

    :param stick: the medium is a USB stick (serial number ``stick``), not in the CD drive.
    """
    volume = disks.fat_volume(stage.folder / "answer.img", disks.ANSWER_LABEL, files or answer())
    return Machine(
        firmware=target.firmware,
        disks=(
            target.disk,
            Disk(volume, "answer", readonly=True),
            *([Disk(medium.resolve(), "stick", bus="usb", readonly=True, boot=0)] if stick else []),
            *extra,
        ),
        variables=target.variables,
        cd=None if stick else medium.resolve(),
        # Linux on one emulated processor loses no timer interrupts; the installed host has two.
        cpus=1,
    )


def start_installer(stage: Stage, machine: Machine, name: str = "install") -> Host:
    """Start the medium and touch nothing: its first entry installs, and reports on every console."""
    return stage.start(machine, name)


def choose(stage: Stage, machine: Machine, hotkey: str, name: str) -> Host:
    """Start the medium and choose an entry of its menu; without the key nothing would start."""
    host = stage.start(machine, name)
    # The last entry: the menu is there whole.
    host.wait_for("Boot from local disk", 120)
    host.serial.send(f"v{hotkey}")
    return host


def shell(host: Host) -> None:
    """Wait until a shell on the serial console takes commands."""
    for _ in range(30):
        with suppress(SerialTimeout):
            host.wait_for(r"[#$] $", 20)
            break
        # Somebody else wrote behind its prompt; it gives another.
        host.serial.send("\n")
    # Echoed words must not look like the answer.
    host.serial.send("echo rea''dy\n")
    host.wait_for("^ready", 60)


def install(
    stage: Stage,
    target: Target,
    files: dict[str, str] | None = None,
    *,
    name: str = "install",
    medium: Path = ISO,
    extra: tuple[Disk, ...] = (),
) -> Host:
    """Install unattended and wait until the machine resets by itself, as the answer says."""
    host = start_installer(stage, installer_machine(stage, target, files, medium=medium, extra=extra), name)
    host.wait_for(FINISHED, INSTALL_SECONDS, never=f"{FAILED}|{BOOT_PROBLEMS}")
    stopped = host.wait_stopped(120)
    expect(stopped.reason == "guest-reset", f"the machine should have reset after its installation, not {stopped}")
    host.kill()
    return host


def boot(stage: Stage, machine: Machine, *, name: str = "host", first: bool = True) -> Host:
    """Start an installed host and wait until root can log in and every unit has started or failed.

    :param first: it is its first boot: wait for that to be finished.
    """
    host = stage.start(machine, name)
    if first:
        host.wait_for(FIRST_BOOT, BOOT_SECONDS, never=f"zeroth: first boot failed.*|{BOOT_PROBLEMS}")
    host.wait_ssh(BOOT_SECONDS)
    # sshd is there before the agent is.
    host.ssh(f"timeout {BOOT_SECONDS:g} systemctl is-system-running --wait", seconds=BOOT_SECONDS + 60, ok=(0, 1))
    return host

"""Golden hosts: installed once, booted once, reused by every scenario that needs one.

A golden host is kept under the hash of what it came from: the medium, the answer, the machine. Two things are kept:
the disk as the installer left it (raw), and the host as it was after its first boot (an overlay of that disk, and a
snapshot of memory and devices). Users work on overlays, so nothing they do comes back.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from tests.lab import disks
from tests.lab.answers import TARGET, answer
from tests.lab.host import Host
from tests.lab.install import Target, boot, install, new_target
from tests.lab.machine import Disk, Firmware, command_line
from tests.lab.paths import CACHE, ISO
from tests.lab.stage import Stage
from tests.lab.tools import tools
from zeroth.errors import UserError
from zeroth.system.files import sha256_file

__all__ = ["Golden", "golden", "iso_digest", "make_golden", "resume", "resume_with_disk"]

_FORMAT = 1
"""Raised when the lab keeps golden hosts in another way."""


@dataclass(frozen=True)
class Golden:
    """A golden host.

    :ivar memory: the snapshot of memory and devices after first boot, on ``booted``.
    """

    firmware: Firmware
    folder: Path

    @property
    def installed(self) -> Path:
        """The disk as the installer left it, raw."""
        return self.folder / "installed.raw"

    @property
    def booted(self) -> Path:
        """What first boot changed on it, qcow2."""
        return self.folder / "booted.qcow2"

    @property
    def memory(self) -> Path:
        """The snapshot."""
        return self.folder / "memory"

    def variables(self, state: str) -> Path:
        """The firmware's variables, ``installed`` or ``booted``."""
        return self.folder / f"{state}-vars.qcow2"


@cache
def iso_digest() -> str:
    """The medium's SHA-256.

    :raises UserError: when there is none.
    """
    if not ISO.exists():
        raise UserError(f"there is no {ISO.name} to boot", "Run `make iso` first.")
    return sha256_file(ISO)


def key(firmware: Firmware) -> str:
    """What a golden host of this firmware came from, as one hash."""
    machine = Target(firmware, Disk(Path("disk"), TARGET), Path("vars")).machine()
    words = command_line(
        machine,
        dict.fromkeys(machine.ports, 0),
        firmware=Path("ovmf"),
        sockets=Path("run"),
        serial_log=Path("log"),
    )
    parts = [_FORMAT, iso_digest(), answer(), words, [sha256_file(tools().code), sha256_file(tools().variables)]]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def golden(stage: Stage, firmware: Firmware) -> Golden:
    """The golden host of this firmware, made now if there is none yet."""
    found = _place(firmware)
    with _locked(firmware):
        if not found.folder.exists():
            _make(stage, firmware, lambda host: None)
    os.utime(found.folder)
    return found


def make_golden(stage: Stage, firmware: Firmware, check: Callable[[Host], None]) -> Golden:
    """Install and boot a new golden host, even if there is one, and keep it once ``check`` passed."""
    with _locked(firmware):
        _make(stage, firmware, check)
    return _place(firmware)


def installed_copy(stage: Stage, found: Golden, name: str = "copy") -> Target:
    """A disk as the installer left it: an overlay."""
    disk = disks.overlay(found.installed, stage.folder / f"{name}.qcow2", "raw")
    return Target(found.firmware, Disk(disk, TARGET, "qcow2", boot=5), _variables(stage, found, "installed", name))


def booted_copy(stage: Stage, found: Golden, name: str = "copy") -> Target:
    """A disk as it was after first boot: an overlay."""
    disk = disks.overlay(found.booted, stage.folder / f"{name}.qcow2", "qcow2")
    return Target(found.firmware, Disk(disk, TARGET, "qcow2", boot=5), _variables(stage, found, "booted", name))


def resume(stage: Stage, firmware: Firmware = Firmware.BIOS, *, name: str = "host") -> Host:
    """A host that has just finished its first boot, in seconds."""
    return resume_with_disk(stage, firmware, name=name)[0]


def resume_with_disk(stage: Stage, firmware: Firmware = Firmware.BIOS, *, name: str = "host") -> tuple[Host, Target]:
    """The same, with what it is made of: for who wants to start it again."""
    found = golden(stage, firmware)
    target = booted_copy(stage, found, name)
    with stage.step("resume the golden host"):
        host = stage.start(target.machine(), name, incoming=found.memory)
        host.wait_ssh(300)
        # Its clock stood still while it was kept.
        host.ssh(f"date -s @{int(time.time())} >/dev/null")
    return host, target


def _make(stage: Stage, firmware: Firmware, check: Callable[[Host], None]) -> None:
    target = new_target(stage, firmware)
    with stage.step("install from CD"):
        install(stage, target)
    work = _place(firmware, work=True)
    shutil.rmtree(work.folder, ignore_errors=True)
    work.folder.mkdir(parents=True)
    target.disk.path.rename(work.installed)
    if target.variables:
        disks.copy(target.variables, work.variables("installed"))
    disks.overlay(work.installed, work.booted, "raw")
    if target.variables:
        disks.copy(target.variables, work.variables("booted"))
    variables = work.variables("booted") if target.variables else None
    ready = replace(target, disk=Disk(work.booted, TARGET, "qcow2", boot=5), variables=variables)
    with stage.step("first boot"):
        host = boot(stage, ready.machine())
    with stage.step("check the host"):
        check(host)
    with stage.step("keep a snapshot"):
        host.ssh("sync")
        host.save(work.memory)
    _publish(work, _place(firmware))


def _publish(work: Golden, final: Golden) -> None:
    shutil.rmtree(final.folder, ignore_errors=True)
    work.folder.rename(final.folder)
    for other in final.folder.parent.glob(f"{final.firmware}-*"):
        if other.is_dir() and other != final.folder:
            shutil.rmtree(other, ignore_errors=True)


def _variables(stage: Stage, found: Golden, state: str, name: str) -> Path | None:
    if found.firmware is Firmware.BIOS:
        return None
    return disks.overlay(found.variables(state), stage.folder / f"{name}-vars.qcow2", "qcow2")


def _place(firmware: Firmware, *, work: bool = False) -> Golden:
    name = f"making-{firmware}" if work else f"{firmware}-{key(firmware)}"
    return Golden(firmware, CACHE / "golden" / name)


@contextmanager
def _locked(firmware: Firmware) -> Iterator[None]:
    folder = CACHE / "golden"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{firmware}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

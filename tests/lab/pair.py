"""A host on two disks: installed and booted once, kept for every scenario that takes one of its disks away."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab import disks
from tests.lab.answers import TARGET, answer
from tests.lab.checks import PARTITIONS, check_running
from tests.lab.golden import iso_digest
from tests.lab.host import Host
from tests.lab.install import Target, boot, install
from tests.lab.machine import Disk, Firmware, Machine
from tests.lab.paths import CACHE
from tests.lab.stage import Stage, expect
from zeroth.system.size import GIB, Size

__all__ = [
    "MIRROR",
    "SECOND",
    "SIZE",
    "Pair",
    "check_mirror",
    "disk_status",
    "golden_pair",
    "install_pair",
    "power_off",
]

SECOND = "second"
"""Serial number of the other disk."""
SIZE = Size(16 * GIB)
MIRROR = {"disk": {"select": f"serial={TARGET}", "layout": "mirror", "mirror_with": f"serial={SECOND}"}}
"""The answer's words for it."""


@dataclass(frozen=True)
class Pair:
    """A host's two disks, and the firmware's variables for UEFI."""

    firmware: Firmware
    first: Disk
    second: Disk
    variables: Path | None

    def machine(self, *present: Disk) -> Machine:
        """A machine that has these of the disks, or others; both when none is named."""
        return Machine(
            firmware=self.firmware, disks=present or (self.first, self.second), variables=self.variables
        )  # fmt: skip


def golden_pair(stage: Stage, firmware: Firmware) -> Pair:
    """Overlays of the disks of a host after its first boot, powered off; made now if there are none yet."""
    folder = CACHE / "golden" / f"pair-{firmware}-{iso_digest()[:16]}"
    with _locked(folder.parent, firmware):
        if not folder.exists():
            _make(stage, firmware, folder)
    legs = [
        Disk(disks.overlay(folder / f"{name}.raw", stage.folder / f"{name}.qcow2", "raw"), name, "qcow2", boot=number)
        for number, name in enumerate((TARGET, SECOND), start=5)
    ]
    kept = folder / "vars.qcow2"
    variables = disks.overlay(kept, stage.folder / "vars.qcow2", "qcow2") if kept.exists() else None
    return Pair(firmware, legs[0], legs[1], variables)


def install_pair(stage: Stage, firmware: Firmware, *, second: bool = True) -> Pair:
    """Install on two empty disks, or on one that gets its second later."""
    made = [
        Disk(disks.blank(stage.folder / f"{name}.raw", SIZE), name, boot=number)
        for number, name in enumerate((TARGET, SECOND), start=5)
    ]
    target = Target(firmware, made[0], stage.variables(firmware, "pair-vars.qcow2"))
    files = answer(**MIRROR) if second else answer(disk={**MIRROR["disk"], "mirror_with": "missing"})
    install(stage, target, files, extra=(made[1],) if second else ())
    return Pair(firmware, made[0], made[1], target.variables)


def check_mirror(host: Host, *serials: str) -> None:
    """The host lies on these disks, each of which has everything, and is started by the ids of its arrays."""
    said = disk_status(host)
    expect(said["whole"], f"zeroth disk status says {said}")
    found = json.loads(host.ssh("lsblk --json --paths --output NAME,SERIAL,TYPE,PARTLABEL"))["blockdevices"]
    for serial in serials:
        disk = next(one for one in found if one["serial"] == serial)
        labels = tuple(part["partlabel"] for part in disk["children"] if part["type"] == "part")
        expect(labels == PARTITIONS, f"{serial} has the partitions {labels}, not {PARTITIONS}")
        state = next((one["state"] for one in said["disks"] if one["disk"] == disk["name"]), "absent")
        expect(state == "whole", f"{serial} is {state}: {said}")
    words = dict(word.split("=", 1) for word in host.ssh("cat /proc/cmdline").split() if "=" in word)
    arrays = json.loads(host.ssh("lsblk --json --paths --output NAME,UUID,MOUNTPOINTS,TYPE /dev/md5 /dev/md6"))
    for name in ("zeroth.root", "zeroth.state", "zeroth.log"):
        expect(words.get(name, "").startswith("MD_UUID="), f"the kernel was told {name}={words.get(name)}")
    places = {place for array in arrays["blockdevices"] for place in array["mountpoints"]}
    expect({"/run/zeroth/state", "/var/log"} <= places, f"state and log lie elsewhere: {arrays}")


def disk_status(host: Host) -> dict[str, Any]:
    """What ``zeroth disk status --json`` says; it ends with 3 when the mirror is not whole."""
    done = host.ssh_full("zeroth disk status --json", ok=(0, 3))
    said: dict[str, Any] = json.loads(done.stdout)
    expect(bool(said["whole"]) == (done.status == 0), f"zeroth disk status ended with {done.status}: {said}")
    return said


def power_off(host: Host) -> None:
    """Shut it down in order."""
    host.ssh("systemctl poweroff", ok=(0, 255))
    host.wait_stopped(600)
    host.kill()


def _make(stage: Stage, firmware: Firmware, folder: Path) -> None:
    with stage.step("install on two disks"):
        pair = install_pair(stage, firmware)
    with stage.step("first boot"):
        host = boot(stage, pair.machine(), name="first-boot")
    with stage.step("check the host"):
        check_mirror(host, TARGET, SECOND)
        check_running(host)
        power_off(host)
    work = folder.with_name(f"making-pair-{firmware}")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    for leg in (pair.first, pair.second):
        leg.path.rename(work / leg.path.name)
    if pair.variables:
        disks.copy(pair.variables, work / "vars.qcow2")
    work.rename(folder)
    for other in folder.parent.glob(f"pair-{firmware}-*"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)


@contextmanager
def _locked(folder: Path, firmware: Firmware) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"pair-{firmware}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

"""A boot loader that was lost: the medium's rescue system puts it right, and the disk starts by itself again."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.lab import disks
from tests.lab.answers import TARGET
from tests.lab.golden import golden
from tests.lab.install import BOOT_PROBLEMS, FIRST_BOOT_BEGAN, Target, choose, installer_machine, shell
from tests.lab.machine import Disk, Firmware
from tests.lab.parts import opened
from tests.lab.scenario import scenario
from tests.lab.stage import Stage, expect
from zeroth.deploy.bootenv import ENVIRONMENT, BootState, read_boot_state
from zeroth.deploy.bootmenu import MENU
from zeroth.deploy.esp import Esp
from zeroth.deploy.layout import Part
from zeroth.system.size import MIB

_BOOT_CODE = 440
"""Bytes of a boot sector before its disk number and partition table."""


@scenario(minutes=8, after=("iso-bios",))
def repair_boot(stage: Stage) -> None:
    """Boot code, boot menu and boot state are wiped; the rescue system writes them anew and touches nothing else."""
    path = disks.copy(golden(stage, Firmware.BIOS).installed, stage.folder / "target.raw")
    target = Target(Firmware.BIOS, Disk(path, TARGET, boot=5), None)
    before, kept = _boots_by(target), _slot(target)
    with stage.step("lose the boot loader"):
        with path.open("r+b") as file:
            file.write(bytes(_BOOT_CODE))
            file.seek(MIB)
            file.write(bytes(MIB))
        with opened(target, Part.ESP) as device:
            for name in (MENU, ENVIRONMENT):
                Esp(device).remove(name)
        expect(_boots_by(target) != before, "nothing was lost")
    with stage.step("repair it from the rescue system"):
        host = choose(stage, installer_machine(stage, target), "r", "rescue")
        shell(host)
        # Echoed words must not look like the answer.
        host.serial.send("zeroth installer repair --yes; echo ended-with-''$?\n")
        host.wait_for(r"ended-with-3", 300, never=r"ended-with-[0124-9]")
        host.serial.send("zeroth installer repair --plan --json | grep outc''ome; echo ended-with-''$?\n")
        host.wait_for('"outcome": "nothing to do"', 300, never=r"ended-with-[1-9]")
        host.serial.send("poweroff\n")
        expect(host.wait_stopped(300).reason == "guest-shutdown", "poweroff did not power off")
        host.kill()
    expect(_boots_by(target) == before, "what was written is not what the installer had written")
    expect(_slot(target) == kept, "the repair wrote to the slot's image")
    with stage.step("start from the disk"):
        host = stage.start(target.machine(), "disk")
        host.wait_for(f"{FIRST_BOOT_BEGAN}|login:", 1200, never=BOOT_PROBLEMS)


def _boots_by(target: Target) -> tuple[object, ...]:
    """Boot sector, GRUB's core, and everything on the ESP."""
    with target.disk.path.open("rb") as file:
        sector = file.read(512)
        file.seek(MIB)
        core = file.read(MIB)
    with opened(target, Part.ESP) as device:
        esp = Esp(device)
        state = read_boot_state(esp) if esp.exists(ENVIRONMENT) else None
        files = tuple((path, esp.sha256(path)) for path in esp.files())
    expect(state in (None, BootState("a")), f"an installation should commit slot a, not {state}")
    return hashlib.sha256(sector).hexdigest(), hashlib.sha256(core).hexdigest(), files


def _slot(target: Target) -> str:
    with opened(target, Part.SLOT_A) as device:
        return _digest(device)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

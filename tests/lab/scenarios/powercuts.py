"""The power goes at moments spread over an installation and a first boot; the next start puts it right."""

from __future__ import annotations

import random

from tests.lab import disks
from tests.lab.answers import TARGET
from tests.lab.blklog import WriteLog, points, replay
from tests.lab.checks import check_host
from tests.lab.golden import golden
from tests.lab.install import (
    BOOT_PROBLEMS,
    DISK_SIZE,
    FAILED,
    FINISHED,
    FIRST_BOOT,
    FIRST_BOOT_BEGAN,
    INSTALL_SECONDS,
    NOTHING,
    Target,
    boot,
    install,
    installer_machine,
    new_target,
    start_installer,
)
from tests.lab.machine import Disk, Firmware
from tests.lab.scenario import scenario
from tests.lab.stage import Stage

CUTS = 3


@scenario(minutes=22)
def powercut_install(stage: Stage) -> None:
    """Power cut at three moments of an installation: booting the medium again ends in a host that passes."""
    whole = new_target(stage, Firmware.BIOS, logged=True)
    with stage.step("an installation whose writes are recorded"):
        install(stage, whole)
    assert whole.disk.log is not None
    log = WriteLog(whole.disk.log)
    for number, at in enumerate(points(log, CUTS), start=1):
        with stage.step(f"cut {number}: after write {at} of {log.count}"):
            path = disks.blank(stage.folder / f"cut-{number}.raw", DISK_SIZE)
            # Of the writes under way at the cut some reached the disk and some did not.
            replay(log, path, at, stray=random.Random(at))
            _install_again(stage, Target(Firmware.BIOS, Disk(path, TARGET, boot=5), None), number)
            path.unlink()


def _install_again(stage: Stage, target: Target, number: int) -> None:
    """Boot the medium on what the cut left, until the installer is content, then boot and check the host."""
    host = start_installer(stage, installer_machine(stage, target), f"again-{number}")
    # A cut after the last step of an installation may leave it complete, and the installer then says so.
    stage.log(host.wait_for(f"{FINISHED}|{NOTHING}", INSTALL_SECONDS, never=FAILED))
    host.wait_stopped(180)
    host = boot(stage, target.machine(), name=f"host-{number}")
    check_host(host)
    host.kill()


@scenario(minutes=14, after=("iso-bios",))
def powercut_firstboot(stage: Stage) -> None:
    """Power cut at three moments of the first boot: the next boot finishes it, and the host passes."""
    found = golden(stage, Firmware.BIOS)
    path = disks.copy(found.installed, stage.folder / "whole.raw")
    record = disks.blank(stage.folder / "whole.log", DISK_SIZE)
    whole = Target(Firmware.BIOS, Disk(path, TARGET, log=record, boot=5), None)
    with stage.step("a first boot whose writes are recorded"):
        host = stage.start(whole.machine(), "whole")
        host.wait_for(FIRST_BOOT_BEGAN, 1200, never="Kernel panic")
        began = WriteLog(record).count
        host.wait_for(FIRST_BOOT, 1200, never=BOOT_PROBLEMS)
        host.kill()
    log = WriteLog(record)
    for number, at in enumerate(points(log, CUTS, first=began), start=1):
        with stage.step(f"cut {number}: after write {at} of {log.count}"):
            path = disks.copy(found.installed, stage.folder / f"cut-{number}.raw")
            replay(log, path, at, stray=random.Random(at))
            target = Target(Firmware.BIOS, Disk(path, TARGET, boot=5), None)
            again = boot(stage, target.machine(), name=f"cut-{number}")
            check_host(again)
            again.kill()
            path.unlink()

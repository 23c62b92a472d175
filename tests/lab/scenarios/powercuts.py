"""The power goes at moments of an installation, a first boot and an upgrade; the next start puts it right."""

from __future__ import annotations

import json
import random
import time
from dataclasses import replace
from pathlib import Path

from tests.lab import disks
from tests.lab.answers import TARGET, answer
from tests.lab.blklog import WriteLog, boundaries, points, replay
from tests.lab.checks import check_agent, check_host, check_xen
from tests.lab.golden import booted_copy, golden
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
from tests.lab.machine import Disk, Firmware, Machine
from tests.lab.newer import newer
from tests.lab.offline import check_installation, check_untouched, check_upgrade, installed_digest
from tests.lab.scenario import scenario
from tests.lab.stage import Stage, expect
from tests.lab.trial import apply_upgrade, wait_proved
from zeroth.deploy.layout import Part
from zeroth.spec.model import HostSpec

CUTS = 3


@scenario(minutes=30)
def powercut_install(stage: Stage) -> None:
    """Every flush of an installation leaves a disk to go on from, no other disk is written to, and at three moments
    with the power cut booting the medium again ends in a host that passes.
    """
    whole = new_target(stage, Firmware.BIOS, logged=True)
    other = disks.blank(stage.folder / "other.raw", DISK_SIZE)
    disks.fat_data(other, "letters.txt", b"Dear all,\n")
    before = disks.digest(other)
    with stage.step("an installation whose writes are recorded"):
        install(stage, whole, extra=(Disk(other, "other"),))
    assert whole.disk.log is not None
    log = WriteLog(whole.disk.log)
    expect(disks.digest(other) == before, "another disk was written to")
    with stage.step("every flush, looked at from outside"):
        stage.log(f"{_every_flush_of_installation(stage, log)} flushes")
    for number, at in enumerate(points(log, CUTS), start=1):
        with stage.step(f"cut {number}: after write {at} of {log.count}"):
            path = disks.blank(stage.folder / f"cut-{number}.raw", DISK_SIZE)
            # Of the writes under way at the cut some reached the disk and some did not.
            replay(log, path, at, stray=random.Random(at))
            _install_again(stage, Target(Firmware.BIOS, Disk(path, TARGET, boot=5), None), number)
            path.unlink()


def _every_flush_of_installation(stage: Stage, log: WriteLog) -> int:
    """What the disk says at each, to an answer that lets nothing be overwritten."""
    spec = json.loads(answer()["answer.json"])
    spec["disk"] = {"select": "only", "wipe": False}
    path = disks.blank(stage.folder / "flushes.raw", DISK_SIZE)
    digest = installed_digest(log, disks.blank(stage.folder / "end.raw", DISK_SIZE))
    count = check_installation(log, path, HostSpec.model_validate(spec), digest)
    path.unlink()
    return count


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


@scenario(minutes=30, after=("iso-bios",))
def powercut_upgrade(stage: Stage) -> None:
    """Every flush of an upgrade leaves the running slot whole and chosen; cut in the middle the old slot starts and
    takes the upgrade again, cut after the last write the new slot proves itself.
    """
    with stage.step("build the later version"):
        built = newer()
    found = golden(stage, Firmware.BIOS)
    before = disks.raw(found.booted, stage.folder / "before.raw")
    record = disks.blank(stage.folder / "upgrade.log", DISK_SIZE)
    copied = booted_copy(stage, found, "upgraded")
    with stage.step("an upgrade whose writes are recorded"):
        host = stage.start(replace(copied, disk=replace(copied.disk, log=record)).machine(), "upgraded",
                           incoming=found.memory)  # fmt: skip
        host.wait_ssh(300)
        host.ssh(f"date -s @{int(time.time())} >/dev/null; sync")
        began = WriteLog(record).count
        apply_upgrade(host, built)
        host.kill()
    log = WriteLog(record)
    with stage.step("every flush, looked at from outside"):
        check_untouched(log, DISK_SIZE, (Part.BIOS, Part.SLOT_A), first=began)
        path = disks.copy(before, stage.folder / "flushes.raw")
        stage.log(f"{check_upgrade(log, path, began)} flushes")
        path.unlink()
    middle = points(log, 1, first=began)[0]
    with stage.step(f"cut after write {middle} of {log.count}"):
        again = boot(stage, _cut(stage, log, before, middle), name="middle", first=False)
        said = json.loads(again.ssh("zeroth slot status --json"))
        expect((said["booted"], said["trial"]) == ("a", ""), f"zeroth slot status says {said}")
        check_xen(again)
        check_agent(again)
        apply_upgrade(again, built)
        again.kill()
    with stage.step("cut after the last write"):
        again = stage.start(_cut(stage, log, before, boundaries(log)[-1]), "last")
        wait_proved(again, 1800)


def _cut(stage: Stage, log: WriteLog, before: Path, at: int) -> Machine:
    path = disks.copy(before, stage.folder / f"cut-{at}.raw")
    replay(log, path, at, stray=random.Random(at))
    return Target(Firmware.BIOS, Disk(path, TARGET, boot=5), None).machine()

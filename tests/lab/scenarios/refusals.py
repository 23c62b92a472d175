"""What the installer must refuse before its first write; and that it is not applied twice."""

from __future__ import annotations

from tests.lab import disks
from tests.lab.answers import TARGET, answer
from tests.lab.golden import booted_copy, golden
from tests.lab.host import Host
from tests.lab.install import (
    FAILED,
    FINISHED,
    INSTALL_SECONDS,
    NOTHING,
    choose,
    installer_machine,
    new_target,
    shell,
    start_installer,
)
from tests.lab.machine import Firmware, Machine
from tests.lab.medium import damaged, embedded
from tests.lab.scenario import scenario
from tests.lab.stage import Stage, expect
from tests.lab.tools import tools
from zeroth.system.size import GIB, Size


@scenario(minutes=3)
def no_consent(stage: Stage) -> None:
    """A disk that carries something is not touched without consent in the answer."""
    target = new_target(stage, Firmware.BIOS)
    disks.fat_data(target.disk.path, "letters.txt", b"Dear all,\n")
    files = answer(disk={"select": f"serial={TARGET}", "wipe": False})
    refused(stage, installer_machine(stage, target, files), r"(?i)wipe|consent|clearpart|erase")


@scenario(minutes=3)
def disk_too_small(stage: Stage) -> None:
    """A disk below the smallest size is refused, and the size is named."""
    target = new_target(stage, Firmware.BIOS, size=Size(15 * GIB))
    refused(stage, installer_machine(stage, target), r"(?i)small.*16 GiB|16 GiB")


@scenario(minutes=3)
def wrong_disk(stage: Stage) -> None:
    """An answer that names a disk which is not there ends with the list of those that are."""
    target = new_target(stage, Firmware.BIOS)
    files = answer(disk={"select": "serial=somewhere-else", "wipe": True})
    refused(stage, installer_machine(stage, target, files), "somewhere-else")


@scenario(minutes=3)
def plan_only(stage: Stage) -> None:
    """With zeroth.plan the installer shows what it would destroy, and writes nothing."""
    target = new_target(stage, Firmware.BIOS)
    disks.fat_data(target.disk.path, "letters.txt", b"Dear all,\n")
    before = disks.digest(target.disk.path)
    medium = embedded(stage.folder / "plan.iso", "--args", "zeroth.plan")
    host = start_installer(stage, installer_machine(stage, target, medium=medium), "plan")
    stage.log(host.wait_for(NOTHING, INSTALL_SECONDS, never=f"{FAILED}|{FINISHED}"))
    host.wait_stopped(180)
    for words in ("WILL BE DESTROYED", "Write the partition table"):
        expect(words in host.serial.text(), f"the plan on the console does not say {words!r}")
    expect(disks.digest(target.disk.path) == before, "the disk is not what it was")


@scenario(minutes=3)
def damaged_image(stage: Stage) -> None:
    """One wrong byte in the medium's root image is found before anything is written."""
    target = new_target(stage, Firmware.BIOS)
    medium = damaged("root.squashfs", stage.folder / "damaged.iso")
    before = disks.digest(target.disk.path)
    host = start_installer(stage, installer_machine(stage, target, medium=medium), "damaged")
    # The initrd finds it, so there is no installer yet that could power off; it leaves a shell.
    stage.log(host.wait_for("zeroth: cannot start: .*damaged", INSTALL_SECONDS, never=f"{FAILED}|{FINISHED}"))
    host.wait_for("this is a shell", 60)
    host.kill()
    expect(disks.digest(target.disk.path) == before, "the disk is not what it was")


@scenario(minutes=10)
def usb_stick(stage: Stage) -> None:
    """The same file on a USB stick installs under both firmwares, and is never chosen as the disk."""
    with stage.step("the stick itself is chosen"):
        target = new_target(stage, Firmware.BIOS)
        files = answer(disk={"select": "serial=stick", "wipe": True})
        refused(stage, installer_machine(stage, target, files, stick=True), "(?i)medium")
    for firmware in Firmware:
        with stage.step(f"install under {firmware}"):
            target = new_target(stage, firmware, name=f"target-{firmware}")
            host = start_installer(stage, installer_machine(stage, target, stick=True), f"stick-{firmware}")
            host.wait_for(FINISHED, INSTALL_SECONDS, never=FAILED)
            expect(host.wait_stopped(120).reason == "guest-reset", "it should have reset after its installation")


@scenario(minutes=5, after=("iso-bios",))
def reinstall_guard(stage: Stage) -> None:
    """The medium left in the drive installs nothing again with an answer that was applied to this machine."""
    found = golden(stage, Firmware.BIOS)
    target = booted_copy(stage, found)
    host = start_installer(stage, installer_machine(stage, target), "again")
    host.wait_for(NOTHING, INSTALL_SECONDS, never=f"{FINISHED}|{FAILED}")
    # The medium was ejected, so that the machine starts from its disk; where that fails it powers off.
    stage.log(f"then: {host.wait_stopped(180).reason}")
    host.kill()
    # Equal content, cluster by cluster; it fails when anything was written.
    tools().run("qemu-img", "compare", "-f", "qcow2", "-F", "qcow2", target.disk.path, found.booted)


@scenario(minutes=3)
def rescue(stage: Stage) -> None:
    """The rescue entry gives a root shell on the serial console and changes nothing."""
    target = new_target(stage, Firmware.BIOS)
    disks.fat_data(target.disk.path, "letters.txt", b"Dear all,\n")
    before = disks.digest(target.disk.path)
    host = rescue_shell(stage, installer_machine(stage, target))
    host.serial.send("echo user-$(id -u)-$(cat /proc/cmdline | tr ' ' '\\n' | grep zeroth.mode)\n")
    host.wait_for("user-0-zeroth.mode=rescue", 60)
    host.screen("rescue")
    host.serial.send("systemctl --failed --plain --no-legend | sed 's/^/failed: /'; echo all-li''sted\n")
    host.wait_for("^all-listed", 60)
    failed = [line for line in host.serial.text().splitlines() if line.startswith("failed: ")]
    expect(not failed, "units failed in the rescue system:\n" + "\n".join(failed))
    host.serial.send("poweroff\n")
    expect(host.wait_stopped(180).reason == "guest-shutdown", "poweroff did not power off")
    expect(disks.digest(target.disk.path) == before, "the disk is not what it was")


def rescue_shell(stage: Stage, machine: Machine, name: str = "rescue") -> Host:
    """Choose the rescue entry in the boot menu; returns when the shell on the serial console takes commands."""
    host = choose(stage, machine, "r", name)
    shell(host)
    return host


def refused(stage: Stage, machine: Machine, reason: str, *, name: str = "refused") -> None:
    """The installer says why it will not, powers off as asked, and every disk is what it was."""
    before = {disk.path: disks.digest(disk.path) for disk in machine.disks}
    host = start_installer(stage, machine, name)
    said = host.wait_for(FAILED, INSTALL_SECONDS, never=FINISHED)
    stage.log(said)
    stopped = host.wait_stopped(180)
    expect(stopped.reason == "guest-shutdown", f"it should have powered off, as the answer says, not {stopped}")
    host.serial.wait_for(reason, 0, from_start=True)
    for path, digest in before.items():
        expect(disks.digest(path) == digest, f"{path.name} was changed before the installer refused")

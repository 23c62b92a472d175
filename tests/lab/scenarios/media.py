"""From the medium to a running host, under each firmware."""

from __future__ import annotations

import json

from tests.lab import disks
from tests.lab.answers import PASSWORD, TARGET, answer
from tests.lab.checks import check_host
from tests.lab.golden import golden, make_golden
from tests.lab.host import Host
from tests.lab.install import (
    BOOT_PROBLEMS,
    FAILED,
    FINISHED,
    INSTALL_SECONDS,
    Target,
    boot,
    choose,
    installer_machine,
    new_target,
    shell,
)
from tests.lab.keys import public_key
from tests.lab.machine import Disk, Firmware, Machine
from tests.lab.medium import damaged, embedded
from tests.lab.scenario import scenario
from tests.lab.stage import Stage, expect


@scenario(minutes=9, main=True)
def iso_bios(stage: Stage) -> None:
    """The ISO installs an empty disk under BIOS, and the disk boots into Xen."""
    make_golden(stage, Firmware.BIOS, _check)


@scenario(minutes=9, main=True)
def iso_uefi(stage: Stage) -> None:
    """The ISO installs an empty disk under UEFI, and the disk boots into Xen."""
    make_golden(stage, Firmware.UEFI, _check)


@scenario(minutes=7, main=True, after=("iso-bios", "iso-uefi"))
def cross_firmware(stage: Stage) -> None:
    """A disk installed under BIOS boots in OVMF with empty variables, and the reverse."""
    for made, other in ((Firmware.BIOS, Firmware.UEFI), (Firmware.UEFI, Firmware.BIOS)):
        found = golden(stage, made)
        disk = disks.overlay(found.booted, stage.folder / f"{made}.qcow2", "qcow2")
        variables = stage.variables(other, f"{made}-empty.qcow2")
        target = Target(other, Disk(disk, TARGET, "qcow2", boot=5), variables)
        with stage.step(f"installed under {made}, booted under {other}"):
            host = boot(stage, target.machine(), name=f"{made}-in-{other}", first=False)
            _check(host)
            host.kill()


@scenario(minutes=4)
def verify_medium(stage: Stage) -> None:
    """The medium's own check finds it intact, and names the file in which one byte is another."""
    target = new_target(stage, Firmware.BIOS)
    with stage.step("a good medium"):
        host = _verify(stage, installer_machine(stage, target), "good")
        stage.log(host.wait_for("zeroth: verification OK: .*", 900, never="zeroth: verification failed"))
        _restart(host)
    with stage.step("one byte of another file is wrong"):
        bad = damaged("xen.gz", stage.folder / "damaged.iso")
        host = _verify(stage, installer_machine(stage, target, medium=bad), "bad")
        stage.log(host.wait_for("zeroth: verification failed: .*", 900, never="zeroth: verification OK"))
        host.serial.wait_for(r"zeroth: verification failed: xen\.gz\s", 0, from_start=True)
        host.screen("damaged")
        _restart(host)


@scenario(minutes=10)
def menu_entries(stage: Stage) -> None:
    """The menu's memory test, its plain video and its try under Xen start, and are what they say."""
    for firmware in Firmware:
        with stage.step(f"memory test under {firmware}"):
            host = choose(stage, installer_machine(stage, new_target(stage, firmware)), "m", f"memory-{firmware}")
            host.wait_for(r"Memtest86\+ v", 180)
            host.screen("memory-test")
            host.kill()
    target = new_target(stage, Firmware.UEFI)
    before = disks.digest(target.disk.path)
    with stage.step("try under Xen"):
        # An emulated machine under Xen takes minutes to find its drive.
        medium = embedded(stage.folder / "patient.iso", "--args", "zeroth.wait=600")
        host = choose(stage, installer_machine(stage, target, medium=medium), "x", "xen")
        host.wait_for(r"Xen version 4\.20", 300)
        shell(host)
        host.serial.send("cd /sys/hypervisor; echo type-$(cat type)-$(cat version/major).$(cat version/minor)\n")
        host.wait_for(r"type-xen-4\.20", 120)
        host.serial.send("poweroff\n")
        expect(host.wait_stopped(300).reason == "guest-shutdown", "poweroff did not power off")
        expect(disks.digest(target.disk.path) == before, "the disk is not what it was")
    with stage.step("install with plain video"):
        host = choose(stage, installer_machine(stage, target), "n", "plain")
        host.wait_for(FINISHED, INSTALL_SECONDS, never=f"{FAILED}|{BOOT_PROBLEMS}")


@scenario(minutes=6)
def embedded_answer(stage: Stage) -> None:
    """A medium with an answer, a key and kernel arguments embedded installs without an answer volume."""
    key = stage.folder / "key.pub"
    key.write_text(public_key() + "\n")
    spec = json.loads(answer()["answer.json"])
    spec["root"].pop("ssh_keys")
    given = stage.folder / "host1.json"
    given.write_text(json.dumps(spec))
    with stage.step("embed"):
        medium = embedded(stage.folder / "embedded.iso", "--answer", given, "--ssh-key", key,
                          "--args", "zeroth.wait=77")  # fmt: skip
        expect(PASSWORD.encode() not in medium.read_bytes(), "the medium holds the password in clear text")
    target = new_target(stage, Firmware.UEFI)
    machine = Machine(firmware=target.firmware, disks=(target.disk,), variables=target.variables, cd=medium)
    with stage.step("install"):
        host = stage.start(machine, "install")
        host.wait_for("host1.json: embedded in the medium", INSTALL_SECONDS, never=f"{FAILED}|{BOOT_PROBLEMS}")
        host.wait_for(FINISHED, INSTALL_SECONDS, never=f"{FAILED}|{BOOT_PROBLEMS}")
        expect(host.wait_stopped(120).reason == "guest-reset", "it should have reset after its installation")
    with stage.step("log in with the embedded key"):
        host = boot(stage, target.machine())
        keys = host.ssh("cat /root/.ssh/authorized_keys")
        expect(public_key() in keys, "the embedded ssh key is not root's")


def _verify(stage: Stage, machine: Machine, name: str) -> Host:
    """Choose the menu's entry that verifies the medium."""
    return choose(stage, machine, "t", name)


def _restart(host: Host) -> None:
    host.wait_for("press Enter to restart the machine", 60)
    host.serial.send("\n")
    expect(host.wait_stopped(60).reason == "guest-reset", "Enter did not restart the machine")


def _check(host: Host) -> None:
    # OVMF has no compatibility module: what it starts was started as UEFI, whether or not Xen lets dom0 see that.
    if host.machine.firmware is Firmware.BIOS:
        host.ssh("test ! -d /sys/firmware/efi")
    check_host(host)

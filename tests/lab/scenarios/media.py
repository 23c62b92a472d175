"""From the medium to a running host, under each firmware."""

from __future__ import annotations

from tests.lab import disks
from tests.lab.answers import TARGET
from tests.lab.checks import check_host
from tests.lab.golden import golden, make_golden
from tests.lab.host import Host
from tests.lab.install import Target, boot
from tests.lab.machine import Disk, Firmware
from tests.lab.scenario import scenario
from tests.lab.stage import Stage


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


def _check(host: Host) -> None:
    # OVMF has no compatibility module: what it starts was started as UEFI, whether or not Xen lets dom0 see that.
    if host.machine.firmware is Firmware.BIOS:
        host.ssh("test ! -d /sys/firmware/efi")
    check_host(host)

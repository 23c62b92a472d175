"""Other disks in the machine."""

from __future__ import annotations

from dataclasses import replace

from tests.lab.checks import check_host
from tests.lab.golden import booted_copy, golden, installed_copy
from tests.lab.install import boot
from tests.lab.machine import Disk, Firmware
from tests.lab.scenario import scenario
from tests.lab.stage import Stage
from tests.lab.tools import tools


@scenario(minutes=6, after=("iso-bios", "iso-uefi"))
def old_disk(stage: Stage) -> None:
    """A second disk with an older installation changes nothing, though it stands before the host's own."""
    for mine, other in ((Firmware.BIOS, Firmware.UEFI), (Firmware.UEFI, Firmware.BIOS)):
        with stage.step(f"under {mine}"):
            machine = booted_copy(stage, golden(stage, mine), f"mine-{mine}").machine()
            older = golden(stage, other)
            path = installed_copy(stage, older, f"old-{mine}").disk.path
            machine = replace(machine, disks=(Disk(path, "older", "qcow2"), *machine.disks))
            host = boot(stage, machine, name=f"beside-{mine}", first=False)
            check_host(host)
            host.ssh("sync")
            host.kill()
            # Equal content, cluster by cluster; it fails when anything was written.
            tools().run("qemu-img", "compare", "-f", "qcow2", "-F", "raw", path, older.installed)

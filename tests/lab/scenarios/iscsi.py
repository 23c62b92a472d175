"""A disk over iSCSI that the firmware starts from: installed on, started from, outliving a restart of its target."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.lab import disks
from tests.lab.answers import TARGET, answer
from tests.lab.checks import check_host
from tests.lab.host import Host
from tests.lab.install import (
    BOOT_PROBLEMS,
    DISK_SIZE,
    FAILED,
    FINISHED,
    INSTALL_SECONDS,
    Target,
    boot,
    installer_machine,
    new_target,
    start_installer,
)
from tests.lab.machine import SAN_MAC, SAN_SERVER, Disk, Firmware, Machine, San
from tests.lab.medium import extract
from tests.lab.needs import prepare
from tests.lab.ports import free_ports
from tests.lab.process import Child
from tests.lab.scenario import scenario
from tests.lab.stage import Stage, expect
from zeroth.system.files import atomic_write
from zeroth.system.run import run
from zeroth.system.size import MIB, Size

IQN = "iqn.2001-04.test.zeroth:lab"
_IPXE = "/usr/lib/ipxe/ipxe.efi"
USER, SECRET = "lab", "lab-chap-secret-44"
# What a card's own firmware does: take the disk, start from it, and keep it for who comes next when it does not start.
_SCRIPT = """#!ipxe
set keep-san 1
set username {user}
set password {secret}
sanboot --drive 0x80 iscsi:{server}:::1:{iqn} || {otherwise}
"""
# UEFI's boot devices are programs' own: what is to see the disk has to be started by the iPXE that has it.
_MEDIUM = "BOOTX64.EFI"
_OTHERWISE = {Firmware.BIOS: "exit 1", Firmware.UEFI: f"chain {_MEDIUM}"}


@dataclass
class _Target:
    """A target with one disk, in a program of its own."""

    folder: Path
    port: int
    child: Child | None = None

    @property
    def _control(self) -> str:
        """Tells this program from others to tgtadm."""
        return str(self.port % 10000)

    def start(self) -> None:
        self.child = Child(["tgtd", "-f", "-C", self._control, "--iscsi", f"portal=127.0.0.1:{self.port}"],
                           self.folder / "tgtd.log")  # fmt: skip
        self._say("--op", "show", "--mode", "system")
        self._say("--op", "new", "--mode", "target", "--tid", "1", "-T", IQN)
        self._say("--op", "new", "--mode", "logicalunit", "--tid", "1", "--lun", "1", "-b",
                  os.fspath(self.folder / "san.raw"))  # fmt: skip
        self._say("--op", "update", "--mode", "logicalunit", "--tid", "1", "--lun", "1", "--params",
                  f"vendor_id=ZEROTH,product_id=LAB,scsi_sn={TARGET}")  # fmt: skip
        self._say("--op", "bind", "--mode", "target", "--tid", "1", "-I", "ALL")
        self._say("--op", "new", "--mode", "account", "--user", USER, "--password", SECRET)
        self._say("--op", "bind", "--mode", "account", "--tid", "1", "--user", USER)

    def stop(self) -> None:
        if self.child is not None:
            self.child.end(0)

    def _say(self, *words: str) -> None:
        end = time.monotonic() + 30
        while (done := run(["tgtadm", "-C", self._control, "--lld", "iscsi", *words], ok=range(256))).status:
            # The program takes a moment to listen.
            expect(time.monotonic() < end, f"tgtadm {' '.join(words)}: {done.stderr}")
            time.sleep(0.2)


@contextmanager
def _target(folder: Path) -> Iterator[_Target]:
    prepare({"tgtd": "tgt"})
    disks.blank(folder / "san.raw", DISK_SIZE)
    found = _Target(folder, free_ports(1)[0])
    try:
        found.start()
        yield found
    finally:
        found.stop()


@scenario(minutes=15)
def iscsi(stage: Stage) -> None:
    """A host on a disk over iSCSI that a BIOS starts from; its target is restarted under it."""
    _play(stage, Firmware.BIOS)


@scenario(minutes=15)
def iscsi_uefi(stage: Stage) -> None:
    """A host on a disk over iSCSI that UEFI starts from; its target is restarted under it."""
    _play(stage, Firmware.UEFI)


def _play(stage: Stage, firmware: Firmware) -> None:
    tftp = stage.folder / "tftp"
    tftp.mkdir()
    server, otherwise = SAN_SERVER.split(":")[0], _OTHERWISE[firmware]
    script = _SCRIPT.format(user=USER, secret=SECRET, server=server, iqn=IQN, otherwise=otherwise)
    atomic_write(tftp / "san.ipxe", script)
    (tftp / "san.ipxe").chmod(0o644)
    extract(f"/EFI/BOOT/{_MEDIUM}", tftp)
    with _target(stage.folder) as target:
        bios = firmware is Firmware.BIOS
        san = San(tftp, "san.ipxe", target.port, rom=bios)
        loader = () if bios else (_loader(stage.folder / "ipxe.raw"),)
        machine = new_target(stage, firmware)
        chosen = answer(disk={"select": "transport=iscsi", "wipe": True})
        with stage.step("the card of the disk is no management card"):
            wrong = answer(disk={"select": "transport=iscsi", "wipe": True}, management={"nic": SAN_MAC})
            host = start_installer(stage, _with_san(stage, machine, wrong, san, loader))
            host.wait_for(f"reached over iSCSI through .*{SAN_MAC}", INSTALL_SECONDS, never=FINISHED)
            host.kill()
        with stage.step("install"):
            host = start_installer(stage, _with_san(stage, machine, chosen, san, loader))
            host.wait_for(f"logged in to {IQN}", INSTALL_SECONDS, never=BOOT_PROBLEMS)
            host.wait_for(FINISHED, INSTALL_SECONDS, never=f"{FAILED}|{BOOT_PROBLEMS}")
            host.wait_stopped(120)
            host.kill()
        with stage.step("first boot"):
            host = boot(stage, replace(machine.machine(san=san), disks=loader))
            check_host(host)
            _check(host)
        with stage.step("the target is restarted"):
            target.stop()
            time.sleep(5)
            target.start()
            host.ssh("dd if=/dev/urandom of=/var/log/lost bs=1M count=8 conv=fsync && sha256sum /var/log/lost "
                     "> /var/log/lost.sum && sync && echo 3 > /proc/sys/vm/drop_caches && "
                     "sha256sum --quiet --check /var/log/lost.sum", seconds=300)  # fmt: skip
            _check(host)
        with stage.step("restart"):
            host.ssh_full("systemctl reboot", ok=(0, 255))
            host.wait_stopped(300)
            host.kill()
            host = boot(stage, replace(machine.machine(san=san), disks=loader), name="again", first=False)
            host.ssh("sha256sum --quiet --check /var/log/lost.sum", seconds=300)
            _check(host)
            host.kill()


def _loader(path: Path) -> Disk:
    """iPXE on a small disk that UEFI starts first: OVMF does not run the one on the card.

    Without more said, it asks the cards in turn for what to run, and the storage network alone has something.
    """
    prepare({_IPXE: "ipxe"})
    disks.fat_data(disks.blank(path, Size(512 * MIB)), "EFI/BOOT/BOOTX64.EFI", Path(_IPXE).read_bytes())
    return Disk(path, "ipxe", boot=0)


def _with_san(
    stage: Stage, target: Target, files: dict[str, str], san: San, loader: tuple[Disk, ...]
) -> Machine:  # fmt: skip
    machine = installer_machine(stage, target, files)
    volume = machine.disks[1]
    return replace(machine, disks=(*loader, volume), san=san, cd_boot=1)


def _check(host: Host) -> None:
    """The host lies on that disk, its session is cared for, and the card of the disk has its address still."""
    below = host.ssh("dmsetup deps -o blkdevname zeroth-root")
    disk = host.ssh("lsblk -dno NAME,TRAN | awk '$2 == \"iscsi\" { print $1 }'").strip()
    expect(disk and f"({disk}3)" in below, f"the root image lies on {below}, not on {disk!r}")
    expect(host.ssh("systemctl is-active iscsid").strip() == "active", "nobody cares for the session")
    said = host.ssh("iscsiadm -m session -P 1")
    expect(IQN in said and "LOGGED IN" in said, f"the session: {said}")
    card = host.ssh(f"grep -l {SAN_MAC} /sys/class/net/*/address").split("/")[4]
    expect("10.0.3." in host.ssh(f"ip -4 addr show dev {card}"), f"{card} has lost its address")
    expect("10.0.3." not in host.ssh("ip route show default"), "the default route goes through the disk's card")
    expect("unmanaged" in host.ssh(f"networkctl --no-pager status {card}"), f"{card} is managed")
    for place in ("/proc/cmdline", "/run/zeroth", "/var/log", "/etc"):
        expect(
            not host.ssh(f"grep -rlaF {SECRET} {place} 2>/dev/null", ok=(0, 1, 2)).strip(), f"{place} tells the secret"
        )

"""Every firmware with every kind of disk and network, from the medium to a running host: one scenario each.

``matrix-bios-small-vlan`` and so on. The plainest, an ordinary disk with DHCP, are ``iso-bios`` and ``iso-uefi``.
A bond is tried by the installer (``network-bond``) and refused by it so far, so that it is in no cell.
"""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import dataclass, replace

from tests.lab.answers import answer
from tests.lab.checks import check_host
from tests.lab.host import Host
from tests.lab.install import (
    BOOT_PROBLEMS,
    DISK_SIZE,
    FAILED,
    FINISHED,
    INSTALL_SECONDS,
    boot,
    installer_machine,
    new_target,
)
from tests.lab.machine import Firmware
from tests.lab.scenario import scenario
from tests.lab.scenarios.network import FIRST, STATIC, VLAN
from tests.lab.stage import Stage, expect
from tests.lab.switch import switch
from zeroth.system.size import GIB, Size

_KINDS = {"single": (DISK_SIZE, "virtio", 512), "small": (Size(16 * GIB), "virtio", 512),
          "nvme": (DISK_SIZE, "nvme", 512), "4kn": (DISK_SIZE, "virtio", 4096)}  # fmt: skip
_NETS = ("dhcp", "vlan")


@dataclass(frozen=True)
class Cell:
    """One combination.

    :ivar disk: a key of the kinds above; :ivar net: ``dhcp``, or ``vlan`` for a fixed address on a tagged network.
    """

    firmware: Firmware
    disk: str
    net: str

    @property
    def possible(self) -> bool:
        """BIOS starts no 4Kn disk; the plainest cells are scenarios of their own."""
        return (self.disk, self.net) != ("single", "dhcp") and (self.firmware, self.disk) != (Firmware.BIOS, "4kn")

    def __str__(self) -> str:
        net = "a fixed address on a VLAN" if self.net == "vlan" else "DHCP"
        return f"Installs under {self.firmware} on a disk that is {self.disk}, with {net}, and boots into Xen."


CELLS = tuple(
    cell for firmware in Firmware for disk in _KINDS for net in _NETS if (cell := Cell(firmware, disk, net)).possible
)


def play(stage: Stage, cell: Cell) -> None:
    """Install, start, look."""
    size, bus, sector = _KINDS[cell.disk]
    target = new_target(stage, cell.firmware, size=size)
    target = replace(target, disk=replace(target.disk, bus=bus, sector=sector))
    tagged = cell.net == "vlan"
    management = {"vlan": VLAN, "address": STATIC} if tagged else {}
    with switch([FIRST], tag=VLAN) if tagged else nullcontext() as net:
        machine = replace(installer_machine(stage, target, answer(management=management)), switch=net)
        host = stage.start(machine, "install")
        # Shut in, QEMU's network names no router by DHCP.
        words = r"gateway: 10\.0\.2\.2 answers" if tagged else r"DHCP: 10\.0\.2\.15/24 from 10\.0\.2\.2"
        stage.log(host.wait_for(words, INSTALL_SECONDS, never=FAILED))
        host.wait_for(FINISHED, INSTALL_SECONDS, never=f"{FAILED}|{BOOT_PROBLEMS}")
        expect(host.wait_stopped(120).reason == "guest-reset", "it should have reset after its installation")
        host.kill()
        check(boot(stage, target.machine(switch=net)), cell)


def check(host: Host, cell: Cell) -> None:
    """What every host is, and what this one is besides."""
    check_host(host)
    wanted = _KINDS[cell.disk][2]
    own = json.loads(host.ssh("lsblk --json --nodeps --output NAME,SERIAL,LOG-SEC"))["blockdevices"]
    expect(any(disk["log-sec"] == wanted for disk in own), f"no disk has sectors of {wanted} bytes: {own}")
    if cell.net == "vlan":
        holder = json.loads(host.ssh("ip -json -4 address show dev mgmt0"))[0]["addr_info"][0]["local"]
        expect(STATIC["address"].startswith(f"{holder}/"), f"mgmt0 has {holder}")
        expect(host.ssh("ovs-vsctl get port mgmt0 tag").strip() == str(VLAN), "mgmt0 is not in its VLAN")


def _declare(cell: Cell) -> None:
    def one(stage: Stage) -> None:
        play(stage, cell)

    one.__name__ = f"matrix_{cell.firmware}_{cell.disk}_{cell.net}"
    one.__doc__ = str(cell)
    scenario(minutes=9)(one)


for _cell in CELLS:
    _declare(_cell)

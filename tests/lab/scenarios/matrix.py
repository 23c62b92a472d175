"""Both firmwares with every kind of disk and network, from the medium to a running host: one scenario each.

``matrix-bios-small-vlan`` and so on, in all combinations but those that other scenarios are: ``iso-bios`` and
``iso-uefi`` (an ordinary disk, DHCP), ``mirror`` and ``mirror-uefi`` (two disks, DHCP). BIOS starts from no 4Kn disk.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import product

from tests.lab import disks
from tests.lab.answers import TARGET, answer
from tests.lab.checks import check_host, check_running
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
from tests.lab.machine import Disk, Firmware
from tests.lab.pair import MIRROR, check_mirror
from tests.lab.pair import SECOND as SECOND_DISK
from tests.lab.pair import SIZE as PAIR_SIZE
from tests.lab.scenario import scenario
from tests.lab.scenarios.network import FIRST, SECOND, STATIC, VLAN
from tests.lab.stage import Stage, expect
from tests.lab.switch import Switch, switch
from zeroth.system.size import GIB, Size

__all__ = ["CELLS", "KINDS", "NETS", "Cell"]

KINDS = {"single": (DISK_SIZE, "virtio", 512), "small": (Size(16 * GIB), "virtio", 512),
         "nvme": (DISK_SIZE, "nvme", 512), "4kn": (DISK_SIZE, "virtio", 4096),
         "mirror": (PAIR_SIZE, "virtio", 512)}  # fmt: skip
"""Size, bus and sector of each kind of disk."""
NETS = {"dhcp": "DHCP", "vlan": "a fixed address on a VLAN", "bond": "a bond of two cards"}
# Each mode of a bond is met; the two with LACP are tagged, and have an MTU of their own.
_MODES = {
    "single": "active-backup", "small": "balance-slb", "nvme": "lacp", "4kn": "lacp", "mirror": "active-backup",
}  # fmt: skip
_MTU = 1400


@dataclass(frozen=True)
class Cell:
    """One combination.

    :ivar disk: a key of the kinds above; :ivar net: one of the networks.
    """

    firmware: Firmware
    disk: str
    net: str

    @property
    def lacp(self) -> bool:
        """Whether the switch speaks it."""
        return self.net == "bond" and _MODES[self.disk] == "lacp"

    @property
    def tag(self) -> int | None:
        """The VLAN that its network is in."""
        return VLAN if self.net == "vlan" or self.lacp else None

    @property
    def management(self) -> Mapping[str, object]:
        """The answer's words for its network."""
        said: dict[str, object] = {"vlan": self.tag} if self.tag else {}
        if self.net == "vlan":
            said["address"] = STATIC
        if self.net == "bond":
            said["bond"] = {"mode": _MODES[self.disk], "nics": [SECOND, FIRST]}
        if self.lacp:
            said["mtu"] = _MTU
        return said

    def __str__(self) -> str:
        words = f"Installs under {self.firmware} on a disk that is {self.disk}, with {NETS[self.net]}"
        return f"{words}, and boots into Xen."


CELLS = tuple(
    Cell(firmware, disk, net)
    for firmware in Firmware
    for disk, net in product(KINDS, NETS)
    if (firmware, disk) != (Firmware.BIOS, "4kn") and not (net == "dhcp" and disk in ("single", "mirror"))
)


def play(stage: Stage, cell: Cell) -> None:
    """Install, start, look."""
    size, bus, sector = KINDS[cell.disk]
    target = new_target(stage, cell.firmware, size=size)
    target = replace(target, disk=replace(target.disk, bus=bus, sector=sector))
    cards = [FIRST, SECOND] if cell.net == "bond" else [FIRST]
    with nullcontext() if cell.net == "dhcp" else switch(cards, tag=cell.tag, lacp=cell.lacp) as net:
        other = _other_disk(stage, cell)
        files = answer(management=cell.management, **(MIRROR if other else {}))
        machine = replace(installer_machine(stage, target, files, extra=other), switch=net)
        host = stage.start(machine, "install")
        # Shut in, QEMU's network names no router by DHCP.
        fixed = cell.net == "vlan"
        words = r"gateway: 10\.0\.2\.2 answers" if fixed else r"DHCP: 10\.0\.2\.15/24 from 10\.0\.2\.2"
        stage.log(host.wait_for(words, INSTALL_SECONDS, never=FAILED))
        host.wait_for(FINISHED, INSTALL_SECONDS, never=f"{FAILED}|{BOOT_PROBLEMS}")
        expect(host.wait_stopped(120).reason == "guest-reset", "it should have reset after its installation")
        host.kill()
        host = boot(stage, replace(target.machine(switch=net), disks=(target.disk, *other)))
        check(host, cell)
        if net is not None and cell.net == "bond":
            check_bond(host, cell, net)


def _other_disk(stage: Stage, cell: Cell) -> tuple[Disk, ...]:
    if cell.disk != "mirror":
        return ()
    return (Disk(disks.blank(stage.folder / "second.raw", PAIR_SIZE), SECOND_DISK, boot=6),)


def check(host: Host, cell: Cell) -> None:
    """What every host is, and what this one is besides."""
    if cell.disk == "mirror":
        check_mirror(host, TARGET, SECOND_DISK)
        check_running(host)
    else:
        check_host(host)
    wanted = KINDS[cell.disk][2]
    own = json.loads(host.ssh("lsblk --json --nodeps --output NAME,SERIAL,LOG-SEC"))["blockdevices"]
    expect(any(disk["log-sec"] == wanted for disk in own), f"no disk has sectors of {wanted} bytes: {own}")
    if cell.tag:
        expect(host.ssh("ovs-vsctl get port mgmt0 tag").strip() == str(cell.tag), "mgmt0 is not in its VLAN")
    if cell.net == "vlan":
        holder = json.loads(host.ssh("ip -json -4 address show dev mgmt0"))[0]["addr_info"][0]["local"]
        expect(STATIC["address"].startswith(f"{holder}/"), f"mgmt0 has {holder}")


def check_bond(host: Host, cell: Cell, net: Switch) -> None:
    """Both cards are in the bond, as the answer says; the host outlives the loss of each."""
    mode = "balance-tcp" if cell.lacp else _MODES[cell.disk]
    links = {link["address"]: link for link in json.loads(host.ssh("ip -json link show"))
             if link["ifname"] not in ("xenbr0", "mgmt0")}  # fmt: skip
    members = host.ssh("ovs-vsctl get port bond0 bond_mode -- list-ifaces xenbr0").split()
    expect(members[0] == mode, f"the bond's mode is {members[0]}, not {mode}")
    expect({links[mac]["ifname"] for mac in (FIRST, SECOND)} <= set(members[1:]), f"the bridge has {members[1:]}")
    bridge = json.loads(host.ssh("ip -json link show dev xenbr0"))[0]
    expect(bridge["address"] == SECOND, f"the host has the address {bridge['address']}, not its first card's")
    shown = host.ssh("ovs-appctl bond/show bond0")
    expect(shown.count(": enabled") == 2, f"not both cards work:\n{shown}")
    if cell.lacp:
        shown = host.ssh("ovs-appctl lacp/show bond0")
        expect(shown.count("current attached") == 2, f"LACP does not stand:\n{shown}")
        mtus = {links[mac]["mtu"] for mac in (FIRST, SECOND)} | {bridge["mtu"]}
        expect(mtus == {_MTU}, f"cards and bridge have an MTU of {mtus}")
    # The one that works now is lost, whichever it is.
    active = json.loads(host.ssh("ovs-vsctl get port bond0 bond_active_slave") or '""')
    number = 1 if active == SECOND else 0
    net.unplug(number)
    host.qmp.execute("set_link", name=f"card{number}", up=False)
    shown = host.ssh("ovs-appctl bond/show bond0")
    expect(shown.count(": enabled") == 1, f"a card without a link still works:\n{shown}")


def _declare(cell: Cell) -> None:
    def one(stage: Stage) -> None:
        play(stage, cell)

    one.__name__ = f"matrix_{cell.firmware}_{cell.disk}_{cell.net}"
    one.__doc__ = str(cell)
    scenario(minutes=10)(one)


for _cell in CELLS:
    _declare(_cell)

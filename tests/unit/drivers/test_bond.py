"""Bonds of Open vSwitch, on real links with a real switch at the other end."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from tests.unit.drivers import ovs
from tests.unit.drivers.netns import Far, cabled, needs_namespaces, own_namespace
from zeroth.drivers.network.model import ChangeSwitch, Link, Observed
from zeroth.drivers.network.ovsdb import Ovsdb
from zeroth.drivers.network.planner import desired_state, plan
from zeroth.drivers.network.wire import who_has
from zeroth.spec.model import BondMode, BondSpec, ManagementNetwork

pytestmark = [needs_namespaces, pytest.mark.skipif(bool(ovs.missing()), reason=ovs.missing())]

OWN, GATEWAY = "192.0.2.10/24", IPv4Address("192.0.2.1")
MANY = 40.0  # seconds; every wait ends as soon as what it waits for is so


@dataclass
class Pair:
    """Two switches, with two cables between them: eth0 and eth1 here, far-eth0 and far-eth1 there."""

    near: ovs.Switch
    there: ovs.Switch
    far: Far

    def management(self, wish: ManagementNetwork) -> str:
        """Make the host's network as first boot does; returns the link that the address is on."""
        database = Ovsdb(self.near.socket)
        names = ("eth0", "eth1") if wish.bond else ("eth0",)
        nics = [Link(name, _link(name)["address"], physical=True) for name in names]
        wanted = desired_state(wish, nics)
        for change in self._changes(wish, nics):
            database.change(change.changes)
        assert self._changes(wish, nics) == [], "what was done is found to be so"
        assert set(database.read()[0].ports) == set(wanted.bridges[0].ports)
        device = "mgmt0" if wish.vlan else wish.bridge
        subprocess.run(["ip", "address", "replace", OWN, "dev", device], check=True)
        subprocess.run(["ip", "link", "set", device, "up"], check=True)
        return device

    def _changes(self, wish: ManagementNetwork, nics: list[Link]) -> list[ChangeSwitch]:
        observed = Observed(tuple(nics), Ovsdb(self.near.socket).read())
        return [action for action in plan(observed, desired_state(wish, nics)) if isinstance(action, ChangeSwitch)]

    def switch(self, *, lacp: bool, tag: int = 0) -> None:
        """The other side: one group of its ports by LACP, or two plain ports."""
        self.there.vsctl("add-br", "lan", "--", "set", "bridge", "lan", "datapath_type=netdev")
        if lacp:
            self.there.vsctl(
                "add-bond", "lan", "trunk", "far-eth0", "far-eth1", "lacp=active", "other_config:lacp-time=fast"
            )
        else:
            self.there.vsctl("add-port", "lan", "far-eth0", "--", "add-port", "lan", "far-eth1")
        if tag:
            self.there.vsctl("set", "port", "lan", f"tag={tag}")
        self.far.run("ip", "address", "add", f"{GATEWAY}/24", "dev", "lan")
        self.far.run("ip", "link", "set", "lan", "up")

    def answers(self, device: str) -> bool:
        return bool(who_has(device, _link(device)["address"], GATEWAY, pauses=(0.5,)))

    def lacp(self) -> str:
        return self.near.appctl("lacp/show", "bond0")


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with own_namespace(), cabled("eth0", "eth1") as far, ExitStack() as running:
        switches = []
        for name, prefix in (("near", ()), ("far", far.argv())):
            folder = tmp_path / name
            folder.mkdir()
            switches.append(running.enter_context(ovs.running(folder, daemon=True, real=True, prefix=prefix)))
        # Without a kernel's datapath, which test machines may lack; first boot leaves the type as it is.
        switches[0].vsctl("add-br", "xenbr0", "--", "set", "bridge", "xenbr0", "datapath_type=netdev")
        yield Pair(switches[0], switches[1], far)


def _link(name: str) -> dict[str, Any]:
    shown = subprocess.run(["ip", "-j", "link", "show", "dev", name], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(shown.stdout)[0]
    return found


def _soon(so: Callable[[], bool]) -> bool:
    until = time.monotonic() + MANY
    while not so():
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
    return True


@pytest.mark.parametrize("mode", BondMode)
def test_a_bond_works_and_outlives_a_cable(pair: Pair, mode: BondMode) -> None:
    pair.switch(lacp=mode is BondMode.LACP, tag=20)
    bond = BondSpec(mode=mode, nics=("eth0", "eth1"))
    device = pair.management(ManagementNetwork(bond=bond, vlan=20, mtu=3000))
    assert device == "mgmt0"
    assert _soon(lambda: pair.answers(device))
    if mode is BondMode.LACP:
        assert _soon(lambda: "status: active negotiated" in pair.lacp()), pair.lacp()
        assert _soon(lambda: pair.lacp().count("current attached") == 2), pair.lacp()
    assert {name: _link(name)["mtu"] for name in ("eth0", "eth1", "xenbr0", "mgmt0")} == dict.fromkeys(
        ("eth0", "eth1", "xenbr0", "mgmt0"), 3000
    )
    assert _link("mgmt0")["address"] == _link("xenbr0")["address"] == _link("eth0")["address"]
    for cut, left in (("far-eth0", "far-eth1"), ("far-eth1", "far-eth0")):
        pair.far.run("ip", "link", "set", left, "up")
        assert _soon(lambda: pair.answers(device))
        pair.far.run("ip", "link", "set", cut, "down")
        assert _soon(lambda: pair.answers(device)), pair.near.appctl("bond/show", "bond0")


@pytest.mark.parametrize("fallback", [True, False])
def test_lacp_that_nobody_answers(pair: Pair, fallback: bool) -> None:
    pair.switch(lacp=False)
    bond = BondSpec(mode=BondMode.LACP, nics=("eth0", "eth1"), fallback=fallback)
    device = pair.management(ManagementNetwork(bond=bond))
    if fallback:
        assert _soon(lambda: pair.answers(device)), pair.near.appctl("bond/show", "bond0")
    else:
        assert _soon(lambda: "may_enable: false" in pair.near.appctl("bond/show", "bond0"))
        assert not pair.answers(device)
    assert "current attached" not in pair.lacp()


def test_a_bond_changes_its_mode_and_becomes_one_card_again(pair: Pair) -> None:
    pair.switch(lacp=False)
    nics = ("eth0", "eth1")
    for bond in (BondSpec(nics=nics), BondSpec(mode=BondMode.BALANCE_SLB, nics=nics),
                 BondSpec(mode=BondMode.LACP, nics=nics), None, BondSpec(nics=nics)):  # fmt: skip
        assert pair.management(ManagementNetwork(bond=bond)) == "xenbr0"
        assert _soon(lambda: pair.answers("xenbr0")), bond

"""A network put up, asked and taken down: on real links, with real servers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Any

import pytest

from tests.unit.drivers.netns import Far, cabled, has_kind, needs_dnsmasq, needs_namespaces, own_namespace
from zeroth.drivers.network.trial import (
    Uplink,
    Way,
    addresses_kept,
    bond_in,
    bond_state,
    link_state,
    resolvers,
    trial_device,
)
from zeroth.drivers.network.wire import ask_dhcp, take_lease, who_has
from zeroth.errors import UserError
from zeroth.spec.model import BondMode, BondSpec

GATEWAY = IPv4Address("192.0.2.1")
PAUSES = (2.0, 2.0, 2.0)


@pytest.fixture
def far() -> Iterator[Far]:
    with own_namespace(), cabled("eth0") as other:
        yield other


@pytest.fixture
def served(far: Far, tmp_path: Path) -> Far:
    far.run("ip", "address", "add", f"{GATEWAY}/24", "dev", "far-eth0")
    far.dnsmasq(tmp_path, "far-eth0", "--dhcp-range=192.0.2.100,192.0.2.110,255.255.255.0", "--dhcp-authoritative")
    return far


def _shown(*words: str) -> Any:  # noqa: ANN401 - JSON
    return json.loads(subprocess.run(["ip", "-j", *words], check=True, capture_output=True, text=True).stdout)


def _state() -> Any:  # noqa: ANN401 - JSON
    """Everything that a trial could leave behind; what the kernel does for IPv6 by itself is left out."""
    links = [(link["ifname"], link["flags"]) for link in _shown("link", "show")]
    addresses = [link["addr_info"] for link in _shown("-4", "address", "show")]
    return links, addresses, _shown("-4", "rule", "show"), _shown("-4", "route", "show", "table", "all")


@needs_namespaces
@needs_dnsmasq
def test_an_address_by_dhcp(served: Far) -> None:
    mac = link_state("eth0").mac
    offers = ask_dhcp("eth0", mac, PAUSES)
    assert [offer.server for offer in offers] == [GATEWAY]
    lease = take_lease("eth0", mac, offers[0])
    assert lease == offers[0]
    assert lease.address.network == IPv4Interface("192.0.2.0/24").network
    assert lease.routers == (GATEWAY,)
    assert ask_dhcp("eth0", mac, PAUSES)[0].address == lease.address, "the same client gets the same address"
    far_mac = who_has("eth0", mac, GATEWAY, lease.address.ip)
    assert len(far_mac) == 1
    assert who_has("eth0", mac, GATEWAY) == far_mac, "it answers one without an address, too"


@needs_namespaces
@needs_dnsmasq
def test_two_servers(served: Far, tmp_path: Path) -> None:
    # A second one on the same wire, by a device of its own.
    served.run("ip", "link", "add", "second", "link", "far-eth0", "type", "macvlan", "mode", "bridge")
    served.run("ip", "link", "set", "second", "up")
    served.run("ip", "address", "add", "198.51.100.1/24", "dev", "second")
    served.dnsmasq(tmp_path, "second", "--dhcp-range=198.51.100.50,198.51.100.60,255.255.255.0", "--port=0")
    for _ in range(10):
        # The servers take a moment to start.
        heard = {offer.server for offer in ask_dhcp("eth0", link_state("eth0").mac, PAUSES)}
        if len(heard) == 2:
            break
    assert heard == {GATEWAY, IPv4Address("198.51.100.1")}


@needs_namespaces
def test_nobody_answers(far: Far) -> None:
    mac = link_state("eth0").mac
    assert ask_dhcp("eth0", mac, (0.5, 0.5)) == ()
    assert who_has("eth0", mac, GATEWAY, pauses=(0.2, 0.2)) == ()


@needs_namespaces
@needs_dnsmasq
def test_name_servers(served: Far) -> None:
    before = _state()
    silent = IPv4Address("192.0.2.77")
    with trial_device(Uplink(("eth0",))) as device:
        assert resolvers(device, Way(IPv4Interface("192.0.2.10/24"), GATEWAY), [GATEWAY, silent]) == (GATEWAY,)
    assert _state() == before


@needs_namespaces
@needs_dnsmasq
def test_what_uses_the_link_goes_on(served: Far) -> None:
    """The way to the network stays, also where the trial's gateway is another one."""
    subprocess.run(["ip", "address", "add", "192.0.2.20/24", "dev", "eth0"], check=True)
    subprocess.run(["ip", "route", "add", "default", "via", "192.0.2.1"], check=True)
    before = _state()
    wrong = IPv4Address("192.0.2.250")
    assert resolvers("eth0", Way(IPv4Interface("192.0.2.10/24"), wrong), [GATEWAY]) == (GATEWAY,), (
        "it is on this network"
    )
    assert _state() == before


@needs_namespaces
def test_no_link(far: Far) -> None:
    far.run("ip", "link", "set", "far-eth0", "down")
    assert not link_state("eth0", 0.3).carrier
    with pytest.raises(UserError, match="nowhere"):
        link_state("nowhere", 0)
    with pytest.raises(UserError, match="nowhere cannot be spoken on"):
        who_has("nowhere", "52:54:00:00:00:01", GATEWAY)


@needs_namespaces
def test_a_vlan(far: Far, tmp_path: Path) -> None:
    if not has_kind("vlan", "link", "lo"):
        pytest.skip("this kernel has no VLAN devices")
    far.run("ip", "link", "add", "tagged", "link", "far-eth0", "type", "vlan", "id", "20")
    far.run("ip", "link", "set", "tagged", "up")
    far.run("ip", "address", "add", f"{GATEWAY}/24", "dev", "tagged")
    before = _state()
    for vlan, answers in ((20, 1), (21, 0)):
        with trial_device(Uplink(("eth0",), vlan=vlan)) as device:
            assert link_state(device).carrier
            assert len(who_has(device, link_state(device).mac, GATEWAY)) == answers
    assert _state() == before


@needs_namespaces
@pytest.mark.parametrize("mode", BondMode)
def test_a_bond(far: Far, tmp_path: Path, mode: BondMode) -> None:
    if not has_kind("bond"):
        pytest.skip("this kernel has no bonds")
    with cabled("eth1"):
        before = _state()
        bond = BondSpec(mode=mode, nics=("eth0", "eth1"))
        with trial_device(Uplink(("eth0", "eth1"), bond), tmp_path / "alone.network") as device:
            assert link_state(device).carrier
            if mode is BondMode.LACP:
                assert bond_state(["eth0", "eth1"], 3).partner == ""
        assert link_state("eth0").carrier
        assert link_state("eth1").carrier
        assert _state() == before


@needs_namespaces
def test_a_card_gets_its_addresses_back(far: Far) -> None:
    for words in (
        ["address", "add", "192.0.2.20/24", "dev", "eth0"],
        ["route", "add", "198.51.100.1", "dev", "eth0"],
        ["route", "add", "default", "via", "198.51.100.1", "dev", "eth0"],
    ):
        subprocess.run(["ip", *words], check=True)
    before = _state()
    with addresses_kept("eth0"):
        subprocess.run(["ip", "address", "flush", "dev", "eth0"], check=True)
        subprocess.run(["ip", "link", "set", "eth0", "down"], check=True)
        subprocess.run(["ip", "link", "set", "eth0", "up"], check=True)
        assert _shown("-4", "route", "show", "dev", "eth0") == []
    assert link_state("eth0").carrier
    assert _state() == before


@needs_namespaces
def test_what_cannot_be_put_up_is_taken_down(far: Far, tmp_path: Path) -> None:
    """In the middle of it the kernel refuses; nothing stays."""
    before = _state()
    bond = BondSpec(nics=("eth0", "nowhere"))
    with pytest.raises(UserError), trial_device(Uplink(("eth0", "nowhere"), bond, 20), tmp_path / "alone.network"):
        pass
    with pytest.raises(UserError), trial_device(Uplink(("nowhere",), vlan=20)):
        pass
    assert _state() == before
    assert not (tmp_path / "alone.network").exists()


def test_how_lacp_stands() -> None:
    def member(aggregate: int, *flags: str) -> dict[str, Any]:
        return {"flags": flags, "linkinfo": {"info_slave_kind": "bond",
                "info_slave_data": {"ad_aggregator_id": aggregate}}}  # fmt: skip

    def bond(partner: str) -> dict[str, Any]:
        return {"linkinfo": {"info_data": {"mode": "802.3ad", "ad_info": {"aggregator": 1, "partner_mac": partner}}}}

    both = {"eth0": member(1, "LOWER_UP"), "eth1": member(1, "LOWER_UP")}
    assert bond_in(bond("00:00:00:00:00:00"), both).partner == ""
    assert bond_in({}, both).apart == ("eth0", "eth1")
    state = bond_in(bond("02:00:00:00:00:01"), both)
    assert (state.partner, state.active, state.apart) == ("02:00:00:00:00:01", ("eth0", "eth1"), ())
    apart = bond_in(bond("02:00:00:00:00:01"), {**both, "eth1": member(2, "LOWER_UP"), "eth2": member(1)})
    assert (apart.active, apart.apart) == (("eth0",), ("eth1", "eth2"))

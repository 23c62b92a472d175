"""Trying the answer's network: what is told of each thing that can be wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, IPv6Interface, IPv6Network
from pathlib import Path
from typing import Any

import pytest

from installer.network_trial import LiveNetwork, judge, try_network
from installer.preflight import Check, Result
from tests.unit.drivers.netns import Far, cabled, needs_dnsmasq, needs_namespaces, own_namespace
from tests.unit.installer.networks import GATEWAY_MAC, ModelNetwork, lease
from zeroth.drivers.network.frames6 import Advert, Lease6
from zeroth.drivers.network.trial import BondState, Way, link_state
from zeroth.errors import ExitCode, UserError
from zeroth.spec.model import ManagementNetwork
from zeroth.system.facts import NicFacts

ONE, TWO = NicFacts(name="enp1s0", mac="52:54:00:00:00:01"), NicFacts(name="enp2s0", mac="52:54:00:00:00:02")
STATIC = {"method": "static", "address": "192.0.2.10/24", "gateway": "192.0.2.1"}
BOND = {"mode": "lacp", "nics": ["enp1s0", "enp2s0"]}


def management(**fields: Any) -> ManagementNetwork:  # noqa: ANN401 - whatever the model takes
    return ManagementNetwork.model_validate(fields)


def tried(network: ModelNetwork, wanted: ManagementNetwork, *others: NicFacts) -> dict[str, Check]:
    nics = [ONE, TWO] if wanted.bond else [ONE]
    said: list[str] = []
    checks = try_network(wanted, nics, others, network, said.append)
    assert not network.up, "something was left up"
    assert all(check.result is not Result.FAIL for check in checks[:-1])
    assert all(check.hint for check in checks if check.result is not Result.PASS)
    assert all(f"{check.name}: {check.message}" in said for check in checks)
    return {check.name: check for check in checks}


def refusal(network: ModelNetwork, wanted: ManagementNetwork, *others: NicFacts) -> str:
    checks = tried(network, wanted, *others)
    with pytest.raises(UserError) as caught:
        judge(tuple(checks.values()))
    assert caught.value.code is ExitCode.MACHINE
    for words in ("Nothing was written", "--no-try", "management.try_first: false", "zeroth.network_try=no"):
        assert words in caught.value.hint
    return caught.value.message


def test_all_is_well() -> None:
    checks = tried(ModelNetwork(servers=["192.0.2.53"]), management(dns=["192.0.2.53"]))
    judge(tuple(checks.values()))
    assert {name: check.message for name, check in checks.items()} == {
        "link": "enp1s0 has a link",
        "DHCP": "192.0.2.77/24 from 192.0.2.2",
        "gateway": f"192.0.2.1 answers ({GATEWAY_MAC})",
        "DNS": "192.0.2.53 answers",
    }


def test_a_fixed_address() -> None:
    checks = tried(ModelNetwork(leases={}), management(address=STATIC))
    assert [check.result for check in checks.values()] == [Result.PASS] * 3
    assert checks["address"].message == "nobody else has 192.0.2.10"


def test_a_cable_in_the_wrong_card() -> None:
    network = ModelNetwork(cables={"enp1s0": False})
    linked = TWO.model_copy(update={"carrier": True})
    assert refusal(network, management(), linked).endswith(": enp1s0 has no link; enp2s0 has")
    assert refusal(network, management()).endswith(": enp1s0 has no link; no other network card has")


def test_no_address_but_elsewhere() -> None:
    network = ModelNetwork(leases={"enp1s0": [lease()], "enp2s0": [lease("198.51.100.9/24", "198.51.100.1")]})
    linked = TWO.model_copy(update={"carrier": True})
    found = refusal(network, management(vlan=20), linked)
    assert "no DHCP server answered on VLAN 20 of enp1s0 within 45 s; but enp1s0 untagged has 192.0.2.77/24" in found
    assert "enp2s0 has 198.51.100.9/24 from 198.51.100.1" in found
    assert refusal(ModelNetwork(leases={}), management()).endswith("answered on enp1s0 within 45 s")


def test_the_card_of_a_disk_over_iscsi_is_not_named_as_a_better_one() -> None:
    """The plan would refuse it."""
    network = ModelNetwork(leases={"enp1s0": [], "enp2s0": [lease()]})
    iscsi = TWO.model_copy(update={"carrier": True, "iscsi": True})
    assert refusal(network, management(), iscsi).endswith("answered on enp1s0 within 45 s")
    network = ModelNetwork(cables={"enp1s0": False})
    assert refusal(network, management(), iscsi).endswith("enp1s0 has no link; no other network card has")
    taken = ModelNetwork(owners={"192.0.2.10": [TWO.mac], "192.0.2.1": [GATEWAY_MAC]})
    assert tried(taken, management(address=STATIC), iscsi)["address"].result is Result.PASS, "it is this machine's"


def test_offers() -> None:
    assert "offered 192.0.2.77 and then did not give it" in refusal(ModelNetwork(gives=False), management())
    several = [lease(), lease("198.51.100.9/24", "198.51.100.1"), lease("203.0.113.9/24", "203.0.113.1")]
    check = tried(ModelNetwork(leases={"enp1s0": several}), management())["DHCP"]
    assert check.result is Result.WARN
    assert check.message == "3 DHCP offers: " + ", ".join(f"{it.address} from {it.server}" for it in several)


def test_an_address_that_is_taken() -> None:
    network = ModelNetwork(owners={"192.0.2.10": [GATEWAY_MAC]})
    found = refusal(network, management(address=STATIC))
    assert found.endswith(f"192.0.2.10 is in use already, on enp1s0, by {GATEWAY_MAC}")
    network = ModelNetwork(owners={"192.0.2.10": [TWO.mac], "192.0.2.1": [GATEWAY_MAC]})
    assert tried(network, management(address=STATIC), TWO)["address"].result is Result.PASS, "it is this machine's"


def test_gateways() -> None:
    silent = ModelNetwork(owners={})
    assert refusal(silent, management(address=STATIC, vlan=20)).endswith(
        "the gateway 192.0.2.1 does not answer on VLAN 20 of enp1s0"
    )
    assert "gateway 192.0.2.1 does not answer" in refusal(silent, management())
    none = tried(ModelNetwork(leases={"enp1s0": [lease(router=False)]}, owners={}), management())
    assert none["gateway"].result is Result.PASS
    two = tried(ModelNetwork(owners={"192.0.2.1": [GATEWAY_MAC, "02:00:00:00:00:02"]}), management())
    assert two["gateway"].result is Result.WARN


def test_name_servers() -> None:
    wanted = management(dns=["192.0.2.53", "192.0.2.54", "2001:db8::53"])
    assert refusal(ModelNetwork(), wanted).endswith("192.0.2.53, 192.0.2.54, 2001:db8::53 do not answer")
    one = tried(ModelNetwork(servers=["192.0.2.54"]), wanted)["DNS"]
    assert (one.result, one.message) == (Result.WARN, "192.0.2.53, 2001:db8::53 do not answer")
    # The host has no IPv6 by which it could be asked.
    six = ModelNetwork(servers=["2001:db8::53"])
    assert refusal(six, management(dns=["2001:db8::53"])).endswith("the name server 2001:db8::53 does not answer")


def test_an_mtu() -> None:
    network = ModelNetwork(most_mtus={"enp1s0": 4078})
    assert refusal(network, management(mtu=9000)).endswith("enp1s0 takes no MTU above 4078, and 9000 is wanted")
    assert tried(network, management(mtu=4078))["MTU"].message == "4078 is within what enp1s0 can do"
    assert tried(ModelNetwork(), management(mtu=9000))["MTU"].result is Result.WARN, "the driver does not tell"


def test_bonds() -> None:
    names = "the bond of enp1s0, enp2s0"
    network = ModelNetwork(leases={names: [lease()]}, state=BondState("02:00:00:00:00:0a", ("enp1s0", "enp2s0")))
    assert tried(network, management(bond=BOND))["LACP"].message == "02:00:00:00:00:0a answers on enp1s0, enp2s0"
    network.state = BondState("02:00:00:00:00:0a", ("enp1s0",), ("enp2s0",))
    assert tried(network, management(bond=BOND))["LACP"].result is Result.WARN
    network.state = BondState("", (), ("enp1s0", "enp2s0"))
    alone = {**BOND, "fallback": False}
    assert refusal(network, management(bond=alone)).endswith("no LACP partner answered on enp1s0, enp2s0")
    falls_back = tried(network, management(bond=BOND))
    assert (falls_back["LACP"].result, falls_back["gateway"].result) == (Result.WARN, Result.PASS)
    network.cables = {"enp1s0": True, "enp2s0": False}
    backup = tried(network, management(bond={**BOND, "mode": "active-backup"}))
    assert "LACP" not in backup
    assert (backup["link"].result, backup["link"].message) == (Result.WARN, "enp2s0 has no link; enp1s0 has")
    network.cables = {"enp1s0": False, "enp2s0": False}
    assert "enp1s0, enp2s0 have no link" in refusal(network, management(bond=BOND))


def test_a_kernel_that_refuses() -> None:
    with pytest.raises(UserError, match="no such thing"):
        tried(ModelNetwork(refuses="no such thing"), management())


ROUTER = Advert(IPv6Address("fe80::1"), GATEWAY_MAC, default=True, managed=False,
                prefixes=(IPv6Network("2001:db8::/64"),))  # fmt: skip
SERVER6 = IPv6Address("fe80::2")
LEASE6 = Lease6(IPv6Address("2001:db8::100"), SERVER6, b"two")
SLAAC, DHCP6 = {"method": "slaac"}, {"method": "dhcp"}
STATIC6 = {"method": "static", "address": "2001:db8::10/64", "gateway": "fe80::9"}
NO_FOUR = {"method": "none"}


def test_an_address_from_a_router() -> None:
    network = ModelNetwork(adverts=[ROUTER], servers=["2001:db8::53"])
    checks = tried(network, management(address=NO_FOUR, address6=SLAAC, dns=["2001:db8::53"]))
    assert {name: check.message for name, check in checks.items()} == {
        "link": "enp1s0 has a link",
        "IPv6 router": f"2001:db8::5054:ff:fe00:1/64 from fe80::1 ({GATEWAY_MAC})",
        "IPv6 address": "nobody else has 2001:db8::5054:ff:fe00:1",
        "IPv6 gateway": f"fe80::1 ({GATEWAY_MAC}) advertises itself",
        "DNS": "2001:db8::53 answers",
    }
    assert network.ways == [Way(IPv6Interface("2001:db8::5054:ff:fe00:1/64"), IPv6Address("fe80::1"))]


def test_routers_that_do_not_help() -> None:
    six = management(address=NO_FOUR, address6=SLAAC)
    assert refusal(ModelNetwork(), six).endswith("no router advertised itself on enp1s0 within 45 s")
    managed = replace(ROUTER, managed=True, prefixes=())
    found = refusal(ModelNetwork(adverts=[managed]), six)
    assert f"fe80::1 ({GATEWAY_MAC}) on enp1s0 advertises no network of 64 bits" in found
    assert found.endswith("it wants addresses to be had by DHCPv6")
    check = tried(ModelNetwork(adverts=[replace(ROUTER, default=False)]), six)["IPv6 gateway"]
    assert (check.result, "advertises itself as a gateway" in check.message) == (Result.WARN, True)
    taken = ModelNetwork(adverts=[ROUTER], owners={"2001:db8::5054:ff:fe00:1": [GATEWAY_MAC]})
    assert "duplicate address" in refusal(taken, six)


def test_both_families_must_work() -> None:
    both = management(address6=SLAAC, dns=["192.0.2.53", "2001:db8::53"])
    network = ModelNetwork(adverts=[ROUTER], servers=["192.0.2.53", "2001:db8::53"])
    assert tried(network, both)["DNS"].message == "192.0.2.53, 2001:db8::53 answer"
    assert [way.address.version for way in network.ways] == [4, 6]
    assert "no router advertised itself" in refusal(ModelNetwork(), both)
    assert "no DHCP server" in refusal(ModelNetwork(leases={}, adverts=[ROUTER]), both)


def test_an_address_by_dhcpv6() -> None:
    six = management(address=NO_FOUR, address6=DHCP6)
    checks = tried(ModelNetwork(leases6=[LEASE6], adverts=[ROUTER]), six)
    assert checks["DHCPv6"].message == "2001:db8::100 from fe80::2"
    alone = tried(ModelNetwork(leases6=[LEASE6]), six)
    assert (alone["DHCPv6"].result, alone["IPv6 gateway"].result) == (Result.PASS, Result.WARN)
    other = replace(LEASE6, address=IPv6Address("2001:db8::200"), duid=b"three")
    two = tried(ModelNetwork(leases6=[LEASE6, other]), six)["DHCPv6"]
    assert (two.result, two.message[:15]) == (Result.WARN, "2 DHCPv6 offers")


def test_no_address_by_dhcpv6() -> None:
    six = management(address=NO_FOUR, address6=DHCP6)
    nobody = "no DHCPv6 server answered on enp1s0 within 45 s"
    assert refusal(ModelNetwork(), six).endswith(nobody)
    there = refusal(ModelNetwork(adverts=[ROUTER]), six)
    assert there.endswith(f"{nobody}; but fe80::1 ({GATEWAY_MAC}) advertises 2001:db8::/64")
    assert "a router is there" in refusal(ModelNetwork(adverts=[replace(ROUTER, prefixes=())]), six)
    empty = replace(LEASE6, address=None, refusal="nothing left")
    assert refusal(ModelNetwork(leases6=[empty]), six).endswith("on enp1s0: fe80::2 says: nothing left")
    assert refusal(ModelNetwork(leases6=[LEASE6], gives=False), six).endswith("and then did not give it")
    taken = ModelNetwork(leases6=[LEASE6], given6=empty)
    assert refusal(taken, six).endswith("offered 2001:db8::100 and then did not give it: nothing left")


def test_a_fixed_address_of_ipv6() -> None:
    six = management(address=NO_FOUR, address6=STATIC6)
    good = tried(ModelNetwork(owners={"fe80::9": [GATEWAY_MAC]}), six)
    assert good["IPv6 gateway"].message == f"fe80::9 answers ({GATEWAY_MAC})"
    assert good["IPv6 address"].message == "nobody else has 2001:db8::10"
    taken = ModelNetwork(owners={"fe80::9": [GATEWAY_MAC], "2001:db8::10": [GATEWAY_MAC]})
    assert f"2001:db8::10 is a duplicate address: in use already, on enp1s0, by {GATEWAY_MAC}" in refusal(taken, six)
    own = ModelNetwork(owners={"fe80::9": [GATEWAY_MAC], "2001:db8::10": [TWO.mac]})
    assert tried(own, six, TWO)["IPv6 address"].result is Result.PASS, "it is this machine's"
    assert refusal(ModelNetwork(adverts=[ROUTER]), six).endswith(
        f"the gateway fe80::9 does not answer on enp1s0; but a router is there: fe80::1 ({GATEWAY_MAC})"
    )
    two = tried(ModelNetwork(owners={"fe80::9": [GATEWAY_MAC, "02:00:00:00:00:02"]}), six)["IPv6 gateway"]
    assert two.result is Result.WARN
    none = management(address=NO_FOUR, address6={"method": "static", "address": "2001:db8::10/64"})
    assert tried(ModelNetwork(), none)["IPv6 gateway"].result is Result.PASS


class Impatient(LiveNetwork):
    """Nothing blocks a port of a veth."""

    def who_has(
        self, device: str, mac: str, address: IPv4Address, sender: IPv4Address | None, pauses: Sequence[float]
    ) -> tuple[str, ...]:
        return super().who_has(device, mac, address, sender, [0.5, 1])

    def neighbours(
        self, device: str, mac: str, address: IPv6Address, sender: IPv6Address | None, pauses: Sequence[float]
    ) -> tuple[str, ...]:
        return super().neighbours(device, mac, address, sender, [0.5, 1])


@pytest.fixture
def far() -> Iterator[Far]:
    with own_namespace(), cabled("enp1s0", "enp2s0") as other:
        yield other


@needs_namespaces
@needs_dnsmasq
def test_on_a_real_network(far: Far, tmp_path: Path) -> None:
    """DHCP, then a fixed address there, then one that is taken, and a gateway that is not there."""
    far.run("ip", "address", "add", "192.0.2.1/24", "dev", "far-enp1s0")
    far.dnsmasq(tmp_path, "far-enp1s0", "--dhcp-range=192.0.2.100,192.0.2.110,255.255.255.0", "--dhcp-authoritative")

    def results(**fields: Any) -> list[tuple[str, Result]]:  # noqa: ANN401 - whatever the model takes
        checks = try_network(management(**fields), [ONE], [TWO], Impatient())
        return [(check.name, check.result) for check in checks]

    good = [("gateway", Result.PASS), ("DNS", Result.PASS)]
    assert results(dns=["192.0.2.1"]) == [("link", Result.PASS), ("DHCP", Result.PASS), *good]
    fixed = [("link", Result.PASS), ("address", Result.PASS)]
    assert results(dns=["192.0.2.1"], address=STATIC) == [*fixed, *good]
    assert results(address={**STATIC, "gateway": "192.0.2.9"}) == [*fixed, ("gateway", Result.FAIL)]
    taken = {"method": "static", "address": "192.0.2.1/24"}
    assert results(address=taken) == [("link", Result.PASS), ("address", Result.FAIL)]


@needs_namespaces
@needs_dnsmasq
def test_ipv6_on_a_real_network(far: Far, tmp_path: Path) -> None:
    """A router that advertises, DHCPv6, a fixed address, one that is taken, and a gateway that is not there."""
    far.run("ip", "address", "add", "fd00:5e::1/64", "dev", "far-enp1s0", "nodad")
    # Only who passes packets on advertises itself as a router.
    far.run("sysctl", "-q", "-w", "net.ipv6.conf.all.forwarding=1")

    def results(six: Any, **fields: Any) -> list[tuple[str, Result]]:  # noqa: ANN401 - whatever the model takes
        wanted = management(address=NO_FOUR, address6=six, **fields)
        checks = try_network(wanted, [mac_of("enp1s0")], [TWO], Impatient())
        return [(check.name, check.result) for check in checks]

    link, good = ("link", Result.PASS), [("IPv6 gateway", Result.PASS), ("DNS", Result.PASS)]
    dns = ["fd00:5e::1"]
    far.dnsmasq(tmp_path, "far-enp1s0", "--dhcp-range=fd00:5e::100,fd00:5e::1ff,slaac,64,1h", "--enable-ra")
    routed = [link, ("IPv6 router", Result.PASS), ("IPv6 address", Result.PASS), *good]
    assert results(SLAAC, dns=dns) == routed
    assert results(DHCP6, dns=dns) == [link, ("DHCPv6", Result.PASS), *good]
    fixed = {"method": "static", "address": "fd00:5e::10/64", "gateway": "fd00:5e::1"}
    assert results(fixed, dns=dns) == [link, ("IPv6 address", Result.PASS), *good]
    free = [link, ("IPv6 address", Result.PASS)]
    assert results({**fixed, "gateway": "fd00:5e::9"}) == [*free, ("IPv6 gateway", Result.FAIL)]
    taken = {"method": "static", "address": "fd00:5e::1/64"}
    assert results(taken) == [link, ("IPv6 address", Result.FAIL)]


def mac_of(name: str) -> NicFacts:
    return NicFacts(name=name, mac=link_state(name).mac)

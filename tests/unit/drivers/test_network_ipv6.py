"""IPv6 on the management network: what networkd is told, and what is waited for."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import pytest

from tests.unit.drivers.model_machine import ETH0, STATIC, STATIC6, Clock, ModelMachine
from zeroth.drivers.network.guard import missing6, reconcile
from zeroth.drivers.network.planner import desired_state
from zeroth.errors import UserError
from zeroth.spec.model import (
    Dhcp6Address,
    DhcpAddress,
    ManagementNetwork,
    NoAddress,
    SlaacAddress,
    Static6Address,
    StaticAddress,
)


def lines_of(wish: ManagementNetwork) -> dict[str, list[str]]:
    """networkd's file of the management link by its sections; an entry that stands twice would be seen."""
    sections: dict[str, list[str]] = {}
    for line in desired_state(wish, [ETH0]).files["10-zeroth-management.network"].splitlines():
        if line.startswith("["):
            assert line not in sections
            sections[line] = []
        elif line and not line.startswith("#"):
            sections[list(sections)[-1]].append(line)
    return sections


@pytest.mark.parametrize(
    ("four", "six", "dhcp"),
    [
        (DhcpAddress(), NoAddress(), "ipv4"), (DhcpAddress(), SlaacAddress(), "ipv4"),
        (DhcpAddress(), Dhcp6Address(), "yes"), (STATIC, Dhcp6Address(), "ipv6"), (STATIC, STATIC6, "no"),
        (NoAddress(), Dhcp6Address(), "ipv6"), (NoAddress(), SlaacAddress(), "no"), (NoAddress(), STATIC6, "no"),
    ],
)  # fmt: skip
def test_each_family_has_what_it_is_asked_for(
    four: NoAddress | DhcpAddress | StaticAddress,
    six: NoAddress | SlaacAddress | Dhcp6Address | Static6Address,
    dhcp: str,
) -> None:
    sections = lines_of(ManagementNetwork(address=four, address6=six))
    network = sections["[Network]"]
    assert f"DHCP={dhcp}" in network
    assert f"LinkLocalAddressing={'no' if isinstance(six, NoAddress) else 'ipv6'}" in network
    listens = isinstance(six, SlaacAddress | Dhcp6Address)
    assert f"IPv6AcceptRA={'yes' if listens else 'no'}" in network
    assert ("[DHCPv4]" in sections, "[IPv6AcceptRA]" in sections) == (isinstance(four, DhcpAddress), listens)
    fixed = [f"Address={it.address}" for it in (four, six) if isinstance(it, StaticAddress | Static6Address)]
    assert [line for line in network if line.startswith("Address=")] == fixed
    assert ("ConfigureWithoutCarrier=yes" in network) == bool(fixed)
    if listens:
        by_dhcp = isinstance(six, Dhcp6Address)
        assert f"UseAutonomousPrefix={'no' if by_dhcp else 'yes'}" in sections["[IPv6AcceptRA]"]
        assert f"UseAddress={'yes' if by_dhcp else 'no'}" in sections["[DHCPv6]"]


def test_name_servers_of_both_families() -> None:
    dns = (IPv6Address("2001:db8::53"), IPv4Address("192.0.2.53"))
    sections = lines_of(ManagementNetwork(address6=Dhcp6Address(), dns=dns))
    assert [line for line in sections["[Network]"] if line.startswith("DNS=")] == [f"DNS={it}" for it in dns]
    assert all("UseDNS=no" in sections[name] for name in ("[DHCPv4]", "[IPv6AcceptRA]", "[DHCPv6]"))


@pytest.mark.parametrize(
    ("four", "six", "found"),
    [
        (DhcpAddress(), SlaacAddress(), "192.0.2.77/24 and 2001:db8::77/64"),
        (DhcpAddress(), STATIC6, "192.0.2.77/24 and 2001:db8::10/64"),
        (STATIC, Dhcp6Address(), "192.0.2.10/24 and 2001:db8::100/128"),
        (NoAddress(), SlaacAddress(), "2001:db8::77/64"),
        (NoAddress(), STATIC6, "2001:db8::10/64"),
    ],
)
def test_both_families_are_waited_for(
    tmp_path: Path,
    four: NoAddress | DhcpAddress | StaticAddress,
    six: SlaacAddress | Dhcp6Address | Static6Address,
    found: str,
) -> None:
    wish = ManagementNetwork(address=four, address6=six)
    outcome = reconcile(ModelMachine((ETH0,)), wish, tmp_path / "undo", wait=Clock().wait())
    assert str(outcome.addresses) == found


@pytest.mark.parametrize(
    ("four", "six", "machine", "says"),
    [
        (NoAddress(), SlaacAddress(), {"routed": None}, "of IPv6 on xenbr0 after 60 s.*no router advertised itself"),
        (NoAddress(), Dhcp6Address(), {"lease6": None}, "no DHCPv6 server gave an address"),
        (DhcpAddress(), SlaacAddress(), {"lease": None}, "no management address on xenbr0 .*no DHCP server answered$"),
        (
            NoAddress(),
            STATIC6,
            {"duplicates": ("2001:db8::10/64",)},
            "after 20 s.*2001:db8::10/64: a duplicate address",
        ),
    ],
)
def test_without_an_address_to_be_reached_by_it_is_taken_back(
    tmp_path: Path,
    four: NoAddress | DhcpAddress | StaticAddress,
    six: SlaacAddress | Dhcp6Address | Static6Address,
    machine: dict[str, Any],
    says: str,
) -> None:
    host = ModelMachine((ETH0,))
    reconcile(host, ManagementNetwork(), tmp_path / "undo", wait=Clock().wait())
    before = dict(host.files)
    for name, value in machine.items():
        setattr(host, name, value)
    with pytest.raises(UserError, match=says):
        reconcile(host, ManagementNetwork(address=four, address6=six), tmp_path / "undo", wait=Clock().wait())
    assert host.files == before


@pytest.mark.parametrize(
    ("four", "six", "machine", "why"),
    [
        (DhcpAddress(), SlaacAddress(), {"routed": None}, "no router advertised itself"),
        (DhcpAddress(), Dhcp6Address(), {"lease6": None}, "no DHCPv6 server gave an address"),
        (DhcpAddress(), STATIC6, {"duplicates": ("2001:db8::10/64",)}, "2001:db8::10/64: a duplicate address"),
        (STATIC, Dhcp6Address(), {"lease6": None}, "no DHCPv6 server gave an address"),
        (STATIC, STATIC6, {"duplicates": ("2001:db8::10/64",)}, "2001:db8::10/64: a duplicate address"),
    ],
)
def test_ipv6_beside_ipv4_is_waited_for_and_does_not_decide(
    tmp_path: Path,
    four: DhcpAddress | StaticAddress,
    six: SlaacAddress | Dhcp6Address | Static6Address,
    machine: dict[str, Any],
    why: str,
) -> None:
    host, clock, wish = ModelMachine((ETH0,), **machine), Clock(), ManagementNetwork(address=four, address6=six)
    outcome = reconcile(host, wish, tmp_path / "undo", wait=clock.wait())
    assert (outcome.addresses.four is None, outcome.addresses.six) == (False, None)
    assert clock.now >= 20
    assert why in missing6(outcome.link, wish)[0]
    assert not (tmp_path / "undo").exists()
    assert dict(desired_state(wish, [ETH0]).files).items() <= host.files.items()

"""A network put up for a trial, beside what is there, and taken down again whatever happens.

A VLAN gets a device of its own over the card, which goes on as it was. A bond needs its cards for itself: what they
carried is gone for the time of the trial, and comes back after it. Nothing is kept, and no file of the host is made:
the installed host's network is Open vSwitch's, and this is what can be put together from the kernel's own parts.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.query

from zeroth.drivers.network.frames6 import eui64
from zeroth.drivers.network.networkd import networkd_links
from zeroth.spec.model import BondMode, BondSpec
from zeroth.system.files import atomic_write
from zeroth.system.run import run

__all__ = [
    "BondState", "LinkState", "Uplink", "Way", "addresses_kept", "bond_state", "link_local", "link_state", "resolvers",
    "trial_device",
]  # fmt: skip

_BOND, _VLAN = "zeroth-bond", "zeroth-vlan"
_ALONE = Path("/run/systemd/network/05-zeroth-trial.network")
_TABLE = "4200"
_PRIORITY = "420"
_DNS_SECONDS = 3.0
# The kernel's bonding has no balance-slb, which is Open vSwitch's; that each card has its link is seen alike.
_MODES = {BondMode.ACTIVE_BACKUP: "active-backup", BondMode.BALANCE_SLB: "active-backup", BondMode.LACP: "802.3ad"}


@dataclass(frozen=True)
class Uplink:
    """What carries a network.

    :ivar nics: kernel names; several with a bond.
    """

    nics: tuple[str, ...]
    bond: BondSpec | None = None
    vlan: int | None = None

    def __str__(self) -> str:
        names = ", ".join(self.nics)
        over = f"the bond of {names}" if self.bond else names
        return f"VLAN {self.vlan} of {over}" if self.vlan else over


@dataclass(frozen=True)
class LinkState:
    """A device as the kernel has it.

    :ivar carrier: it is up and has a link.
    :ivar most_mtu: the largest MTU that it takes; 0 where the driver does not tell.
    """

    mac: str
    carrier: bool
    most_mtu: int = 0


@dataclass(frozen=True)
class BondState:
    """How LACP stands.

    :ivar partner: the switch's system address; empty while nobody answers.
    :ivar active: the cards that work together; ``apart`` those that are not among them.
    """

    partner: str
    active: tuple[str, ...]
    apart: tuple[str, ...] = ()


@contextmanager
def trial_device(uplink: Uplink, alone: Path = _ALONE) -> Iterator[str]:
    """The device that an address would be on, by name; taken down at the end, and the cards given back.

    :param alone: networkd's file that has it leave the cards of a bond alone meanwhile.
    :raises UserError: the kernel refuses.
    """
    with ExitStack() as undo:
        device = uplink.nics[0]
        if uplink.bond:
            undo.enter_context(_left_alone(uplink.nics, alone))
            device = undo.enter_context(_bond(uplink.bond, uplink.nics))
        else:
            _ip("link", "set", "dev", device, "up")
        if uplink.vlan:
            device = undo.enter_context(_vlan(device, uplink.vlan))
        yield device


def link_state(name: str, patience: float = 10.0) -> LinkState:
    """A device's state, when it has a link or the time is over.

    :param patience: seconds; gigabit copper takes about three to agree on a speed.
    :raises UserError: there is no such device.
    """
    end = time.monotonic() + patience
    while True:
        shown = _shown(name)
        # LOWER_UP is the driver's word for a carrier.
        carrier = "LOWER_UP" in shown.get("flags", [])
        state = LinkState(str(shown.get("address", "")), carrier, int(shown.get("max_mtu", 0)))
        if state.carrier or time.monotonic() >= end:
            return state
        time.sleep(0.25)


def link_local(name: str, mac: str, patience: float = 5.0) -> IPv6Address:
    """The link-local address of a device, once the kernel knows it to be its own alone.

    :param mac: the address that is made from it is taken where the kernel has none: routers answer to that too.
    :param patience: seconds; asking whether somebody else has it takes one or two.
    """
    end = time.monotonic() + patience
    while True:
        entries = [entry for entry in _addresses6(name) if entry.get("scope") == "link"]
        for entry in entries:
            if not entry.get("tentative"):
                return IPv6Address(entry["local"])
        if time.monotonic() >= end:
            return eui64(mac)
        time.sleep(0.2)


def bond_state(nics: Sequence[str], patience: float = 20.0) -> BondState:
    """How LACP stands on the trial's bond, when all its cards work together or the time is over.

    :param patience: seconds; a switch that is asked every second answers within three.
    """
    end = time.monotonic() + patience
    while True:
        state = bond_in(_shown(_BOND), {nic: _shown(nic) for nic in nics})
        if (state.partner and not state.apart) or time.monotonic() >= end:
            return state
        time.sleep(0.5)


def bond_in(bond: Mapping[str, Any], members: Mapping[str, Mapping[str, Any]]) -> BondState:
    """The same, of what ``ip -d`` showed of the bond and its cards."""
    aggregate = bond.get("linkinfo", {}).get("info_data", {}).get("ad_info", {})
    partner = str(aggregate.get("partner_mac", ""))
    if not partner.strip("0:"):
        return BondState("", (), tuple(members))
    active = tuple(
        name
        for name, shown in members.items()
        if shown.get("linkinfo", {}).get("info_slave_data", {}).get("ad_aggregator_id") == aggregate.get("aggregator")
        and "LOWER_UP" in shown.get("flags", [])
    )
    return BondState(partner, active, tuple(name for name in members if name not in active))


@dataclass(frozen=True)
class Way:
    """By what a host reaches others in one family.

    :ivar gateway: None when only the address's own network is reached.
    """

    address: IPv4Interface | IPv6Interface
    gateway: IPv4Address | IPv6Address | None = None


def resolvers(
    device: str, way: Way, servers: Sequence[IPv4Address | IPv6Address]
) -> tuple[IPv4Address | IPv6Address, ...]:
    """Those of the name servers that answer on this device, whatever they say.

    :param way: its address is put on the device for the time of the questions. Only what comes from it goes by this
        network; everything else goes the way it went.
    :param servers: of the same family.
    :raises UserError: the kernel refuses the address.
    """
    with _addressed(device, way):
        return tuple(server for server in servers if _answers(server, way.address.ip))


def _answers(server: IPv4Address | IPv6Address, source: IPv4Address | IPv6Address) -> bool:
    question = dns.message.make_query(".", "NS")
    for _ in range(2):
        try:
            dns.query.udp(question, str(server), timeout=_DNS_SECONDS, source=str(source))
        except (dns.exception.DNSException, OSError):
            continue
        return True
    return False


@contextmanager
def _addressed(device: str, way: Way) -> Iterator[None]:
    address = way.address
    six = isinstance(address, IPv6Interface)
    family = ("-6",) if six else ()
    # An address of IPv6 is on a device once: the installer itself may have made the same one from the same router.
    there = six and any(IPv6Address(entry["local"]) == address.ip for entry in _addresses6(device))
    with ExitStack() as undo:
        if not there:
            # /32 makes no route to the net in the main table, where the net may lie on another device.
            own = f"{address.ip}/{address.max_prefixlen}"
            # That nobody else has it was asked before.
            _ip(*family, "address", "add", own, "dev", device, *(["nodad"] if six else []))
            undo.callback(_ip_try, *family, "address", "del", own, "dev", device)
        undo.callback(_ip_try, *family, "route", "flush", "table", _TABLE)
        _ip(*family, "route", "replace", str(address.network), "dev", device, "table", _TABLE)
        if way.gateway:
            to = ("default", "via", str(way.gateway), "dev", device, "onlink", "table", _TABLE)
            _ip(*family, "route", "replace", *to)
        rule = ("from", str(address.ip), "lookup", _TABLE, "priority", _PRIORITY)
        _ip(*family, "rule", "add", *rule)
        undo.callback(_ip_try, *family, "rule", "del", *rule)
        yield


def _addresses6(device: str) -> list[dict[str, Any]]:
    shown = json.loads(_ip("-6", "-j", "address", "show", "dev", device) or "[]")
    return [entry for link in shown for entry in link.get("addr_info", ()) if entry.get("family") == "inet6"]


@contextmanager
def _vlan(parent: str, tag: int) -> Iterator[str]:
    with _device(_VLAN, "link", parent, "type", "vlan", "id", str(tag)):
        _ip("link", "set", "dev", _VLAN, "up")
        yield _VLAN


@contextmanager
def _bond(bond: BondSpec, nics: Sequence[str]) -> Iterator[str]:
    lacp = ["lacp_rate", "fast"] if bond.mode is BondMode.LACP else []
    with _device(_BOND, "type", "bond", "mode", _MODES[bond.mode], "miimon", "100", *lacp), ExitStack() as undo:
        for nic in nics:
            undo.enter_context(addresses_kept(nic))
            undo.callback(_ip_try, "link", "set", "dev", nic, "up")
            undo.callback(_ip_try, "link", "set", "dev", nic, "nomaster")
            _ip("address", "flush", "dev", nic)
            _ip("link", "set", "dev", nic, "down")
            _ip("link", "set", "dev", nic, "master", _BOND)
        _ip("link", "set", "dev", _BOND, "up")
        yield _BOND


@contextmanager
def addresses_kept(nic: str) -> Iterator[None]:
    """Give a card its IPv4 addresses and routes back at the end of the block.

    networkd takes the ones it knows better away again; those that a start over the network left, nobody else knows.
    """
    addresses = json.loads(_ip("-4", "-j", "address", "show", "dev", nic))
    routes = json.loads(_ip("-4", "-j", "route", "show", "dev", nic))
    try:
        yield
    finally:
        for entry in (entry for link in addresses for entry in link.get("addr_info", ())):
            _ip_try("address", "replace", f"{entry['local']}/{entry['prefixlen']}", "dev", nic)
        # The gateway's own route before the one through it; the nets of the addresses are there again by themselves.
        for route in sorted(routes, key=lambda route: "gateway" in route):
            if route.get("protocol") != "kernel":
                via = ["via", route["gateway"]] if "gateway" in route else []
                _ip_try("route", "replace", route["dst"], *via, "dev", nic)


@contextmanager
def _device(name: str, *words: str) -> Iterator[None]:
    # One that a trial before this one could not take down.
    _ip_try("link", "del", "dev", name)
    # "link PARENT" comes before the name.
    before, after = (words[:2], words[2:]) if words[0] == "link" else ((), words)
    _ip("link", "add", *before, "name", name, *after)
    try:
        yield
    finally:
        _ip_try("link", "del", "dev", name)


@contextmanager
def _left_alone(nics: Sequence[str], file: Path) -> Iterator[None]:
    """Have networkd, which may be asking for an address on these cards, leave them alone; then ask it again."""
    managed = [nic for nic in nics if networkd_links().get(nic, {}).get("NetworkFile")]
    if not managed:
        yield
        return
    try:
        atomic_write(file, f"[Match]\nName={' '.join(nics)}\n\n[Link]\nUnmanaged=yes\n")
        run(["networkctl", "reload"], timeout=30)
        yield
    finally:
        file.unlink(missing_ok=True)
        # The first has it read its files; the second has it begin anew on cards that it left alone.
        run(["networkctl", "reload"], timeout=30, ok=range(256))
        run(["networkctl", "reconfigure", *managed], timeout=30, ok=range(256))


def _shown(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_ip("-j", "-d", "link", "show", "dev", name))[0]
    return found


def _ip(*words: str) -> str:
    return run(["ip", *words], timeout=20).stdout


def _ip_try(*words: str) -> None:
    """On the way back everything is tried, whatever fails."""
    run(["ip", *words], timeout=20, ok=range(256))

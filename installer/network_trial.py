"""The answer's management network, tried before the disk is touched: is there a link, a switch, an address, a way out?

What is tried is what the host will be: its cards, VLAN and address, asked for by its own MAC address. What was seen is
told check by check; the first that fails ends it, since what comes after builds upon it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address
from typing import Protocol

from installer.network_trial6 import Network6, Trial6, listed
from installer.preflight import Check, Result
from zeroth.drivers.network.frames import Lease
from zeroth.drivers.network.frames6 import Advert, Lease6
from zeroth.drivers.network.trial import (
    BondState,
    LinkState,
    Uplink,
    Way,
    bond_state,
    link_local,
    link_state,
    resolvers,
    trial_device,
)
from zeroth.drivers.network.wire import (
    ARP_PAUSES,
    DHCP_PAUSES,
    PATIENT_PAUSES,
    ask_dhcp,
    ask_dhcp6,
    ask_routers,
    neighbours,
    take_lease,
    take_lease6,
    who_has,
)
from zeroth.errors import ExitCode, UserError
from zeroth.spec.model import BondMode, ManagementNetwork, NoAddress, StaticAddress
from zeroth.system.facts import NicFacts

__all__ = ["LiveNetwork", "Network", "judge", "try_network"]

# Only while something is wrong already, to tell where it would be right.
_ELSEWHERE_PAUSES = (2.0, 2.0)
_SKIP = (
    "To install all the same, say so in the answer (kickstart: `network --no-try`; otherwise "
    "`management.try_first: false`) or at boot: zeroth.network_try=no"
)


class Network(Network6, Protocol):
    """What a trial asks of the machine; tests hand in a model of one."""

    def device(self, uplink: Uplink) -> AbstractContextManager[str]:
        """Put it up for the time of the block; gives the device that an address would be on."""

    def link(self, name: str) -> LinkState:
        """The state of a card or device, after waiting for its link."""

    def bond(self, nics: Sequence[str]) -> BondState:
        """How LACP stands on the device that was put up."""

    def offers(self, device: str, mac: str, pauses: Sequence[float]) -> tuple[Lease, ...]:
        """What DHCP servers offer."""

    def take(self, device: str, mac: str, offer: Lease) -> Lease | None:
        """Take one of them."""

    def who_has(
        self, device: str, mac: str, address: IPv4Address, sender: IPv4Address | None, pauses: Sequence[float]
    ) -> tuple[str, ...]:
        """The MAC addresses of those who answer for an address."""

    def resolvers(
        self, device: str, way: Way, servers: Sequence[IPv4Address | IPv6Address]
    ) -> tuple[IPv4Address | IPv6Address, ...]:
        """Those of the name servers that answer, of the family of the way."""


class LiveNetwork:
    """The machine's own."""

    def device(self, uplink: Uplink) -> AbstractContextManager[str]:
        """See :class:`Network`."""
        return trial_device(uplink)

    def link(self, name: str) -> LinkState:
        """See :class:`Network`."""
        return link_state(name)

    def bond(self, nics: Sequence[str]) -> BondState:
        """See :class:`Network`."""
        return bond_state(nics)

    def offers(self, device: str, mac: str, pauses: Sequence[float]) -> tuple[Lease, ...]:
        """See :class:`Network`."""
        return ask_dhcp(device, mac, pauses)

    def take(self, device: str, mac: str, offer: Lease) -> Lease | None:
        """See :class:`Network`."""
        return take_lease(device, mac, offer)

    def who_has(
        self, device: str, mac: str, address: IPv4Address, sender: IPv4Address | None, pauses: Sequence[float]
    ) -> tuple[str, ...]:
        """See :class:`Network`."""
        return who_has(device, mac, address, sender, pauses)

    def resolvers(
        self, device: str, way: Way, servers: Sequence[IPv4Address | IPv6Address]
    ) -> tuple[IPv4Address | IPv6Address, ...]:
        """See :class:`Network`."""
        return resolvers(device, way, servers)

    def link_local(self, device: str, mac: str) -> IPv6Address:
        """See :class:`Network6`."""
        return link_local(device, mac)

    def neighbours(
        self, device: str, mac: str, address: IPv6Address, sender: IPv6Address | None, pauses: Sequence[float]
    ) -> tuple[str, ...]:
        """See :class:`Network6`."""
        return neighbours(device, mac, address, sender, pauses)

    def routers(self, device: str, mac: str, sender: IPv6Address, pauses: Sequence[float]) -> tuple[Advert, ...]:
        """See :class:`Network6`."""
        return ask_routers(device, mac, sender, pauses)

    def offers6(self, device: str, mac: str, sender: IPv6Address, pauses: Sequence[float]) -> tuple[Lease6, ...]:
        """See :class:`Network6`."""
        return ask_dhcp6(device, mac, sender, pauses)

    def take6(self, device: str, mac: str, sender: IPv6Address, offer: Lease6) -> Lease6 | None:
        """See :class:`Network6`."""
        return take_lease6(device, mac, sender, offer)


def try_network(
    management: ManagementNetwork,
    nics: Sequence[NicFacts],
    others: Sequence[NicFacts],
    network: Network,
    say: Callable[[str], None] = lambda text: None,
) -> tuple[Check, ...]:
    """Put the network up, ask it, and take it down again.

    :param nics: the cards that carry it, in the answer's order.
    :param others: the machine's other cards, to tell where there would be a link or a DHCP server.
    :param say: is told what is waited for.
    :returns: what was found; the last one failed, or none did.
    :raises UserError: the kernel refuses to put it up.
    """
    bond = management.bond
    uplink = Uplink(tuple(nic.name for nic in nics), bond, management.vlan)
    macs = frozenset(nic.mac for nic in (*nics, *others))
    # The card of a disk over iSCSI is none that the answer could name instead.
    trial = _Trial(management, uplink, tuple(nic for nic in others if not nic.iscsi), macs, network, say)
    found: list[Check] = []
    with closing(trial.checks()) as checks:
        for check in checks:
            found.append(check)
            say(f"{check.name}: {check.message}")
            if check.result is Result.FAIL:
                break
    return tuple(found)


def judge(checks: Sequence[Check]) -> None:
    """End the installation when a check failed.

    :raises UserError: one did; the message says what was seen.
    """
    for check in checks:
        if check.result is Result.FAIL:
            raise UserError(
                f"the management network does not work: {check.message}",
                f"{check.hint}\n       {_SKIP}\n       Nothing was written to any disk.",
                code=ExitCode.MACHINE,
            )


@dataclass(frozen=True)
class _Trial:
    management: ManagementNetwork
    uplink: Uplink
    others: tuple[NicFacts, ...]
    macs: frozenset[str]
    network: Network
    say: Callable[[str], None]

    def checks(self) -> Generator[Check]:
        with self.network.device(self.uplink) as device:
            yield self._links()
            if self.management.mtu:
                yield self._mtu(self.management.mtu)
            bond = self.management.bond
            if bond and bond.mode is BondMode.LACP:
                yield self._partner()
            mac = self.network.link(device).mac
            ways = []
            if not isinstance(self.management.address, NoAddress):
                way = yield from self._four(device, mac)
                if way is None:
                    return
                ways.append(way)
            address6 = self.management.address6
            if not isinstance(address6, NoAddress):
                six = Trial6(address6, str(self.uplink), device, mac, self.macs, self.network, self.say)
                way = yield from six.checks()
                if way is None:
                    return
                ways.append(way)
            if self.management.dns:
                yield self._dns(device, ways)

    def _four(self, device: str, mac: str) -> Generator[Check, None, Way | None]:
        """The checks of IPv4; None where one failed after which there is nothing more to ask."""
        address = self.management.address
        if isinstance(address, StaticAddress):
            if address.gateway:
                # A port that just came up may be blocked by spanning tree, and an address seem free on it.
                self.say(f"waiting for {address.gateway} on {self.uplink}, for at most {sum(PATIENT_PAUSES):g} s")
                self.network.who_has(device, mac, address.gateway, None, PATIENT_PAUSES)
            yield self._unused(device, mac, address.address)
            own, gateway = address.address, address.gateway
        else:
            lease, checks = self._lease(device, mac)
            yield from checks
            if lease is None:
                return None
            own, gateway = lease.address, next(iter(lease.routers), None)
        yield self._gateway(device, mac, own, gateway)
        return Way(own, gateway)

    def _links(self) -> Check:
        names = self.uplink.nics
        states = {name: self.network.link(name).carrier for name in names}
        without = [name for name in names if not states[name]]
        if not without:
            return Check("link", Result.PASS, f"{listed(names)} {_has(names)} a link")
        linked = [name for name in names if states[name]] + [nic.name for nic in self.others if nic.carrier]
        there = f"; {listed(linked)} {_has(linked)}" if linked else "; no other network card has"
        message = f"{listed(without)} {_has(without)} no link{there}"
        hint = "Is the cable in, and the switch port on? Else name another card in the answer."
        # A bond does with fewer cards; that it is not whole is worth a warning.
        result = Result.FAIL if len(without) == len(names) else Result.WARN
        return Check("link", result, message, hint)

    def _mtu(self, wanted: int) -> Check:
        """By what the drivers say: setting it would take some cards' link away, and the switch tells nobody."""
        most = {name: self.network.link(name).most_mtu for name in self.uplink.nics}
        small = [f"{name} takes no MTU above {mtu}" for name, mtu in most.items() if 0 < mtu < wanted]
        if small:
            hint = "Leave the MTU out of the answer, lower it, or name other cards."
            return Check("MTU", Result.FAIL, f"{', '.join(small)}, and {wanted} is wanted", hint)
        unknown = [name for name, mtu in most.items() if not mtu]
        if unknown:
            message = f"the driver of {listed(unknown)} does not tell whether it takes an MTU of {wanted}"
            return Check("MTU", Result.WARN, message, "Look into the card's data sheet.")
        return Check("MTU", Result.PASS, f"{wanted} is within what {listed(self.uplink.nics)} can do")

    def _partner(self) -> Check:
        names = self.uplink.nics
        self.say("waiting for the switch to answer by LACP")
        state = self.network.bond(names)
        if not state.partner:
            hint = "Set the switch ports up as one LACP group (802.3ad), or choose another mode for the bond."
            message = f"no LACP partner answered on {listed(names)}"
            bond = self.management.bond
            if bond and bond.fallback:
                message += ": one card works, as with active-backup, until one does"
                return Check("LACP", Result.WARN, message, hint)
            return Check("LACP", Result.FAIL, message, hint)
        if state.apart:
            message = (
                f"{state.partner} answers on {listed(state.active)}, but not in one group on {listed(state.apart)}"
            )
            return Check("LACP", Result.WARN, message, "Are these ports in the same LACP group, of the same switch?")
        return Check("LACP", Result.PASS, f"{state.partner} answers on {listed(state.active)}")

    def _lease(self, device: str, mac: str) -> tuple[Lease | None, Sequence[Check]]:
        self.say(f"asking for an address on {self.uplink}, for at most {sum(DHCP_PAUSES):g} s")
        offers = self.network.offers(device, mac, DHCP_PAUSES)
        if not offers:
            elsewhere = self._elsewhere()
            message = f"no DHCP server answered on {self.uplink} within {sum(DHCP_PAUSES):g} s" + (
                f"; but {elsewhere}" if elsewhere else ""
            )
            hint = "Check the switch port's VLAN and the DHCP server, or give a fixed address."
            return None, [Check("DHCP", Result.FAIL, message, hint)]
        offer = offers[0]
        lease = self.network.take(device, mac, offer)
        if lease is None:
            message = f"{offer.server} offered {offer.address.ip} and then did not give it"
            return None, [
                Check("DHCP", Result.FAIL, message, "Look into the DHCP server's log: is its range used up?")
            ]
        if len(offers) > 1:
            message = f"{len(offers)} DHCP offers: {', '.join(map(_offer, offers))}"
            return lease, [Check("DHCP", Result.WARN, message, "Is each of these servers meant to be there?")]
        return lease, [Check("DHCP", Result.PASS, _offer(lease))]

    def _elsewhere(self) -> str:
        """Where a DHCP server does answer: without the tag, or on other cards that have a link."""
        names = [nic.name for nic in self.others if nic.carrier]
        if self.uplink.vlan and not self.uplink.bond:
            names.insert(0, self.uplink.nics[0])
        found = []
        for name in names:
            with self.network.device(Uplink((name,))) as device:
                offers = self.network.offers(device, self.network.link(name).mac, _ELSEWHERE_PAUSES)
            untagged = " untagged" if name in self.uplink.nics else ""
            found += [f"{name}{untagged} has {_offer(offer)}" for offer in offers]
        return ", ".join(found)

    def _unused(self, device: str, mac: str, address: IPv4Interface) -> Check:
        owners = self.network.who_has(device, mac, address.ip, None, ARP_PAUSES)
        # The installer itself may have got it, by another card in the same network.
        owners = tuple(owner for owner in owners if owner not in self.macs)
        if owners:
            message = f"{address.ip} is in use already, on {self.uplink}, by {listed(owners)}"
            return Check("address", Result.FAIL, message, "Give the host an address of its own.")
        return Check("address", Result.PASS, f"nobody else has {address.ip}")

    def _gateway(self, device: str, mac: str, address: IPv4Interface, gateway: IPv4Address | None) -> Check:
        if gateway is None:
            return Check("gateway", Result.PASS, "there is none: only this network is reached")
        owners = self.network.who_has(device, mac, gateway, address.ip, ARP_PAUSES)
        if not owners:
            message = f"the gateway {gateway} does not answer on {self.uplink}"
            hint = "Check the switch port's VLAN, the address and its mask, and the gateway."
            return Check("gateway", Result.FAIL, message, hint)
        if len(owners) > 1:
            message = f"{len(owners)} machines answer for the gateway {gateway}: {listed(owners)}"
            return Check("gateway", Result.WARN, message, "Somebody else may have taken its address.")
        return Check("gateway", Result.PASS, f"{gateway} answers ({owners[0]})")

    def _dns(self, device: str, ways: Sequence[Way]) -> Check:
        servers = self.management.dns
        answering: list[IPv4Address | IPv6Address] = []
        for way in ways:
            asked = [server for server in servers if server.version == way.address.version]
            answering += self.network.resolvers(device, way, asked) if asked else ()
        # One of a family in which the host has no address is as silent as one that is switched off.
        silent = [server for server in servers if server not in answering]
        if not silent:
            return Check("DNS", Result.PASS, f"{listed(answering)} {'answers' if len(answering) == 1 else 'answer'}")
        message = f"{listed(silent)} {'does' if len(silent) == 1 else 'do'} not answer"
        hint = "Check the addresses of the name servers, and that the network lets the host ask them."
        result = Result.WARN if answering else Result.FAIL
        return Check("DNS", result, f"the name server {message}" if len(silent) == 1 else message, hint)


def _offer(lease: Lease) -> str:
    return f"{lease.address} from {lease.server}"


def _has(names: Sequence[object]) -> str:
    return "has" if len(names) == 1 else "have"

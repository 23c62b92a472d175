"""The IPv6 part of :mod:`installer.network_trial`: a router, an address, a gateway.

The address is the one that the host will have: made from its MAC address as networkd makes it there, or asked of
DHCPv6 as the same client.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Interface
from typing import Protocol

from installer.preflight import Check, Result
from zeroth.drivers.network.frames6 import Advert, Lease6, eui64
from zeroth.drivers.network.trial import Way
from zeroth.drivers.network.wire import ARP_PAUSES, DHCP_PAUSES, PATIENT_PAUSES
from zeroth.spec.model import Dhcp6Address, SlaacAddress, Static6Address

__all__ = ["Network6", "Trial6", "listed"]

# After a DHCPv6 server or a port that is known to be open: routers wait up to 3 s between two advertisements.
_ROUTER_PAUSES = (3.0, 4.0)


class Network6(Protocol):
    """What a trial asks of the machine for IPv6."""

    def link_local(self, device: str, mac: str) -> IPv6Address:
        """The device's link-local address."""

    def neighbours(
        self, device: str, mac: str, address: IPv6Address, sender: IPv6Address | None, pauses: Sequence[float]
    ) -> tuple[str, ...]:
        """The MAC addresses of those who answer for an address."""

    def routers(self, device: str, mac: str, sender: IPv6Address, pauses: Sequence[float]) -> tuple[Advert, ...]:
        """What routers advertise."""

    def offers6(self, device: str, mac: str, sender: IPv6Address, pauses: Sequence[float]) -> tuple[Lease6, ...]:
        """What DHCPv6 servers offer, refusals too."""

    def take6(self, device: str, mac: str, sender: IPv6Address, offer: Lease6) -> Lease6 | None:
        """Take one of the offers."""


@dataclass(frozen=True)
class Trial6:
    """
    :ivar uplink: in words.
    :ivar macs: of all cards of this machine.
    """

    wanted: SlaacAddress | Dhcp6Address | Static6Address
    uplink: str
    device: str
    mac: str
    macs: frozenset[str]
    network: Network6
    say: Callable[[str], None]

    def checks(self) -> Generator[Check, None, Way | None]:
        """The checks; None where one failed after which there is nothing more to ask."""
        match self.wanted:
            case Static6Address(address=address, gateway=gateway):
                return (yield from self._static(address, gateway))
            case SlaacAddress():
                return (yield from self._slaac())
            case Dhcp6Address():
                return (yield from self._dhcp())

    def _static(self, address: IPv6Interface, gateway: IPv6Address | None) -> Generator[Check, None, Way | None]:
        if gateway:
            # A port that just came up may be blocked by spanning tree, and an address seem free on it.
            self.say(f"waiting for {gateway} on {self.uplink}, for at most {sum(PATIENT_PAUSES):g} s")
            self.network.neighbours(self.device, self.mac, gateway, None, PATIENT_PAUSES)
        yield self._unused(address.ip)
        yield self._gateway(gateway)
        return Way(address, gateway)

    def _slaac(self) -> Generator[Check, None, Way | None]:
        adverts = self._adverts(DHCP_PAUSES)
        if not adverts:
            message = f"no router advertised itself on {self.uplink} within {sum(DHCP_PAUSES):g} s"
            hint = "Check the switch port's VLAN, and that the router sends advertisements; or give a fixed address."
            yield Check("IPv6 router", Result.FAIL, message, hint)
            return None
        source = next((advert for advert in adverts if advert.prefixes), None)
        if source is None:
            managed = [advert for advert in adverts if advert.managed]
            message = (
                f"{listed([_router(advert) for advert in adverts])} on {self.uplink} advertises no network of 64 "
                "bits to make an address from" + ("; it wants addresses to be had by DHCPv6" if managed else "")
            )
            hint = "Ask for DHCPv6 instead, give a fixed address, or set the prefix's autonomous flag on the router."
            yield Check("IPv6 router", Result.FAIL, message, hint)
            return None
        prefix = source.prefixes[0]
        address = IPv6Interface((eui64(self.mac, prefix), prefix.prefixlen))
        yield Check("IPv6 router", Result.PASS, f"{address} from {listed([_router(advert) for advert in adverts])}")
        yield self._unused(address.ip)
        yield self._default(adverts)
        return Way(address, _first_default(adverts))

    def _dhcp(self) -> Generator[Check, None, Way | None]:
        self.say(f"asking for an IPv6 address on {self.uplink}, for at most {sum(DHCP_PAUSES):g} s")
        sender = self.network.link_local(self.device, self.mac)
        offers = self.network.offers6(self.device, self.mac, sender, DHCP_PAUSES)
        adverts = self._adverts(_ROUTER_PAUSES)
        good = [offer for offer in offers if offer.address]
        if not good:
            yield self._no_offer(offers, adverts)
            return None
        lease = self.network.take6(self.device, self.mac, sender, good[0])
        if lease is None or lease.address is None:
            why = f": {lease.refusal}" if lease else ""
            message = f"{good[0].server} offered {good[0].address} and then did not give it{why}"
            hint = "Look into the DHCPv6 server's log: is its range used up?"
            yield Check("DHCPv6", Result.FAIL, message, hint)
            return None
        if len(good) > 1:
            said = ", ".join(f"{offer.address} from {offer.server}" for offer in good)
            hint = "Is each of these servers meant to be there?"
            yield Check("DHCPv6", Result.WARN, f"{len(good)} DHCPv6 offers: {said}", hint)
        else:
            yield Check("DHCPv6", Result.PASS, f"{lease.address} from {lease.server}")
        yield self._default(adverts)
        return Way(IPv6Interface(lease.address), _first_default(adverts))

    def _no_offer(self, offers: Sequence[Lease6], adverts: Sequence[Advert]) -> Check:
        if offers:
            said = ", ".join(f"{offer.server} says: {offer.refusal}" for offer in offers)
            hint = "Look into the DHCPv6 server's log: has it a range for this network?"
            return Check("DHCPv6", Result.FAIL, f"no DHCPv6 server gives an address on {self.uplink}: {said}", hint)
        message = f"no DHCPv6 server answered on {self.uplink} within {sum(DHCP_PAUSES):g} s"
        hint = "Check the switch port's VLAN and the DHCPv6 server, or give a fixed address."
        with_prefix = [advert for advert in adverts if advert.prefixes]
        if with_prefix:
            message += f"; but {_router(with_prefix[0])} advertises {with_prefix[0].prefixes[0]}"
            hint = "Ask for an address from router advertisements (slaac), or check the DHCPv6 server."
        elif adverts:
            message += f"; a router is there: {listed([_router(advert) for advert in adverts])}"
        return Check("DHCPv6", Result.FAIL, message, hint)

    def _adverts(self, pauses: Sequence[float]) -> tuple[Advert, ...]:
        self.say(f"asking for routers on {self.uplink}, for at most {sum(pauses):g} s")
        sender = self.network.link_local(self.device, self.mac)
        return self.network.routers(self.device, self.mac, sender, pauses)

    def _unused(self, address: IPv6Address) -> Check:
        owners = self.network.neighbours(self.device, self.mac, address, None, ARP_PAUSES)
        # The installer itself may have got it, by another card in the same network.
        owners = tuple(owner for owner in owners if owner not in self.macs)
        if owners:
            message = f"{address} is a duplicate address: in use already, on {self.uplink}, by {listed(owners)}"
            return Check("IPv6 address", Result.FAIL, message, "Give the host an address of its own.")
        return Check("IPv6 address", Result.PASS, f"nobody else has {address}")

    def _gateway(self, gateway: IPv6Address | None) -> Check:
        if gateway is None:
            return Check("IPv6 gateway", Result.PASS, "there is none: only this network is reached")
        sender = self.network.link_local(self.device, self.mac)
        owners = self.network.neighbours(self.device, self.mac, gateway, sender, ARP_PAUSES)
        if not owners:
            adverts = self._adverts(_ROUTER_PAUSES)
            there = f"; but a router is there: {listed([_router(advert) for advert in adverts])}" if adverts else ""
            message = f"the gateway {gateway} does not answer on {self.uplink}{there}"
            hint = "Check the switch port's VLAN, the address and its prefix length, and the gateway."
            return Check("IPv6 gateway", Result.FAIL, message, hint)
        if len(owners) > 1:
            message = f"{len(owners)} machines answer for the gateway {gateway}: {listed(owners)}"
            return Check("IPv6 gateway", Result.WARN, message, "Somebody else may have taken its address.")
        return Check("IPv6 gateway", Result.PASS, f"{gateway} answers ({owners[0]})")

    def _default(self, adverts: Sequence[Advert]) -> Check:
        """Of an address that is not fixed: who advertises that it is a way out."""
        ways = [_router(advert) for advert in adverts if advert.default]
        if ways:
            return Check("IPv6 gateway", Result.PASS, f"{listed(ways)} advertises itself")
        message = f"no router on {self.uplink} advertises itself as a gateway: only this network is reached"
        return Check("IPv6 gateway", Result.WARN, message, "Is the router's lifetime in its advertisements 0?")


def _first_default(adverts: Sequence[Advert]) -> IPv6Address | None:
    return next((advert.router for advert in adverts if advert.default), None)


def _router(advert: Advert) -> str:
    return f"{advert.router} ({advert.mac})"


def listed(names: Sequence[object]) -> str:
    """With commas between them."""
    return ", ".join(map(str, names))

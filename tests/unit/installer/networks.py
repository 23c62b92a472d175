"""A model of a network that can be tried: which cards have a link, who answers where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv6Address

from zeroth.drivers.network.frames import Lease
from zeroth.drivers.network.frames6 import Advert, Lease6, eui64
from zeroth.drivers.network.trial import BondState, LinkState, Uplink, Way
from zeroth.errors import UserError

GATEWAY = IPv4Address("192.0.2.1")
GATEWAY_MAC = "02:00:00:00:00:01"


def lease(address: str = "192.0.2.77/24", server: str = "192.0.2.2", *, router: bool = True) -> Lease:
    return Lease(IPv4Interface(address), IPv4Address(server), (GATEWAY,) if router else ())


@dataclass
class ModelNetwork:
    """
    :ivar cables: cards that have no link are false here.
    :ivar leases: what is offered on each device, named as in :class:`Uplink`'s words (``VLAN 20 of eth0``); None
        offers the same everywhere.
    :ivar owners: who answers for each address on the device that is tried.
    :ivar most_mtus: what cards take, where they tell.
    :ivar given6: what is said when one of ``leases6`` is taken, where it is not the same.
    :ivar ways: by which name servers were asked.
    :ivar up: what is put up now.
    """

    cables: Mapping[str, bool] = field(default_factory=dict)
    leases: Mapping[str, Sequence[Lease]] | None = None
    gives: bool = True
    owners: Mapping[str, Sequence[str]] = field(default_factory=lambda: {"192.0.2.1": [GATEWAY_MAC]})
    state: BondState = field(default_factory=lambda: BondState("02:00:00:00:00:0a", ()))
    servers: Sequence[str] = ()
    most_mtus: Mapping[str, int] = field(default_factory=dict)
    refuses: str = ""
    adverts: Sequence[Advert] = ()
    leases6: Sequence[Lease6] = ()
    given6: Lease6 | None = None
    ways: list[Way] = field(default_factory=list)
    up: list[str] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)

    @contextmanager
    def device(self, uplink: Uplink) -> Iterator[str]:
        if self.refuses:
            raise UserError(self.refuses)
        self.up.append(str(uplink))
        self.tried.append(str(uplink))
        try:
            yield str(uplink)
        finally:
            self.up.remove(str(uplink))

    def link(self, name: str) -> LinkState:
        return LinkState("52:54:00:00:00:01", self.cables.get(name, True), self.most_mtus.get(name, 0))

    def bond(self, nics: Sequence[str]) -> BondState:
        return self.state

    def offers(self, device: str, mac: str, pauses: Sequence[float]) -> tuple[Lease, ...]:
        assert device in self.up
        return (lease(),) if self.leases is None else tuple(self.leases.get(device, ()))

    def take(self, device: str, mac: str, offer: Lease) -> Lease | None:
        assert self.leases is None or offer in self.leases[device]
        return offer if self.gives else None

    def who_has(
        self, device: str, mac: str, address: IPv4Address, sender: IPv4Address | None, pauses: Sequence[float]
    ) -> tuple[str, ...]:
        assert device in self.up
        return tuple(self.owners.get(str(address), ()))

    def resolvers(
        self, device: str, way: Way, servers: Sequence[IPv4Address | IPv6Address]
    ) -> tuple[IPv4Address | IPv6Address, ...]:
        assert device in self.up
        assert all(server.version == way.address.version for server in servers)
        self.ways.append(way)
        return tuple(server for server in servers if str(server) in self.servers)

    def link_local(self, device: str, mac: str) -> IPv6Address:
        assert device in self.up
        return eui64(mac)

    def neighbours(
        self, device: str, mac: str, address: IPv6Address, sender: IPv6Address | None, pauses: Sequence[float]
    ) -> tuple[str, ...]:
        assert device in self.up
        assert sender in (None, eui64(mac))
        return tuple(self.owners.get(str(address), ()))

    def routers(self, device: str, mac: str, sender: IPv6Address, pauses: Sequence[float]) -> tuple[Advert, ...]:
        assert device in self.up
        return tuple(self.adverts)

    def offers6(self, device: str, mac: str, sender: IPv6Address, pauses: Sequence[float]) -> tuple[Lease6, ...]:
        assert device in self.up
        return tuple(self.leases6)

    def take6(self, device: str, mac: str, sender: IPv6Address, offer: Lease6) -> Lease6 | None:
        assert offer in self.leases6
        return self.given6 if self.given6 else offer if self.gives else None

"""A model of a network that can be tried: which cards have a link, who answers where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface

from zeroth.drivers.network.frames import Lease
from zeroth.drivers.network.trial import BondState, LinkState, Uplink
from zeroth.drivers.network.trial6 import Advertisement
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
    :ivar routers6: what IPv6 routers say.
    :ivar taken: the IPv6 addresses that others have; ``owners6``: who answers for one.
    :ivar most_mtus: what cards take, where they tell.
    :ivar up: what is put up now.
    """

    cables: Mapping[str, bool] = field(default_factory=dict)
    leases: Mapping[str, Sequence[Lease]] | None = None
    gives: bool = True
    owners: Mapping[str, Sequence[str]] = field(default_factory=lambda: {"192.0.2.1": [GATEWAY_MAC]})
    state: BondState = field(default_factory=lambda: BondState("02:00:00:00:00:0a", ()))
    servers: Sequence[str] = ()
    most_mtus: Mapping[str, int] = field(default_factory=dict)
    routers6: Sequence[Advertisement] = ()
    taken: Sequence[str] = ()
    owners6: Mapping[str, str] = field(default_factory=dict)
    refuses: str = ""
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
        self, device: str, address: IPv4Interface, gateway: IPv4Address | None, servers: Sequence[IPv4Address]
    ) -> tuple[IPv4Address, ...]:
        assert device in self.up
        return tuple(server for server in servers if str(server) in self.servers)

    def routers(self, device: str, patience: float) -> tuple[Advertisement, ...]:
        assert device in self.up
        return tuple(self.routers6)

    def taken6(self, device: str, address: IPv6Address) -> bool:
        assert device in self.up
        return str(address) in self.taken

    def gateway6(self, device: str, address: IPv6Interface, gateway: IPv6Address) -> str:
        assert device in self.up
        return self.owners6.get(str(gateway), "")

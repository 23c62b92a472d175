"""Networks: addresses of both families, bonds, VLANs, and what each network is for."""

from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from zeroth.spec.fields import (
    AnyHostAddress,
    BridgeName,
    DomainName,
    HostAddress,
    HostAddress6,
    LinkName,
    NetworkName,
    NicName,
    ServerName,
    Url,
)
from zeroth.spec.model.base import STORED, Model, Secret, Switch

__all__ = [
    "BondMode", "BondSpec", "Dhcp6Address", "DhcpAddress", "Hashing", "LacpRate", "ManagementNetwork", "NetworkSpec",
    "NoAddress", "NtpSpec", "ProxySpec", "Purpose", "SlaacAddress", "Static6Address", "StaticAddress",
]  # fmt: skip

VlanTag = Annotated[int, Field(strict=True, ge=1, le=4094)]
Mtu = Annotated[int, Field(strict=True, ge=1280, le=9216)]


class NoAddress(Model):
    """No address of this family."""

    method: Literal["none"] = "none"


class DhcpAddress(Model):
    """An IPv4 address by DHCP."""

    method: Literal["dhcp"] = "dhcp"


class StaticAddress(Model):
    """A fixed IPv4 address.

    :ivar address: with prefix length, ``192.0.2.10/24``.
    """

    method: Literal["static"] = "static"
    address: IPv4Interface
    gateway: HostAddress | None = None

    @field_validator("address", mode="before")
    @classmethod
    def _has_a_prefix(cls, value: object) -> object:
        # IPv4Interface would take /32 when it is missing, and a host mask for a network mask.
        return _with_prefix(value, "192.0.2.10/24")

    @field_validator("address")
    @classmethod
    def _is_a_host(cls, address: IPv4Interface) -> IPv4Interface:
        network, ip = address.network, address.ip
        if ip.is_unspecified or ip.is_loopback or ip.is_multicast or ip.is_reserved:
            raise ValueError(f"{ip} cannot be the address of a host")
        if not network.prefixlen:
            raise ValueError("a prefix length of 0 makes the whole world local")
        if network.prefixlen < 31 and ip in (network.network_address, network.broadcast_address):
            raise ValueError(f"{ip} is the network or broadcast address of {network}")
        return address

    @field_validator("gateway")
    @classmethod
    def _is_near(cls, gateway: IPv4Address | None, info: ValidationInfo) -> IPv4Address | None:
        address: IPv4Interface | None = info.data.get("address")
        if gateway is None or address is None:
            return gateway
        network = address.network
        if gateway not in network:
            raise ValueError(f"the gateway {gateway} is not in the host's network {network}")
        if gateway == address.ip:
            raise ValueError(f"the gateway {gateway} is the host's own address")
        if network.prefixlen < 31 and gateway in (network.network_address, network.broadcast_address):
            raise ValueError(f"{gateway} is the network or broadcast address of {network}")
        return gateway


class SlaacAddress(Model):
    """An IPv6 address that the host makes from what routers advertise (RFC 4862)."""

    method: Literal["slaac"] = "slaac"


class Dhcp6Address(Model):
    """An IPv6 address by DHCPv6; the default route comes from router advertisements, as always."""

    method: Literal["dhcp"] = "dhcp"


class Static6Address(Model):
    """A fixed IPv6 address.

    :ivar address: with prefix length, ``2001:db8::10/64``.
    :ivar gateway: in the same network, or link-local.
    """

    method: Literal["static"] = "static"
    address: IPv6Interface
    gateway: HostAddress6 | None = None

    @field_validator("address", mode="before")
    @classmethod
    def _has_a_prefix(cls, value: object) -> object:
        return _with_prefix(value, "2001:db8::10/64")

    @field_validator("address")
    @classmethod
    def _is_a_host(cls, address: IPv6Interface) -> IPv6Interface:
        ip = address.ip
        if ip.is_unspecified or ip.is_loopback or ip.is_multicast or ip.is_link_local or ip.ipv4_mapped:
            raise ValueError(f"{ip} cannot be the fixed address of a host")
        if ip.scope_id:
            raise ValueError("a fixed address has no zone (%...)")
        if not address.network.prefixlen:
            raise ValueError("a prefix length of 0 makes the whole world local")
        return address

    @field_validator("gateway")
    @classmethod
    def _is_near(cls, gateway: IPv6Address | None, info: ValidationInfo) -> IPv6Address | None:
        address: IPv6Interface | None = info.data.get("address")
        if gateway is None or address is None:
            return gateway
        if gateway == address.ip:
            raise ValueError(f"the gateway {gateway} is the host's own address")
        if not gateway.is_link_local and gateway not in address.network:
            raise ValueError(f"the gateway {gateway} is not in the host's network {address.network}")
        return gateway


def _with_prefix(value: object, as_in: str) -> object:
    if isinstance(value, str) and not value.partition("/")[2].isdigit():
        raise ValueError(f"{value!r} is not an address with its prefix length, as in {as_in}")
    return value


class BondMode(StrEnum):
    """How the NICs of a bond work together."""

    ACTIVE_BACKUP = "active-backup"
    BALANCE_SLB = "balance-slb"
    """Each MAC address has its NIC, spread over them; needs nothing of the switch."""
    LACP = "lacp"
    """IEEE 802.1AX; the switch must be set up for it."""


class LacpRate(StrEnum):
    """How often LACP speaks: every 30 s or every second."""

    SLOW = "slow"
    FAST = "fast"


class Hashing(StrEnum):
    """What decides which NIC of an LACP bond a packet takes."""

    TCPUDP_PORTS = "tcpudp_ports"
    SRC_MAC = "src_mac"


class BondSpec(Model):
    """Several NICs as one.

    :ivar lacp_rate: with LACP only, as is ``hashing``.
    :ivar fallback: with LACP: until the switch answers, work as active-backup does, so that the host is reachable.
    """

    name: LinkName = "bond0"
    mode: BondMode = BondMode.ACTIVE_BACKUP
    nics: Annotated[tuple[NicName, ...], Field(min_length=2, max_length=8)]
    lacp_rate: LacpRate = LacpRate.SLOW
    hashing: Hashing = Hashing.TCPUDP_PORTS
    fallback: Switch = True

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if len(set(self.nics)) < len(self.nics):
            raise ValueError("a NIC is named twice in the bond")
        if self.mode is not BondMode.LACP:
            for name in ("lacp_rate", "hashing", "fallback"):
                if getattr(self, name) != type(self).model_fields[name].default:
                    raise ValueError(f"{name} is for the mode lacp, not for {self.mode}")
        return self


_Address = Annotated[NoAddress | DhcpAddress | StaticAddress, Field(discriminator="method")]
_Address6 = Annotated[NoAddress | SlaacAddress | Dhcp6Address | Static6Address, Field(discriminator="method")]


class _Network(Model):
    """What all networks have.

    :ivar nic: a MAC address, a kernel name, or the name of a bond that another network describes.
    :ivar bond: several NICs instead of one.
    :ivar vlan: 802.1Q tag, 1 to 4094.
    """

    nic: NicName | None = None
    bond: BondSpec | None = None
    vlan: VlanTag | None = None
    mtu: Mtu | None = None
    address: _Address = DhcpAddress.model_construct()
    address6: _Address6 = NoAddress.model_construct()

    @property
    def addressed(self) -> bool:
        """Whether the host has an address in this network, of either family."""
        return not (isinstance(self.address, NoAddress) and isinstance(self.address6, NoAddress))

    @model_validator(mode="after")
    def _one_uplink(self) -> Self:
        if self.nic and self.bond:
            raise ValueError("give either nic or bond, not both")
        return self


class ManagementNetwork(_Network):
    """The network on which the host is reached; it becomes a bridge on Open vSwitch.

    :ivar nic: None (and no bond) takes the only NIC with a link.
    :ivar dns: name servers; those of DHCP when none is given.
    :ivar search: domains in which bare names are looked for.
    :ivar bridge: name of the Open vSwitch bridge.
    :ivar try_first: the installer puts the network up and asks it before it writes to a disk, and installs nothing
        where it does not work.
    """

    dns: Annotated[tuple[AnyHostAddress, ...], Field(max_length=8)] = ()
    search: Annotated[tuple[DomainName, ...], Field(max_length=6)] = ()
    bridge: BridgeName = "xenbr0"
    try_first: Switch = True

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if not self.addressed:
            raise ValueError("the management network needs an address: IPv4, IPv6 or both")
        return self


class Purpose(StrEnum):
    """What a network besides management is for."""

    STORAGE = "storage"
    MIGRATION = "migration"
    GUESTS = "guests"


class NetworkSpec(_Network):
    """A network besides the management network; a bridge of its own on Open vSwitch.

    :ivar name: as it is called in the pool.
    :ivar nic: None (and no bond) means the NIC of the management network; ``vlan`` must tell the two apart.
    :ivar bridge: name of the Open vSwitch bridge; made from the name when it is not given.
    """

    name: NetworkName
    purposes: Annotated[tuple[Purpose, ...], Field(min_length=1, max_length=3)]
    address: _Address = NoAddress.model_construct()
    bridge: BridgeName | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if not (self.nic or self.bond or self.vlan):
            raise ValueError("give nic, bond or vlan: a network of its own needs one of them")
        for address in (self.address, self.address6):
            if getattr(address, "gateway", None):
                raise ValueError("only the management network has a gateway: it holds the default route")
        if len(set(self.purposes)) < len(self.purposes):
            raise ValueError("a purpose is named twice")
        if not self.addressed and set(self.purposes) != {Purpose.GUESTS}:
            raise ValueError("a network for storage or migration needs an address")
        return self


class NtpSpec(Model):
    """Where the time comes from.

    :ivar from_dhcp: servers that DHCP names are used as well.
    :ivar enabled: false leaves the clock alone.
    """

    enabled: Switch = True
    servers: Annotated[tuple[ServerName, ...], Field(max_length=16)] = ()
    pools: Annotated[tuple[DomainName, ...], Field(max_length=4)] = ()
    from_dhcp: Switch = True

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if not self.enabled and (self.servers or self.pools):
            raise ValueError("time servers are named, but the time shall not be set: leave out one of the two")
        return self


class ProxySpec(Model):
    """An HTTP proxy for what the host fetches.

    :ivar url: ``http://proxy.example.com:3128``.
    :ivar exceptions: names, domains and networks that are reached without it.
    """

    url: Url
    username: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\s:@/]+$")] | None = None
    password: Secret | None = None
    exceptions: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9.:/*_-]{1,253}$")], ...], Field(max_length=64)
    ] = ()

    @model_validator(mode="after")
    def _makes_sense(self, info: ValidationInfo) -> Self:
        if info.context != STORED and bool(self.username) != bool(self.password):
            raise ValueError("a proxy's username and password go together")
        return self

"""In words: networks, time servers, proxy, virtual functions of network cards."""

from __future__ import annotations

from zeroth.spec.explain.words import Rows, counted, listed, sentences
from zeroth.spec.model import (
    BondMode,
    BondSpec,
    Dhcp6Address,
    DhcpAddress,
    HostSpec,
    LinkState,
    ManagementNetwork,
    NetworkSpec,
    NoAddress,
    NtpSpec,
    ProxySpec,
    Purpose,
    SlaacAddress,
    SriovPolicy,
    Static6Address,
    StaticAddress,
    VfPurpose,
    VfSettings,
)

__all__ = ["network_rows"]

_BONDS = {
    BondMode.ACTIVE_BACKUP: "one works, the others stand by",
    BondMode.BALANCE_SLB: "traffic is spread by MAC address",
    BondMode.LACP: "LACP with the switch",
}
_PURPOSES = {Purpose.STORAGE: "storage", Purpose.MIGRATION: "migration", Purpose.GUESTS: "guests"}


def network_rows(spec: HostSpec) -> Rows:
    """The management network, further ones, and what goes with them."""
    return [
        ("Network", _management(spec.management)),
        *((f"Network {network.name}", _further(network)) for network in spec.networks),
        ("Time", _time(spec.ntp)),
        *([("Proxy", _proxy(spec.proxy))] if spec.proxy else []),
        *((f"SR-IOV {policy.nic}", _sriov(policy)) for policy in spec.sriov),
    ]


def _management(network: ManagementNetwork) -> str:
    dns = f"DNS {listed(network.dns)}" if network.dns else ""
    search = f"bare names are looked for in {listed(network.search)}" if network.search else ""
    trial = "" if network.try_first else "it is not tried before the disk is written to"
    return sentences(
        f"{_uplink(network, 'the only NIC with a link')}, on the bridge {network.bridge}", *_addresses(network), dns,
        search, trial,
    )  # fmt: skip


def _further(network: NetworkSpec) -> str:
    bridge = f"on the bridge {network.bridge}" if network.bridge else "on a bridge of its own"
    return sentences(
        f"for {listed(_PURPOSES[purpose] for purpose in network.purposes)}",
        f"{_uplink(network, 'the NIC of the management network')}, {bridge}", *_addresses(network),
    )  # fmt: skip


def _uplink(network: ManagementNetwork | NetworkSpec, otherwise: str) -> str:
    nic = f"NIC {network.nic}" if network.nic else otherwise
    return "".join([
        _bond(network.bond) if network.bond else nic,
        f", VLAN {network.vlan}" if network.vlan else "",
        f", MTU {network.mtu}" if network.mtu else "",
    ])  # fmt: skip


def _bond(bond: BondSpec) -> str:
    how = _BONDS[bond.mode]
    if bond.mode is BondMode.LACP:
        fallback = "works as active-backup" if bond.fallback else "is down"
        how += f", {bond.lacp_rate} rate, spread by {bond.hashing}; until the switch answers it {fallback}"
    return f"bond {bond.name} of the NICs {listed(bond.nics)} ({how})"


def _addresses(network: ManagementNetwork | NetworkSpec) -> list[str]:
    if not network.addressed:
        return ["the host has no address there"]
    return [_address(network.address), _address6(network.address6)]


def _address(address: NoAddress | DhcpAddress | StaticAddress) -> str:
    match address:
        case NoAddress():
            return "no IPv4 address"
        case DhcpAddress():
            return "address by DHCP"
    return f"address {address.address}, {_gateway(address)}"


def _address6(address: NoAddress | SlaacAddress | Dhcp6Address | Static6Address) -> str:
    match address:
        case NoAddress():
            return ""
        case SlaacAddress():
            return "IPv6 address from router advertisements"
        case Dhcp6Address():
            return "IPv6 address by DHCPv6"
    return f"IPv6 address {address.address}, {_gateway(address)}"


def _gateway(address: StaticAddress | Static6Address) -> str:
    return f"gateway {address.gateway}" if address.gateway else "no gateway"


def _time(ntp: NtpSpec) -> str:
    if not ntp.enabled:
        return "the clock is left alone"
    named = listed([*ntp.servers, *(f"the pool {pool}" for pool in ntp.pools)])
    by_dhcp = "the servers that DHCP names" if ntp.from_dhcp else ""
    return f"from {listed(filter(None, [named, by_dhcp])) or 'the time servers that the image knows'}"


def _proxy(proxy: ProxySpec) -> str:
    user = f"as {proxy.username}, with a password" if proxy.username else ""
    return sentences(
        " ".join(filter(None, [proxy.url, user])),
        f"not for {listed(proxy.exceptions)}" if proxy.exceptions else "",
    )


def _sriov(policy: SriovPolicy) -> str:
    many = "all virtual functions" if policy.functions == "max" else counted(policy.functions, "virtual function")
    whose = "kept for guests" if policy.purpose is VfPurpose.GUESTS else "used by domain 0"
    return sentences(f"{many}, {whose}", *map(_functions, policy.settings))


def _functions(settings: VfSettings) -> str:
    which = "all" if settings.functions is None else f"{settings.first}"
    if settings.last is not None and settings.last != settings.first:
        which += f" to {settings.last}"
    tag = f"VLAN {settings.vlan} ({settings.vlan_protocol})" if settings.vlan else "no VLAN tag"
    words = [
        tag if settings.vlan is not None else "",
        f"priority {settings.qos}" if settings.qos is not None else "",
        _on_off("address check", settings.spoof_check),
        _on_off("trust", settings.trust),
        _link(settings.link_state),
        f"at least {settings.min_rate} Mbit/s" if settings.min_rate else "",
        f"at most {settings.max_rate} Mbit/s" if settings.max_rate else "",
    ]
    return f"{which}: {', '.join(filter(None, words)) or 'as the driver has it'}"


def _link(state: LinkState | None) -> str:
    words = {LinkState.AUTO: "link as the port", LinkState.ENABLE: "link always up", LinkState.DISABLE: "link down"}
    return words[state] if state else ""


def _on_off(what: str, value: bool | None) -> str:
    return "" if value is None else f"{what} {'on' if value else 'off'}"

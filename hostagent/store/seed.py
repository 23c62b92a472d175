"""The first records of a host's store: pool, host, control domain, management network.

Made once, in one transaction, by first boot; made again with other values (the host got another address before it was
finished) they are brought up to date. What the machine knows better (versions, memory, processors, carriers) is
written by the agent at each of its starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Interface, IPv6Interface

from hostagent.store.store import Store
from hostagent.store.transaction import Transaction
from hostagent.xenapi.model import NULL, Value

__all__ = ["BondSeed", "ManagementSeed", "SeedHost", "SixSeed", "seed"]

_UNTAGGED = -1  # PIF.VLAN of a physical interface


@dataclass(frozen=True)
class BondSeed:
    """Several cards as one.

    :ivar mode: and ``properties``, in XenAPI's words.
    :ivar cards: name and MAC address of each; the first is the primary one, whose address the bond has.
    """

    mode: str
    properties: Mapping[str, str]
    cards: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class SixSeed:
    """IPv6 as it is.

    :ivar address: None while none has come.
    :ivar mode: PIF.ipv6_configuration_mode.
    """

    address: IPv6Interface | None
    mode: str
    gateway: str


@dataclass(frozen=True)
class ManagementSeed:
    """The management network as it is.

    :ivar device: the card, or the bond's name.
    :ivar bridge: the switch's bridge, which is the untagged network.
    :ivar vlan: the tag of the management traffic, if it has one; ``vlan_bridge`` is then the tagged network's bridge.
    :ivar address: None where there is no IPv4; ``six`` where no IPv6 is asked for.
    :ivar dns: name servers, in order.
    """

    device: str
    mac: str
    mtu: int
    bridge: str
    vlan: int | None
    vlan_bridge: str
    address: IPv4Interface | None
    dhcp: bool
    gateway: str
    dns: tuple[str, ...]
    bond: BondSeed | None = None
    six: SixSeed | None = None

    @property
    def ip(self) -> str:
        """Where the host is reached: by IPv4, where it has that."""
        address = self.address or (self.six and self.six.address)
        return str(address.ip) if address else ""


@dataclass(frozen=True)
class SeedHost:
    """The host as its HostSpec and first boot know it.

    :ivar memory: of dom0, bytes.
    :ivar vcpus: of dom0; None for as many as there are processors.
    """

    uuid: str
    control_domain: str
    hostname: str
    timezone: str
    memory: int
    vcpus: int | None
    management: ManagementSeed


def seed(store: Store, host: SeedHost) -> str:
    """Make the records, or bring them up to date.

    :returns: the host's reference.
    """
    with store.transaction() as tx:
        host_ref = _host(tx, host)
        _control_domain(tx, host, host_ref)
        _management(tx, host.management, host_ref)
        _pool(tx, host_ref)
    return host_ref


def _host(tx: Transaction, host: SeedHost) -> str:
    fields: dict[str, Value] = {
        "name_label": host.hostname,
        "hostname": host.hostname,
        "address": host.management.ip,
        "timezone": host.timezone,
        "enabled": True,
    }
    ref = _put(tx, "host", host.uuid, fields)
    if tx.get("host", ref)["metrics"] == NULL:
        tx.update("host", ref, metrics=tx.create("host_metrics", {}))
    return ref


def _control_domain(tx: Transaction, host: SeedHost, host_ref: str) -> None:
    memory = {f"memory_{name}": host.memory for name in ("target", "static_max", "dynamic_max", "dynamic_min")}
    fields: dict[str, Value] = {
        "name_label": f"Control domain on host: {host.hostname}",
        "name_description": "The domain which manages physical devices and manages other domains",
        "is_control_domain": True,
        "power_state": "Running",
        "resident_on": host_ref,
        "affinity": host_ref,
        "domid": 0,
        "domain_type": "pv",
        "actions_after_crash": "restart",
        **memory,
    }
    if host.vcpus is not None:
        fields |= {"VCPUs_max": host.vcpus, "VCPUs_at_startup": host.vcpus}
    ref = _put(tx, "VM", host.control_domain, fields)
    if tx.get("VM", ref)["metrics"] == NULL:
        tx.update("VM", ref, metrics=tx.create("VM_metrics", {"memory_actual": host.memory}))
    tx.update("host", host_ref, control_domain=ref)


def _management(tx: Transaction, management: ManagementSeed, host_ref: str) -> None:
    address: dict[str, Value] = {
        "management": True,
        "DNS": ",".join(management.dns),
        "primary_address_type": "IPv4" if management.address else "IPv6",
        **_four(management),
        **_six(management.six),
    }
    tagged = management.vlan is not None
    network = _network(tx, management.bridge, f"Pool-wide network associated with {management.device}", management.mtu)
    pif = _pif(
        tx,
        management,
        host_ref,
        network,
        VLAN=_UNTAGGED,
        physical=management.bond is None,
        **(
            {"management": False, "ip_configuration_mode": "None", "ipv6_configuration_mode": "None"}
            if tagged
            else address
        ),
    )
    if management.bond:
        _bond(tx, management, management.bond, host_ref, pif)
    if management.vlan is None:
        return
    name = f"Management network, VLAN {management.vlan} on {management.device}"
    vlan_network = _network(tx, management.vlan_bridge, name, management.mtu)
    vlan_pif = _pif(tx, management, host_ref, vlan_network, VLAN=management.vlan, physical=False, **address)
    if tx.get("PIF", vlan_pif)["VLAN_master_of"] == NULL:
        vlan = tx.create("VLAN", {"tagged_PIF": pif, "untagged_PIF": vlan_pif, "tag": management.vlan})
        tx.update("PIF", vlan_pif, VLAN_master_of=vlan)


def _four(management: ManagementSeed) -> dict[str, Value]:
    if management.address is None:
        return {"ip_configuration_mode": "None", "IP": "", "netmask": "", "gateway": ""}
    return {
        "ip_configuration_mode": "DHCP" if management.dhcp else "Static",
        "IP": str(management.address.ip),
        "netmask": str(management.address.netmask),
        "gateway": management.gateway,
    }


def _six(six: SixSeed | None) -> dict[str, Value]:
    if six is None:
        return {"ipv6_configuration_mode": "None", "IPv6": [], "ipv6_gateway": ""}
    addresses: list[Value] = [str(six.address)] if six.address else []
    return {"ipv6_configuration_mode": six.mode, "IPv6": addresses, "ipv6_gateway": six.gateway}


def _bond(tx: Transaction, management: ManagementSeed, bond: BondSeed, host_ref: str, master: str) -> None:
    found = next((ref for ref, record in tx.all("Bond").items() if record["master"] == master), None)
    ref = found or tx.create("Bond", {"master": master})
    members = []
    for device, mac in bond.cards:
        card = replace(management, device=device, mac=mac)
        known = (pif for pif in tx.all("PIF").values() if (pif["device"], pif["host"]) == (device, host_ref))
        network = next((pif["network"] for pif in known), None)
        if network is None:
            # Every interface has a network; this one has no bridge, as the card serves the bond alone.
            name = f"Pool-wide network associated with {device}"
            network = tx.create("network", {"name_label": name, "bridge": "", "MTU": management.mtu})
        members.append(_pif(tx, card, host_ref, network, VLAN=_UNTAGGED, physical=True, bond_slave_of=ref))
    tx.update("Bond", ref, mode=bond.mode, properties=dict(bond.properties), primary_slave=members[0])


def _network(tx: Transaction, bridge: str, name: str, mtu: int) -> str:
    for ref, record in tx.all("network").items():
        if record["bridge"] == bridge:
            return ref
    return tx.create("network", {"name_label": name, "bridge": bridge, "MTU": mtu})


def _pif(tx: Transaction, card: ManagementSeed, host_ref: str, network: str, **fields: Value) -> str:
    fields |= {
        "device": card.device,
        "MAC": card.mac,
        "MTU": card.mtu,
        "host": host_ref,
        "network": network,
        "currently_attached": True,
    }
    for ref, record in tx.all("PIF").items():
        if all(record[name] == fields[name] for name in ("host", "device", "VLAN")):
            tx.update("PIF", ref, **fields)
            return ref
    return tx.create("PIF", {**fields, "metrics": tx.create("PIF_metrics", {})})


def _pool(tx: Transaction, host_ref: str) -> None:
    if not tx.all("pool"):
        tx.create("pool", {"master": host_ref})


def _put(tx: Transaction, cls: str, uuid: str, fields: dict[str, Value]) -> str:
    for ref, record in tx.all(cls).items():
        if record["uuid"] == uuid:
            tx.update(cls, ref, **fields)
            return ref
    return tx.create(cls, {"uuid": uuid, **fields})

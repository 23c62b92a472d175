"""The first records of the agent's store: from here on it is the desired state."""

from __future__ import annotations

from firstboot.context import Context, Step
from hostagent.store import Store
from hostagent.store.seed import BondSeed, ManagementSeed, SeedHost, SixSeed, seed
from zeroth.drivers.network.guard import Outcome
from zeroth.drivers.network.model import Link
from zeroth.spec.model import (
    BondMode,
    BondSpec,
    Dhcp6Address,
    NoAddress,
    SlaacAddress,
    Static6Address,
    StaticAddress,
)

__all__ = ["AGENT_USER", "SEED"]

AGENT_USER = "zeroth"


def _apply(context: Context) -> str:
    with Store(context.paths.store) as store:
        seed(store, _host(context))
    # The agent does not run as root.
    for path in sorted(context.paths.store_folder.glob(f"{context.paths.store.name}*")):
        context.system.give(path, AGENT_USER)
    return ""


def _host(context: Context) -> SeedHost:
    spec, outcome = context.spec, context.management
    nic, bond = outcome.nics[0], spec.management.bond
    static = spec.management.address if isinstance(spec.management.address, StaticAddress) else None
    return SeedHost(
        uuid=str(context.identity.host),
        control_domain=str(context.identity.control_domain),
        hostname=spec.hostname,
        timezone=spec.timezone,
        memory=spec.dom0.memory,
        vcpus=spec.dom0.vcpus,
        management=ManagementSeed(
            device=bond.name if bond else nic.name,
            mac=_mac(nic),
            mtu=outcome.link.mtu,
            bridge=spec.management.bridge,
            vlan=spec.management.vlan,
            vlan_bridge=outcome.link.name,
            address=outcome.addresses.four,
            dhcp=static is None,
            gateway=str(static.gateway or "") if static else outcome.link.gateway,
            six=_six(spec.management.address6, outcome),
            dns=outcome.link.dns or tuple(map(str, spec.management.dns)),
            bond=_bond(bond, outcome) if bond else None,
        ),
    )


def _six(wanted: NoAddress | SlaacAddress | Dhcp6Address | Static6Address, outcome: Outcome) -> SixSeed | None:
    if isinstance(wanted, NoAddress):
        return None
    mode = {"slaac": "Autoconf", "dhcp": "DHCP"}.get(wanted.method, "Static")
    gateway = str(wanted.gateway or "") if isinstance(wanted, Static6Address) else outcome.link.gateway6
    return SixSeed(outcome.addresses.six, mode, gateway)


def _bond(bond: BondSpec, outcome: Outcome) -> BondSeed:
    properties = {}
    if bond.mode is BondMode.LACP:
        fallback = "true" if bond.fallback else "false"
        properties = {
            "hashing_algorithm": bond.hashing.value,
            "lacp-time": bond.lacp_rate.value,
            "lacp-fallback-ab": fallback,
        }
    return BondSeed(bond.mode.value, properties, tuple((nic.name, _mac(nic)) for nic in outcome.nics))


def _mac(nic: Link) -> str:
    return nic.permanent_mac or nic.mac


SEED = Step(
    "seed",
    "Records of the host agent",
    lambda context: [str(context.identity.host), context.spec.hostname, *context.addresses],
    _apply,
)

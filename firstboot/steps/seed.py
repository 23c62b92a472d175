"""The first records of the agent's store: from here on it is the desired state."""

from __future__ import annotations

from firstboot.context import Context, Step
from hostagent.store import Store
from hostagent.store.seed import ManagementSeed, SeedHost, seed
from zeroth.spec.model import StaticAddress

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
    static = spec.management.address if isinstance(spec.management.address, StaticAddress) else None
    return SeedHost(
        uuid=str(context.identity.host),
        control_domain=str(context.identity.control_domain),
        hostname=spec.hostname,
        timezone=spec.timezone,
        memory=spec.dom0.memory,
        vcpus=spec.dom0.vcpus,
        management=ManagementSeed(
            device=outcome.nic.name,
            mac=outcome.nic.permanent_mac or outcome.nic.mac,
            mtu=outcome.nic.mtu,
            bridge=spec.management.bridge,
            vlan=spec.management.vlan,
            vlan_bridge=outcome.link.name,
            address=outcome.address,
            dhcp=static is None,
            gateway=str(static.gateway or "") if static else outcome.link.gateway,
            dns=outcome.link.dns or tuple(map(str, spec.management.dns)),
        ),
    )


SEED = Step(
    "seed",
    "Records of the host agent",
    lambda context: [str(context.identity.host), context.spec.hostname, context.address],
    _apply,
)

"""From what is and what shall be to what to do. Pure.

The order matters, so that the host is never without management for longer than it takes: files first (networkd does
not look yet), then the switch in one transaction, then networkd is told.
"""

from __future__ import annotations

from collections.abc import Sequence

from zeroth.drivers.network.model import (
    Action,
    AddBridge,
    AddPort,
    Bonding,
    Bridge,
    ChangeSwitch,
    Link,
    Observed,
    Port,
    ReloadNetworkd,
    RemoveBridge,
    RemoveFile,
    RemovePort,
    Role,
    SetBridge,
    SetPort,
    State,
    SwitchChange,
    WriteFile,
)
from zeroth.drivers.network.networkd import BRIDGE_FILE, MANAGEMENT_FILE, UPLINK_FILE, networkd_files
from zeroth.errors import ExitCode, UserError
from zeroth.spec.model import BondMode, BondSpec, Hashing, ManagementNetwork

__all__ = ["VLAN_PORT", "desired_state", "management_link", "plan"]

# A switch port that came up may stay blocked for 30 s by spanning tree: until then the other card serves better. Where
# no card is in use Open vSwitch takes the first one at once; LACP itself tells when a port is ready.
_UPDELAY = 31000

VLAN_PORT = "mgmt0"
"""The internal port that carries the address when the management traffic is tagged."""


def management_link(management: ManagementNetwork) -> str:
    """The name of the link that gets the management address: the bridge itself, or a tagged port of it."""
    return management.bridge if management.vlan is None else VLAN_PORT


def desired_state(management: ManagementNetwork, nics: Sequence[Link]) -> State:
    """The switch and the files that make this management network.

    :param nics: the card that carries it, or those of its bond, whose first one gives the host its MAC address.
    """
    mac, mtu = nics[0].permanent_mac or nics[0].mac, management.mtu
    name, bond = nics[0].name, None
    if management.bond:
        name, bond = management.bond.name, _bonding(management.bond, nics)
    ports = [Port(name, role=Role.UPLINK, mtu=mtu, bond=bond)]
    if management.vlan is not None:
        tag = management.vlan
        ports.append(Port(VLAN_PORT, "internal", tag, mac, fake_bridge=True, role=Role.MANAGEMENT, mtu=mtu))
    # Each internal port is told its MTU: the switch would lower it to that of the first guest's interface.
    bridge = Bridge(management.bridge, hwaddr=mac, role=Role.MANAGEMENT, ports=tuple(ports), mtu=mtu)
    return State((bridge,), networkd_files(management, nics, management_link(management)))


def _bonding(bond: BondSpec, nics: Sequence[Link]) -> Bonding:
    """Open vSwitch's words for a bond: ovs-vswitchd.conf.db(5), "Bonding Configuration"."""
    members = tuple(sorted(nic.name for nic in nics))
    if bond.mode is not BondMode.LACP:
        return Bonding(members, bond.mode.value, updelay=_UPDELAY)
    mode = {Hashing.TCPUDP_PORTS: "balance-tcp", Hashing.SRC_MAC: "balance-slb"}[bond.hashing]
    fallback = "true" if bond.fallback else "false"
    return Bonding(members, mode, "active", 0, (("lacp-fallback-ab", fallback), ("lacp-time", bond.lacp_rate.value)))


def plan(observed: Observed, wanted: State) -> tuple[Action, ...]:
    """The actions that make what is ours on this machine equal to ``wanted``; none when it is so already.

    :raises UserError: when something that is not ours stands in the way.
    """
    _check(observed, wanted)
    actions: list[Action] = [
        WriteFile(name, content)
        for name, content in sorted(wanted.files.items())
        if observed.files.get(name) != content
    ]
    actions += [RemoveFile(name) for name in sorted(observed.files) if name not in wanted.files]
    changes = _switch_changes(observed, wanted)
    if changes:
        actions.append(ChangeSwitch(changes))
    links = _links_to_reload(observed, wanted)
    if actions or links:
        actions.append(ReloadNetworkd(links))
    return tuple(actions)


def _check(observed: Observed, wanted: State) -> None:
    for bridge in wanted.bridges:
        for name in (name for port in bridge.ports for name in port.interfaces):
            holder = observed.bridge_of(name)
            if holder is not None and not holder.role and holder.name != bridge.name:
                raise UserError(
                    f"{name} already belongs to the Open vSwitch bridge {holder.name}, which zeroth did not make",
                    f"Remove it from there (ovs-vsctl del-port {holder.name} {name}) or choose another card.",
                    code=ExitCode.MACHINE,
                )
        link = observed.link(bridge.name)
        if link is not None and link.physical:
            raise UserError(
                f"the bridge cannot be called {bridge.name}: a network card has that name",
                "Choose another name (management.bridge).",
            )


def _switch_changes(observed: Observed, wanted: State) -> tuple[SwitchChange, ...]:
    have = {bridge.name: bridge for bridge in observed.bridges}
    want = {bridge.name: bridge for bridge in wanted.bridges}
    # Removals come first: a NIC can be in one bridge only, also within a transaction as we apply it.
    changes: list[SwitchChange] = [
        RemoveBridge(bridge.name) for bridge in observed.bridges if bridge.role and bridge.name not in want
    ]
    for name, bridge in sorted(want.items()):
        changes += _port_removals(have.get(name), bridge)
    for name, bridge in sorted(want.items()):
        changes += _bridge_changes(have.get(name), bridge)
    return tuple(changes)


def _port_removals(old: Bridge | None, new: Bridge) -> list[SwitchChange]:
    gone: list[SwitchChange] = []
    for port in old.ports if old else ():
        stays = new.port(port.name)
        if (port.role and stays is None) or (stays is not None and not _alike(port, stays)):
            gone.append(RemovePort(new.name, port.name))
    return gone


def _bridge_changes(old: Bridge | None, new: Bridge) -> list[SwitchChange]:
    changes: list[SwitchChange] = []
    if old is None or not old.role:
        # A bridge of that name which has no role (somebody made it by hand) becomes ours; its ports stay.
        changes.append(AddBridge(new.name, new.hwaddr, new.role, new.mtu))
    elif (old.hwaddr, old.mtu) != (new.hwaddr, new.mtu):
        changes.append(SetBridge(new.name, new.hwaddr, new.mtu))
    for port in new.ports:
        before = old.port(port.name) if old else None
        if before is None or not _alike(before, port):
            changes.append(AddPort(new.name, port))
        elif before != port:
            changes.append(SetPort(new.name, port))
    return changes


def _alike(old: Port, new: Port) -> bool:
    """Whether the one becomes the other by its settings, without being made anew."""
    return (old.type, old.interfaces) == (new.type, new.interfaces)


def _links_to_reload(observed: Observed, wanted: State) -> tuple[str, ...]:
    """The links that networkd does not yet run from the file they shall have."""
    links = []
    for bridge in wanted.bridges:
        tagged = [port.name for port in bridge.ports if port.role is Role.MANAGEMENT]
        uplinks = [name for port in bridge.ports if port.role is Role.UPLINK for name in port.interfaces]
        expected = dict.fromkeys(uplinks, UPLINK_FILE)
        expected[bridge.name] = BRIDGE_FILE if tagged else MANAGEMENT_FILE
        expected.update(dict.fromkeys(tagged, MANAGEMENT_FILE))
        for name, file in expected.items():
            link = observed.link(name)
            running = link.network_file.rsplit("/", 1)[-1] if link else ""
            if file in wanted.files and (running != file or wanted.files[file] != observed.files.get(file)):
                links.append(name)
    return tuple(sorted(links))

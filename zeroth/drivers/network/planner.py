"""From what is and what shall be to what to do. Pure.

The order matters, so that the host is never without management for longer than it takes: files first (networkd does
not look yet), then the switch in one transaction, then networkd is told.
"""

from __future__ import annotations

from zeroth.drivers.network.model import (
    Action,
    AddBridge,
    AddPort,
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
from zeroth.spec.model import ManagementNetwork

__all__ = ["VLAN_PORT", "desired_state", "management_link", "plan"]

VLAN_PORT = "mgmt0"
"""The internal port that carries the address when the management traffic is tagged."""


def management_link(management: ManagementNetwork) -> str:
    """The name of the link that gets the management address: the bridge itself, or a tagged port of it."""
    return management.bridge if management.vlan is None else VLAN_PORT


def desired_state(management: ManagementNetwork, nic: Link) -> State:
    """The switch and the files that make this management network on this NIC."""
    mac = nic.permanent_mac or nic.mac
    ports = [Port(nic.name, role=Role.UPLINK)]
    if management.vlan is not None:
        port = Port(VLAN_PORT, "internal", management.vlan, mac, fake_bridge=True, role=Role.MANAGEMENT)
        ports.append(port)
    bridge = Bridge(management.bridge, hwaddr=mac, role=Role.MANAGEMENT, ports=tuple(ports))
    return State((bridge,), networkd_files(management, nic, management_link(management)))


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
        for port in bridge.ports:
            holder = observed.bridge_of(port.name)
            if holder is not None and not holder.role and holder.name != bridge.name:
                raise UserError(
                    f"{port.name} already belongs to the Open vSwitch bridge {holder.name}, which zeroth did not make",
                    f"Remove it from there (ovs-vsctl del-port {holder.name} {port.name}) or choose another card.",
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
        if (port.role and stays is None) or (stays is not None and stays.type != port.type):
            gone.append(RemovePort(new.name, port.name))
    return gone


def _bridge_changes(old: Bridge | None, new: Bridge) -> list[SwitchChange]:
    changes: list[SwitchChange] = []
    if old is None or not old.role:
        # A bridge of that name which has no role (somebody made it by hand) becomes ours; its ports stay.
        changes.append(AddBridge(new.name, new.hwaddr, new.role))
    elif old.hwaddr != new.hwaddr:
        changes.append(SetBridge(new.name, new.hwaddr))
    for port in new.ports:
        before = old.port(port.name) if old else None
        if before is None or before.type != port.type:
            changes.append(AddPort(new.name, port))
        elif before != port:
            changes.append(SetPort(new.name, port))
    return changes


def _links_to_reload(observed: Observed, wanted: State) -> tuple[str, ...]:
    """The links that networkd does not yet run from the file they shall have."""
    links = []
    for bridge in wanted.bridges:
        tagged = [port.name for port in bridge.ports if port.role is Role.MANAGEMENT]
        expected = {port.name: UPLINK_FILE for port in bridge.ports if port.role is Role.UPLINK}
        expected[bridge.name] = BRIDGE_FILE if tagged else MANAGEMENT_FILE
        expected.update(dict.fromkeys(tagged, MANAGEMENT_FILE))
        for name, file in expected.items():
            link = observed.link(name)
            running = link.network_file.rsplit("/", 1)[-1] if link else ""
            if file in wanted.files and (running != file or wanted.files[file] != observed.files.get(file)):
                links.append(name)
    return tuple(sorted(links))

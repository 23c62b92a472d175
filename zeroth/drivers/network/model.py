"""What the network driver sees, wants and does, as values.

:class:`Observed` is what the machine has; :class:`State` is the part of it that is ours to change (switch and files),
either rendered from a HostSpec or saved before a change so that it can be taken back; actions lead from the one to the
other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

from pydantic import TypeAdapter

__all__ = [
    "Action",
    "AddBridge",
    "AddPort",
    "Address",
    "Bonding",
    "Bridge",
    "ChangeSwitch",
    "Link",
    "Observed",
    "Port",
    "ReloadNetworkd",
    "RemoveBridge",
    "RemoveFile",
    "RemovePort",
    "Role",
    "SetBridge",
    "SetPort",
    "State",
    "SwitchChange",
    "WriteFile",
    "observed_from_json",
    "state_from_json",
    "to_json",
]


class Role(StrEnum):
    """Why a bridge or port is there, kept in its ``external_ids:zeroth``. We change nothing that has no role."""

    NONE = ""
    MANAGEMENT = "management"
    UPLINK = "uplink"


@dataclass(frozen=True)
class Address:
    """An address of a link.

    :ivar address: with prefix length, ``192.0.2.10/24``.
    :ivar dynamic: it came by DHCP, or from a router's advertisement, for a limited time.
    :ivar tentative: of IPv6: whether somebody else has it is still being asked, and it is not used meanwhile.
    :ivar duplicate: of IPv6: somebody else has it, and it is not used.
    """

    address: str
    dynamic: bool = False
    tentative: bool = False
    duplicate: bool = False


@dataclass(frozen=True)
class Link:
    """A network device of dom0.

    :ivar mac: the address in use, lower case with colons; empty for a device that has none.
    :ivar permanent_mac: the address burnt in, where the driver tells it.
    :ivar carrier: whether it has a link; None while the device is down, when nobody knows.
    :ivar physical: a NIC: not a bridge, VLAN, tunnel, virtual function or guest's interface.
    :ivar driver: the kernel driver's name.
    :ivar bus: where the device sits, as in ``0000:00:03.0``.
    :ivar speed: Mbit/s, None when not known.
    :ivar network_file: the .network file that systemd-networkd uses for it, empty for none.
    :ivar setup: networkd's word for how far it is: ``configured``, ``configuring``, ``failed``, ``unmanaged``...
    :ivar addresses: of IPv4; ``addresses6`` those of IPv6 but the link-local ones.
    :ivar gateway: of the default route of IPv4 through it; empty for none. ``gateway6`` likewise.
    :ivar dns: name servers that networkd has for it, from its file or by DHCP; ``ntp`` likewise.
    """

    name: str
    mac: str = ""
    permanent_mac: str = ""
    up: bool = False
    carrier: bool | None = None
    physical: bool = False
    driver: str = ""
    bus: str = ""
    mtu: int = 1500
    speed: int | None = None
    addresses: tuple[Address, ...] = ()
    network_file: str = ""
    setup: str = ""
    gateway: str = ""
    dns: tuple[str, ...] = ()
    ntp: tuple[str, ...] = ()
    addresses6: tuple[Address, ...] = ()
    gateway6: str = ""


@dataclass(frozen=True)
class Bonding:
    """How several interfaces are one port, in Open vSwitch's words (ovs-vswitchd.conf.db(5), table Port).

    :ivar members: the interfaces, sorted: the switch knows no order.
    :ivar mode: ``bond_mode``.
    :ivar lacp: ``active``, or None for a bond that the other side need not know of.
    :ivar updelay: ms for which a link must have been up again before it is used, where another one is in use.
    :ivar options: those keys of ``other_config`` that are ours, with their values, sorted.
    """

    members: tuple[str, ...]
    mode: str
    lacp: str | None = None
    updelay: int = 0
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Port:
    """A port of a bridge, with one interface of its own name, or with several as a bond.

    :ivar type: Open vSwitch's interface type; empty is a device of the system.
    :ivar tag: access VLAN; None carries all VLANs.
    :ivar fake_bridge: the port counts as a bridge of its own for that VLAN, to which guests can be attached by name.
    :ivar mac: pinned address of an internal port.
    :ivar mtu: what its interfaces are set to; None leaves it to the switch, which gives internal ones the lowest of
        the bridge.
    :ivar bond: None for a port with one interface.
    :ivar error: what the switch daemon says is wrong with it; only observed.
    """

    name: str
    type: str = ""
    tag: int | None = None
    mac: str | None = None
    fake_bridge: bool = False
    role: Role = Role.NONE
    error: str = field(default="", compare=False)
    mtu: int | None = None
    bond: Bonding | None = None

    @property
    def interfaces(self) -> tuple[str, ...]:
        """The names of its interfaces."""
        return self.bond.members if self.bond else (self.name,)


@dataclass(frozen=True)
class Bridge:
    """A bridge of Open vSwitch; its local port, named like the bridge, is not listed.

    :ivar hwaddr: the pinned MAC address (``other_config:hwaddr``).
    :ivar mtu: of its local port, as :attr:`Port.mtu`.
    """

    name: str
    hwaddr: str | None = None
    role: Role = Role.NONE
    ports: tuple[Port, ...] = ()
    mtu: int | None = None

    def port(self, name: str) -> Port | None:
        """The port of that name, if there is one."""
        return next((port for port in self.ports if port.name == name), None)


@dataclass(frozen=True)
class State:
    """What is ours to change.

    :ivar bridges: bridges with a role, and of their ports those with a role.
    :ivar files: content of the files in networkd's folder that we made, by name.
    """

    bridges: tuple[Bridge, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Observed:
    """What the machine has: facts that can be recorded.

    :ivar bridges: all bridges with all their ports, also those that are not ours.
    :ivar files: see :class:`State`.
    """

    links: tuple[Link, ...] = ()
    bridges: tuple[Bridge, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)

    def link(self, name: str) -> Link | None:
        """The link of that name, if there is one."""
        return next((link for link in self.links if link.name == name), None)

    def bridge(self, name: str) -> Bridge | None:
        """The bridge of that name, if there is one."""
        return next((bridge for bridge in self.bridges if bridge.name == name), None)

    def bridge_of(self, interface: str) -> Bridge | None:
        """The bridge that has the interface in one of its ports."""
        return next((bridge for bridge in self.bridges for port in bridge.ports if interface in port.interfaces), None)

    def ours(self) -> State:
        """The part that is ours to change: what a change must save so that it can be taken back."""
        return State(
            bridges=tuple(
                replace(bridge, ports=tuple(port for port in bridge.ports if port.role))
                for bridge in self.bridges
                if bridge.role
            ),
            files=dict(self.files),
        )


@dataclass(frozen=True)
class WriteFile:
    """Put a file into networkd's folder."""

    name: str
    content: str
    do: Literal["write-file"] = "write-file"


@dataclass(frozen=True)
class RemoveFile:
    """Take a file of ours out of networkd's folder."""

    name: str
    do: Literal["remove-file"] = "remove-file"


@dataclass(frozen=True)
class AddBridge:
    """Make a bridge, without ports but its local one."""

    bridge: str
    hwaddr: str | None
    role: Role
    mtu: int | None = None
    do: Literal["add-bridge"] = "add-bridge"


@dataclass(frozen=True)
class SetBridge:
    """Pin a bridge's MAC address and MTU, or take the pin away."""

    bridge: str
    hwaddr: str | None
    mtu: int | None = None
    do: Literal["set-bridge"] = "set-bridge"


@dataclass(frozen=True)
class RemoveBridge:
    """Remove a bridge of ours with all its ports."""

    bridge: str
    do: Literal["remove-bridge"] = "remove-bridge"


@dataclass(frozen=True)
class AddPort:
    """Make a port."""

    bridge: str
    port: Port
    do: Literal["add-port"] = "add-port"


@dataclass(frozen=True)
class SetPort:
    """Give a port its tag, MAC address, MTU and role, and a bond its settings; its interfaces stay."""

    bridge: str
    port: Port
    do: Literal["set-port"] = "set-port"


@dataclass(frozen=True)
class RemovePort:
    """Remove a port."""

    bridge: str
    port: str
    do: Literal["remove-port"] = "remove-port"


SwitchChange = AddBridge | SetBridge | RemoveBridge | AddPort | SetPort | RemovePort


@dataclass(frozen=True)
class ChangeSwitch:
    """Change the switch database: all of it in one transaction, or none."""

    changes: tuple[SwitchChange, ...]
    do: Literal["change-switch"] = "change-switch"


@dataclass(frozen=True)
class ReloadNetworkd:
    """Let networkd read its files and apply them to these links, which may appear only now."""

    links: tuple[str, ...]
    do: Literal["reload-networkd"] = "reload-networkd"


Action = WriteFile | RemoveFile | ChangeSwitch | ReloadNetworkd

_STATE = TypeAdapter(State)
_OBSERVED = TypeAdapter(Observed)


def to_json(value: State | Observed) -> str:
    """Write a state or recorded facts as JSON."""
    adapter = _STATE if isinstance(value, State) else _OBSERVED
    return adapter.dump_json(value, indent=2).decode()  # type: ignore[arg-type]


def state_from_json(text: str) -> State:
    """Read what :func:`to_json` wrote.

    :raises pydantic.ValidationError: when it is something else.
    """
    return _STATE.validate_json(text)


def observed_from_json(text: str) -> Observed:
    """Read recorded facts.

    :raises pydantic.ValidationError: when it is something else.
    """
    return _OBSERVED.validate_json(text)

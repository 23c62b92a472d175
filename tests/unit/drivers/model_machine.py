"""A model of a machine with NICs, Open vSwitch and systemd-networkd: it obeys actions the way the real ones do."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface

from zeroth.drivers.network.guard import Wait
from zeroth.drivers.network.model import (
    Action,
    AddBridge,
    AddPort,
    Address,
    Bridge,
    ChangeSwitch,
    Link,
    Observed,
    Port,
    ReloadNetworkd,
    RemoveBridge,
    RemoveFile,
    RemovePort,
    SetBridge,
    SetPort,
    SwitchChange,
    WriteFile,
)
from zeroth.spec.model import Static6Address, StaticAddress

ETH0 = Link(
    "eth0", "52:54:00:00:00:01", "52:54:00:00:00:01", up=True, carrier=True, physical=True, driver="virtio_net"
)
STATIC = StaticAddress(address=IPv4Interface("192.0.2.10/24"), gateway=IPv4Address("192.0.2.1"))
STATIC6 = Static6Address(address=IPv6Interface("2001:db8::10/64"), gateway=IPv6Address("fe80::1"))


class Clock:
    """Time passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def wait(self) -> Wait:
        return Wait(sleep=self.sleep, clock=lambda: self.now, raise_links=lambda names: None)

    def sleep(self, seconds: float) -> None:
        self.now += max(seconds, 1.0)


class PowerCut(BaseException):
    """The machine stopped here."""


@dataclass
class ModelMachine:
    """
    :ivar lease: what a DHCP server answers, None for no server.
    :ivar lease_vlan: the VLAN on which it answers.
    :ivar routed: the address that comes from routers, None for no router; ``lease6`` that of DHCPv6.
    :ivar duplicates: addresses that somebody else has.
    :ivar most_mtu: what the cards take.
    :ivar cut_after: the power fails when this many actions are done.
    """

    nics: tuple[Link, ...]
    bridges: dict[str, Bridge] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    lease: str | None = "192.0.2.77/24"
    lease_vlan: int | None = None
    routed: str | None = "2001:db8::77/64"
    lease6: str | None = "2001:db8::100/128"
    duplicates: tuple[str, ...] = ()
    cut_after: int | None = None
    most_mtu: int = 9216
    done: list[Action] = field(default_factory=list)
    loaded: dict[str, str] = field(default_factory=dict)
    """The files as networkd read them last."""

    def observe(self) -> Observed:
        links = [replace(nic, up=True) for nic in self.nics]
        for bridge in self.bridges.values():
            links.append(Link(bridge.name, bridge.hwaddr or "", up=True, carrier=True, mtu=self._mtu(bridge.mtu)))
            links += [
                Link(port.name, port.mac or "", up=True, mtu=self._mtu(port.mtu))
                for port in bridge.ports
                if port.type == "internal"
            ]
        seen = tuple(self._managed(link) for link in links)
        return Observed(seen, tuple(self.bridges.values()), dict(self.files))

    def _mtu(self, requested: int | None) -> int:
        return min(requested or 1500, self.most_mtu)

    def links(self) -> tuple[Link, ...]:
        return self.observe().links

    def apply(self, action: Action) -> None:
        if self.cut_after is not None and len(self.done) >= self.cut_after:
            raise PowerCut
        self.done.append(action)
        match action:
            case WriteFile(name, content):
                self.files[name] = content
            case RemoveFile(name):
                del self.files[name]
            case ChangeSwitch(changes):
                bridges = dict(self.bridges)
                for change in changes:
                    self._change(bridges, change)
                names = [name for bridge in bridges.values() for port in bridge.ports for name in port.interfaces]
                assert len(names) == len(set(names)), "an interface is in one port only"
                self.bridges = bridges
            case ReloadNetworkd():
                self.loaded = dict(self.files)

    def reboot(self) -> None:
        """The switch database and the files stay; networkd reads the files as they are."""
        self.loaded = dict(self.files)
        self.cut_after = None

    def _change(self, bridges: dict[str, Bridge], change: SwitchChange) -> None:
        match change:
            case AddBridge(name, hwaddr, role, mtu):
                old = bridges.get(name, Bridge(name))
                bridges[name] = replace(old, hwaddr=hwaddr, role=role, mtu=mtu)
            case SetBridge(name, hwaddr, mtu):
                bridges[name] = replace(bridges[name], hwaddr=hwaddr, mtu=mtu)
            case RemoveBridge(name):
                del bridges[name]
            case AddPort(name, port):
                assert bridges[name].port(port.name) is None
                bridges[name] = replace(bridges[name], ports=(*bridges[name].ports, port))
            case SetPort(name, port):
                before = bridges[name].port(port.name)
                assert before
                assert before.interfaces == port.interfaces
                bridges[name] = replace(bridges[name], ports=(*_without(bridges[name], port.name), port))
            case RemovePort(name, port_name):
                assert bridges[name].port(port_name)
                bridges[name] = replace(bridges[name], ports=_without(bridges[name], port_name))

    def _managed(self, link: Link) -> Link:
        for name, content in sorted(self.loaded.items()):
            if name.endswith(".network") and _matches(content, link.name):
                fixed, wired = _addresses(content), self._wired(link)
                four = [Address(it) for it in fixed if ":" not in it]
                six = [Address(it, tentative=False, duplicate=it in self.duplicates) for it in fixed if ":" in it]
                asked = ["DHCP=ipv4" in content or "DHCP=yes" in content, "IPv6AcceptRA=yes" in content]
                by_dhcp = "DHCP=ipv6" in content or "DHCP=yes" in content
                came = [
                    Address(lease, dynamic=True) if lease and wanted and wired else None
                    for lease, wanted in zip((self.lease, self.lease6 if by_dhcp else self.routed), asked, strict=True)
                ]
                four += [came[0]] if came[0] else []
                six += [came[1]] if came[1] else []
                # As networkd has it: of what comes from the network one is enough.
                done = (not any(asked) or any(came)) and not any(it.duplicate for it in six)
                file = f"/etc/systemd/network/{name}"
                return replace(link, network_file=file, setup="configured" if done else "configuring",
                               addresses=tuple(four), addresses6=tuple(six))  # fmt: skip
        return link

    def _wired(self, link: Link) -> bool:
        """Whether the link reaches those who give addresses."""
        for bridge in self.bridges.values():
            port = bridge.port(link.name)
            tag = port.tag if port else None
            cards = {nic.name for nic in self.nics if nic.carrier}
            wired = any(name in cards for port in bridge.ports for name in port.interfaces)
            if (port or link.name == bridge.name) and wired and tag == self.lease_vlan:
                return True
        return False


def _addresses(content: str) -> list[str]:
    return [line.partition("=")[2] for line in content.splitlines() if line.startswith("Address=")]


def _matches(content: str, name: str) -> bool:
    words = next((line for line in content.splitlines() if line.startswith("Name=")), "Name=")
    return name in words.removeprefix("Name=").split()


def _without(bridge: Bridge, name: str) -> tuple[Port, ...]:
    return tuple(port for port in bridge.ports if port.name != name)

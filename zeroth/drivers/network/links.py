"""Facts of network devices: sysfs for the hardware, ``ip`` for addresses, networkd for how far it is with them."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from zeroth.drivers.network.model import Address, Link
from zeroth.drivers.network.networkd import networkd_gateway, networkd_links, networkd_servers
from zeroth.system.run import run

__all__ = ["observe_links", "raise_links"]

_ETHERNET = 1  # ARPHRD_ETHER, linux/if_arp.h
_MAC_PERMANENT, _MAC_SET = 0, 3  # NET_ADDR_PERM, NET_ADDR_SET, linux/netdevice.h


def observe_links(sysfs: Path = Path("/sys/class/net")) -> tuple[Link, ...]:
    """All Ethernet-like links of dom0, sorted by name."""
    shown = {entry["ifname"]: entry for entry in json.loads(run(["ip", "-j", "-d", "addr", "show"]).stdout) if entry}
    managed = networkd_links()
    return tuple(
        _link(folder, shown[folder.name], managed.get(folder.name, {}))
        for folder in sorted(sysfs.iterdir())
        if _number(folder / "type") == _ETHERNET and folder.name in shown
    )


def raise_links(names: Iterable[str], *, settle: float = 8.0, sysfs: Path = Path("/sys/class/net")) -> None:
    """Set links up, so that they can say whether they have a carrier, and wait until all have one.

    :param settle: seconds to wait at most: copper takes up to about 5 s to negotiate.
    """
    waiting = set(names)
    for name in sorted(waiting):
        run(["ip", "link", "set", "dev", name, "up"])
    until = time.monotonic() + settle
    while waiting and time.monotonic() < until:
        waiting = {name for name in waiting if _number(sysfs / name / "carrier") != 1}
        if waiting:
            time.sleep(0.2)


def _link(folder: Path, shown: dict[str, Any], managed: Mapping[str, Any]) -> Link:
    device = folder / "device"
    up = "UP" in shown.get("flags", [])
    carrier = _number(folder / "carrier")
    speed = _number(folder / "speed")
    mac = shown.get("address", "").lower()
    return Link(
        name=folder.name,
        mac=mac,
        permanent_mac=_permanent(folder, shown, mac),
        up=up,
        carrier=bool(carrier) if up and carrier is not None else None,
        physical=_is_physical(folder),
        driver=(device / "driver").resolve().name if (device / "driver").exists() else "",
        bus=_bus(device),
        mtu=int(shown.get("mtu", 1500)),
        speed=speed if speed is not None and speed > 0 else None,
        addresses=_addresses(shown, "inet"),
        network_file=managed.get("NetworkFile", ""),
        setup=managed.get("AdministrativeState", ""),
        gateway=networkd_gateway(managed),
        dns=networkd_servers(managed, "DNS"),
        ntp=networkd_servers(managed, "NTP"),
        addresses6=_addresses(shown, "inet6"),
        gateway6=networkd_gateway(managed, socket.AF_INET6),
    )


def _addresses(shown: Mapping[str, Any], family: str) -> tuple[Address, ...]:
    """What ``ip`` showed; without those by which a host is not reached for long: temporary (RFC 8981), deprecated."""
    return tuple(
        Address(
            f"{entry['local']}/{entry['prefixlen']}",
            bool(entry.get("dynamic")),
            # One that is somebody else's stays tentative as well.
            bool(entry.get("tentative")) and not entry.get("dadfailed"),
            bool(entry.get("dadfailed")),
        )
        for entry in shown.get("addr_info", [])
        # "site" is what the kernel calls fec0::/10.
        if entry.get("family") == family
        and entry.get("scope") in ("global", "site")
        and not (entry.get("temporary") or entry.get("deprecated"))
    )


def _permanent(folder: Path, shown: dict[str, Any], mac: str) -> str:
    kind = _number(folder / "addr_assign_type")
    if kind == _MAC_PERMANENT:
        return mac
    return str(shown.get("permaddr", "")).lower() if kind == _MAC_SET else ""


def _is_physical(folder: Path) -> bool:
    device = folder / "device"
    if not device.exists():
        return False
    # A guest's interface (xen-backend), a virtual function and a wireless card are devices too, but no uplink. Nor is
    # a frontend (xen): QEMU as dom0's disk backend gives dom0 one that leads nowhere but to QEMU itself.
    if (device / "subsystem").resolve().name in ("xen", "xen-backend"):
        return False
    return not (device / "physfn").exists() and not (folder / "phy80211").exists()


def _bus(device: Path) -> str:
    """The nearest PCI (or other) address: virtio and USB devices sit one or more levels below theirs."""
    if not device.exists():
        return ""
    path = device.resolve()
    for level in (path, *path.parents):
        if (level / "subsystem").resolve().name == "pci":
            return level.name
    return path.name


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        # The kernel answers EINVAL for carrier and speed while a device is down.
        return None

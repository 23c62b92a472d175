"""IPv6 of a network that is tried: which routers advertise it, who has an address, whether a gateway answers.

Nothing of the device's own addressing is changed: systemd-networkd may be using it for the installer.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Interface, IPv6Network

from zeroth.system.run import run

__all__ = ["Advertisement", "advertisement_in", "gateway6", "taken6", "wait_routers"]

# RFC 4861: types of ICMPv6 messages and options, bits, sizes.
_SOLICITATION, _ADVERTISEMENT = 133, 134
_PREFIX_OPTION, _PREFIX_SIZE = 3, 32
_HEADER = struct.Struct("!BBHBBHII")
_MANAGED, _AUTONOMOUS = 0x80, 0x40
_ALL_ROUTERS = "ff02::2"
_HOPS = 255  # whatever comes from farther away was not sent on this link
_ASK_EVERY = 4.0  # seconds
_DISCARD = 9  # a port that nobody needs to listen on: what counts is that the gateway is looked for
_KNOWN = {"REACHABLE", "STALE", "DELAY", "PROBE"}


@dataclass(frozen=True)
class Advertisement:
    """What a router says of a network.

    :ivar router: its link-local address.
    :ivar managed: addresses are to be asked for by DHCPv6.
    :ivar prefixes: those that hosts may make addresses in by themselves.
    """

    router: IPv6Address
    managed: bool
    prefixes: tuple[IPv6Network, ...]


def advertisement_in(packet: bytes, router: str) -> Advertisement | None:
    """Read an ICMPv6 message; None when it is no router advertisement, or a malformed one.

    :param router: whom it came from.
    """
    if len(packet) < _HEADER.size or packet[0] != _ADVERTISEMENT or packet[1]:
        return None
    _, _, _, _, flags, _, _, _ = _HEADER.unpack_from(packet)
    prefixes, at = [], _HEADER.size
    while at + 2 <= len(packet):
        kind, size = packet[at], packet[at + 1] * 8
        if not size or at + size > len(packet):
            return None
        if kind == _PREFIX_OPTION and size == _PREFIX_SIZE and packet[at + 3] & _AUTONOMOUS and packet[at + 2] <= 128:
            prefixes.append(IPv6Network((packet[at + 16 : at + 32], packet[at + 2]), strict=False))
        at += size
    try:
        source = IPv6Address(router.partition("%")[0])
    except ValueError:
        return None
    # RFC 4861, 6.1.2: hosts heed no other.
    if not source.is_link_local:
        return None
    return Advertisement(source, bool(flags & _MANAGED), tuple(dict.fromkeys(prefixes)))


def wait_routers(device: str, patience: float) -> tuple[Advertisement, ...]:
    """Ask for routers until one has answered or the time is over; gives those that answered.

    :param patience: seconds; a switch port with spanning tree takes 30 before it lets anything through.
    """
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, _HOPS)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        end = time.monotonic() + patience
        found: dict[IPv6Address, Advertisement] = {}
        while not found and (left := end - time.monotonic()) > 0:
            # Refused while the device has no link-local address yet: that takes a second or two.
            with suppress(OSError):
                sock.sendto(struct.pack("!BBHI", _SOLICITATION, 0, 0, 0), (_ALL_ROUTERS, 0, 0, _index(device)))
            for advertisement in _heard(sock, min(_ASK_EVERY, left)):
                found[advertisement.router] = advertisement
        return tuple(found.values())


def taken6(device: str, address: IPv6Address, patience: float = 5.0) -> bool:
    """Whether somebody else in the network has an address: the kernel looks before it takes it (RFC 4862, 5.4).

    :raises CommandFailed: the kernel refuses the address.
    """
    own = f"{address}/128"
    with ExitStack() as undo:
        run(["ip", "-6", "address", "add", own, "dev", device], timeout=20)
        undo.callback(run, ["ip", "-6", "address", "del", own, "dev", device], timeout=20, ok=range(256))
        end = time.monotonic() + patience
        while True:
            entry = _address(device, address)
            if entry.get("dadfailed"):
                return True
            if not entry.get("tentative") or time.monotonic() > end:
                return False
            time.sleep(0.1)


def gateway6(device: str, address: IPv6Interface, gateway: IPv6Address, patience: float = 10.0) -> str:
    """The MAC address of a gateway that answers; empty when none does.

    :raises CommandFailed: the kernel refuses address or route.
    """
    own, route = f"{address.ip}/128", f"{gateway}/128"
    with ExitStack() as undo:
        run(["ip", "-6", "address", "add", own, "dev", device, "nodad"], timeout=20)
        undo.callback(run, ["ip", "-6", "address", "del", own, "dev", device], timeout=20, ok=range(256))
        if not gateway.is_link_local:
            run(["ip", "-6", "route", "replace", route, "dev", device], timeout=20)
            undo.callback(run, ["ip", "-6", "route", "del", route, "dev", device], timeout=20, ok=range(256))
        end = time.monotonic() + patience
        while time.monotonic() < end:
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock, suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
                sock.sendto(b"", (str(gateway), _DISCARD, 0, _index(device)))
            time.sleep(0.5)
            if mac := _neighbour(device, gateway):
                return mac
    return ""


def _heard(sock: socket.socket, seconds: float) -> Sequence[Advertisement]:
    end = time.monotonic() + seconds
    found: list[Advertisement] = []
    while (left := end - time.monotonic()) > 0:
        # Once there is one, others have a second more.
        sock.settimeout(min(left, 1.0) if found else left)
        try:
            packet, extra, _, source = sock.recvmsg(4096, socket.CMSG_SPACE(4))
        except OSError:
            break
        near = any(kind == socket.IPV6_HOPLIMIT and data == struct.pack("i", _HOPS) for _, kind, data in extra)
        if near and (advertisement := advertisement_in(packet, str(source[0]))):
            found.append(advertisement)
    return found


def _address(device: str, address: IPv6Address) -> dict[str, object]:
    shown = json.loads(run(["ip", "-6", "-j", "address", "show", "dev", device], timeout=20).stdout or "[]")
    entries = [entry for link in shown for entry in link.get("addr_info", ())]
    return next((entry for entry in entries if entry.get("local") == str(address)), {})


def _neighbour(device: str, gateway: IPv6Address) -> str:
    words = ["ip", "-6", "-j", "neighbour", "show", str(gateway), "dev", device]
    shown = json.loads(run(words, timeout=20).stdout or "[]")
    return next((entry["lladdr"] for entry in shown if "lladdr" in entry and _KNOWN & set(entry.get("state", ()))), "")


def _index(device: str) -> int:
    return socket.if_nametoindex(device)

"""Neighbour discovery and DHCPv6 as bytes: what is said to a network that is tried, and what comes back. Pure.

Packets begin with the IPv6 header, as the kernel's cooked sockets give and take them. Sources: RFC 8200 (IPv6), RFC
4861 and 4862 (neighbours, routers, addresses), RFC 8415 (DHCPv6).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from ipaddress import IPv6Address, IPv6Network

__all__ = [
    "ALL_DHCP_SERVERS",
    "ALL_ROUTERS",
    "IAID",
    "Advert",
    "Dhcp6Kind",
    "Lease6",
    "asked_group",
    "dhcp6_message",
    "dhcp6_reply",
    "eui64",
    "group_mac",
    "neighbour_request",
    "neighbour_speaker",
    "router_advert",
    "router_request",
]

ALL_ROUTERS = IPv6Address("ff02::2")
ALL_DHCP_SERVERS = IPv6Address("ff02::1:2")
IAID = 1
"""Which address of this client is meant (RFC 8415, 12); the same in what networkd is told on the host."""

_ANYBODY = IPv6Address(0)
_LINK_LOCAL = IPv6Network("fe80::/64")
_HEADER = struct.Struct("!IHBB16s16s")
_ICMP, _UDP = 58, 17
_RS, _RA, _NS, _NA = 133, 134, 135, 136
_SOURCE_MAC, _TARGET_MAC, _PREFIX = 1, 2, 3
_ON_THIS_LINK = 255
"""The hop limit of what no router has passed on (RFC 4861, 6.1.2 and 7.1)."""
_ADVERT = struct.Struct("!BBHBBHII")
_PREFIX_OPTION = struct.Struct("!BBBBIII16s")
_MANAGED, _AUTONOMOUS = 0x80, 0x40
_CLIENT_PORT, _SERVER_PORT = 546, 547
_CLIENT, _SERVER, _IA, _IA_ADDRESS, _WANTED, _ELAPSED, _STATUS, _DNS = 1, 2, 3, 5, 6, 8, 13, 23
_ETHERNET, _DUID_LINK = 1, 3


class Dhcp6Kind(IntEnum):
    """What a DHCPv6 message is (RFC 8415, 7.3)."""

    SOLICIT = 1
    ADVERTISE = 2
    REQUEST = 3
    REPLY = 7


@dataclass(frozen=True)
class Advert:
    """What a router says of itself and the network.

    :ivar router: its link-local address.
    :ivar mac: its MAC address, as it says or else as it sent.
    :ivar default: it is a way to everywhere.
    :ivar managed: addresses are to be had by DHCPv6.
    :ivar prefixes: networks from which hosts make their addresses themselves.
    """

    router: IPv6Address
    mac: str
    default: bool
    managed: bool
    prefixes: tuple[IPv6Network, ...] = ()


@dataclass(frozen=True)
class Lease6:
    """What a DHCPv6 server offers or gives.

    :ivar address: None when the server has none to give; ``refusal`` is then what it says.
    :ivar server: the link-local address from which it (or its relay) speaks.
    :ivar duid: by what it is named in an answer to it.
    :ivar transaction: the number of the conversation.
    """

    address: IPv6Address | None
    server: IPv6Address
    duid: bytes = b""
    dns: tuple[IPv6Address, ...] = ()
    refusal: str = ""
    transaction: int = field(default=0, compare=False)


def eui64(mac: str, network: IPv6Network = _LINK_LOCAL) -> IPv6Address:
    """The address that a host makes from its MAC address in a network of 64 bits (RFC 4291, appendix A)."""
    octets = _octets(mac)
    own = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
    return network[int.from_bytes(own, "big")]


def asked_group(address: IPv6Address) -> IPv6Address:
    """The group at which the one who has an address is asked (RFC 4291, 2.7.1)."""
    return IPv6Address(IPv6Address("ff02::1:ff00:0").packed[:13] + address.packed[13:])


def group_mac(group: IPv6Address) -> bytes:
    """The MAC address of a group (RFC 2464, 7)."""
    return b"\x33\x33" + group.packed[12:]


def neighbour_request(mac: str, target: IPv6Address, sender: IPv6Address | None = None) -> bytes:
    """Ask who has an address.

    :param sender: the address that the asker has; None asks as one who is about to take it (RFC 4862, 5.4.2).
    """
    body = bytes([_NS, 0, 0, 0, 0, 0, 0, 0]) + target.packed + (_mac_option(mac) if sender else b"")
    return _icmp(sender or _ANYBODY, asked_group(target), body)


def neighbour_speaker(packet: bytes, source_mac: str, target: IPv6Address, mac: str) -> str | None:
    """The MAC address of somebody else who has the address, by this packet; None when it does not say so.

    Another host that is about to take it counts as well (RFC 4862, 5.4.3).

    :param source_mac: who sent the packet, where it does not say for whom.
    :param mac: the asker's own.
    """
    source, body = _icmp_in(packet)
    if len(body) < 24 or body[0] not in (_NS, _NA) or body[8:24] != target.packed or source_mac == mac:
        return None
    if body[0] == _NS and source != _ANYBODY:
        # A mere question for it.
        return None
    said = next((value[:6].hex(":") for kind, value in _options(body[24:]) if kind == _TARGET_MAC), "")
    return said or source_mac


def router_request(mac: str, sender: IPv6Address) -> bytes:
    """Ask all routers to advertise themselves."""
    return _icmp(sender, ALL_ROUTERS, bytes([_RS, 0, 0, 0, 0, 0, 0, 0]) + _mac_option(mac))


def router_advert(packet: bytes, source_mac: str) -> Advert | None:
    """What a router advertises; None for everything else, malformed packets among it."""
    source, body = _icmp_in(packet)
    if len(body) < _ADVERT.size or body[0] != _RA or source not in _LINK_LOCAL:
        return None
    flags, lifetime = body[5], int.from_bytes(body[6:8], "big")
    mac, prefixes = source_mac, []
    for kind, value in _options(body[_ADVERT.size :]):
        if kind == _SOURCE_MAC:
            mac = value[:6].hex(":")
        elif kind == _PREFIX and (network := _own_prefix(value)):
            prefixes.append(network)
    return Advert(source, mac, lifetime > 0, bool(flags & _MANAGED), tuple(prefixes))


def dhcp6_message(mac: str, sender: IPv6Address, transaction: int, offer: Lease6 | None = None) -> bytes:
    """Ask all servers for an offer, as the one who the installed host will be: by its MAC address.

    :param offer: take this one instead.
    """
    kind = Dhcp6Kind.REQUEST if offer else Dhcp6Kind.SOLICIT
    inner = b""
    if offer and offer.address:
        inner = _option(_IA_ADDRESS, offer.address.packed + bytes(8))
    message = struct.pack("!I", kind << 24 | transaction)
    message += _option(_CLIENT, _duid(mac))
    message += _option(_SERVER, offer.duid) if offer else b""
    message += _option(_IA, struct.pack("!III", IAID, 0, 0) + inner)
    message += _option(_WANTED, struct.pack("!H", _DNS)) + _option(_ELAPSED, bytes(2))
    udp = struct.pack("!HHHH", _CLIENT_PORT, _SERVER_PORT, 8 + len(message), 0) + message
    checksum = _checksum(sender, ALL_DHCP_SERVERS, _UDP, udp) or 0xFFFF
    return _packet(sender, ALL_DHCP_SERVERS, _UDP, udp[:6] + struct.pack("!H", checksum) + udp[8:], hops=1)


def dhcp6_reply(packet: bytes, mac: str, transaction: int, kind: Dhcp6Kind) -> Lease6 | None:
    """What a packet says to this machine as DHCPv6 of this kind; None for everything else, malformed messages too."""
    source, payload = _payload(packet, _UDP)
    if len(payload) < 12 or int.from_bytes(payload[2:4], "big") != _CLIENT_PORT:
        return None
    if int.from_bytes(payload[8:12], "big") != kind << 24 | transaction:
        return None
    options = dict(_dhcp_options(payload[12:]))
    if options.get(_CLIENT) != _duid(mac) or not options.get(_SERVER):
        return None
    address, refusal = _given(options)
    dns = options.get(_DNS, b"")
    servers = tuple(IPv6Address(dns[at : at + 16]) for at in range(0, len(dns) - 15, 16))
    return Lease6(address, source, options[_SERVER], servers, refusal, transaction)


def _given(options: dict[int, bytes]) -> tuple[IPv6Address | None, str]:
    """The address, or what the server says instead: of the message, or of the address asked for."""
    refusal = _refusal(options)
    association = options.get(_IA, b"")
    if len(association) >= 12 and int.from_bytes(association[:4], "big") == IAID:
        inner = list(_dhcp_options(association[12:]))
        refusal = _refusal(dict(inner)) or refusal
        for kind, value in inner:
            # A lifetime of 0 takes an address back.
            if kind == _IA_ADDRESS and len(value) >= 24 and any(value[20:24]):
                return IPv6Address(value[:16]), ""
    return None, refusal or "no address"


def _refusal(options: dict[int, bytes]) -> str:
    status = options.get(_STATUS, b"")
    code = int.from_bytes(status[:2], "big")
    # The words are somebody else's: one line of plain text of them.
    said = "".join(char for char in status[2:].decode(errors="replace") if char.isprintable())
    return (said[:80] or f"status {code}") if code else ""


def _own_prefix(option: bytes) -> IPv6Network | None:
    """A network from which addresses are made: with 64 bits, as Ethernet's are (RFC 2464, 4; RFC 4862, 5.5.3)."""
    if len(option) != _PREFIX_OPTION.size - 2:
        return None
    _, _, length, flags, valid, _, _, prefix = _PREFIX_OPTION.unpack(b"\0\0" + option)
    if length != 64 or not flags & _AUTONOMOUS or not valid:
        return None
    network = IPv6Network((prefix, length), strict=False)
    return None if network.overlaps(_LINK_LOCAL) else network


def _duid(mac: str) -> bytes:
    return struct.pack("!HH", _DUID_LINK, _ETHERNET) + _octets(mac)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("!HH", code, len(value)) + value


def _dhcp_options(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(data):
        code, length = struct.unpack_from("!HH", data, at)
        yield code, data[at + 4 : at + 4 + length]
        at += 4 + length


def _options(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Those of neighbour discovery, without kind and length; one of no length ends it (RFC 4861, 4.6)."""
    at = 0
    while at + 8 <= len(data) and data[at + 1]:
        size = data[at + 1] * 8
        if at + size > len(data):
            return
        yield data[at], data[at + 2 : at + size]
        at += size


def _mac_option(mac: str) -> bytes:
    return bytes([_SOURCE_MAC, 1]) + _octets(mac)


def _icmp(source: IPv6Address, target: IPv6Address, body: bytes) -> bytes:
    checksum = _checksum(source, target, _ICMP, body)
    return _packet(source, target, _ICMP, body[:2] + struct.pack("!H", checksum) + body[4:], hops=_ON_THIS_LINK)


def _icmp_in(packet: bytes) -> tuple[IPv6Address, bytes]:
    source, body = _payload(packet, _ICMP)
    return source, body if packet[7:8] == bytes([_ON_THIS_LINK]) and body[1:2] == b"\0" else b""


def _packet(source: IPv6Address, target: IPv6Address, protocol: int, payload: bytes, *, hops: int) -> bytes:
    return _HEADER.pack(6 << 28, len(payload), protocol, hops, source.packed, target.packed) + payload


def _payload(packet: bytes, protocol: int) -> tuple[IPv6Address, bytes]:
    """Who sent a packet, and what is in it; nothing when it is of another protocol."""
    if len(packet) < _HEADER.size or packet[0] >> 4 != 6:
        return _ANYBODY, b""
    _, length, kind, _, source, _ = _HEADER.unpack_from(packet)
    end = _HEADER.size + length
    return IPv6Address(source), packet[_HEADER.size : end] if kind == protocol and len(packet) >= end else b""


def _octets(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def _checksum(source: IPv6Address, target: IPv6Address, protocol: int, payload: bytes) -> int:
    """RFC 8200, 8.1; the place for it is zero in the payload."""
    data = (
        source.packed + target.packed + struct.pack("!II", len(payload), protocol) + payload + bytes(len(payload) % 2)
    )
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF

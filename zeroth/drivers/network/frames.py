"""ARP and DHCP as bytes: what is said to a network that is tried, and what comes back. Pure.

Packets begin behind the Ethernet header, as the kernel's cooked sockets give and take them. Sources: RFC 826 and 5227
(ARP, address conflicts), RFC 2131 and 2132 (DHCP).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from ipaddress import IPv4Address, IPv4Interface

__all__ = [
    "DhcpKind",
    "DhcpReply",
    "Lease",
    "arp_request",
    "arp_speaker",
    "dhcp_discover",
    "dhcp_reply",
    "dhcp_request",
]

_ARP = struct.Struct("!HHBBH6s4s6s4s")
_ARP_REQUEST, _ARP_REPLY = 1, 2
_BOOTP = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s4s")
_MAGIC = bytes((99, 130, 83, 99))
_BROADCAST_FLAG = 0x8000
_UDP, _SERVER_PORT, _CLIENT_PORT = 17, 67, 68
_MASK, _ROUTER, _DNS, _WANTED, _KIND, _SERVER, _ASKED, _CLIENT, _PAD, _END = 1, 3, 6, 50, 53, 54, 55, 61, 0, 255
_ETHERNET = 1


class DhcpKind(IntEnum):
    """What a DHCP message is (option 53)."""

    DISCOVER = 1
    OFFER = 2
    REQUEST = 3
    ACK = 5
    NAK = 6


@dataclass(frozen=True)
class Lease:
    """What a DHCP server offers or gives.

    :ivar transaction: the number of the conversation, by which an offer is taken (RFC 2131, 4.3.2).
    """

    address: IPv4Interface
    server: IPv4Address
    routers: tuple[IPv4Address, ...] = ()
    dns: tuple[IPv4Address, ...] = ()
    transaction: int = field(default=0, compare=False)


@dataclass(frozen=True)
class DhcpReply:
    """A server's message to this machine.

    :ivar lease: of a refusal only the server counts.
    """

    kind: DhcpKind
    lease: Lease


def arp_request(mac: str, target: IPv4Address, sender: IPv4Address | None = None) -> bytes:
    """Ask who has an address.

    :param sender: the address that the asker has; None asks as one who has none yet (RFC 5227, 2.1.1: a probe).
    """
    own = sender.packed if sender else bytes(4)
    return _ARP.pack(_ETHERNET, 0x0800, 6, 4, _ARP_REQUEST, _octets(mac), own, bytes(6), target.packed)


def arp_speaker(packet: bytes, address: IPv4Address, mac: str) -> str | None:
    """The MAC address of somebody else who has the address, by this packet; None when it does not say so.

    Who has an address says so in what it answers and in what it asks. Another probe for the same address counts as
    well: two machines are about to take it (RFC 5227, 2.1.1).
    """
    if len(packet) < _ARP.size:
        return None
    hardware, protocol, *lengths, operation, said_mac, said, _, target = _ARP.unpack_from(packet)
    if (hardware, protocol, *lengths) != (_ETHERNET, 0x0800, 6, 4) or said_mac == _octets(mac):
        return None
    probed = operation == _ARP_REQUEST and said == bytes(4) and target == address.packed
    if operation in (_ARP_REQUEST, _ARP_REPLY) and (said == address.packed or probed):
        return str(said_mac.hex(":"))
    return None


def dhcp_discover(mac: str, transaction: int) -> bytes:
    """Ask all servers for an offer, as the one who the installed host will be: by its MAC address."""
    return _dhcp(mac, transaction, {_KIND: bytes([DhcpKind.DISCOVER])})


def dhcp_request(mac: str, offer: Lease) -> bytes:
    """Take an offer."""
    options = {
        _KIND: bytes([DhcpKind.REQUEST]),
        _WANTED: offer.address.ip.packed,
        _SERVER: offer.server.packed,
    }
    return _dhcp(mac, offer.transaction, options)


def dhcp_reply(packet: bytes, mac: str, transaction: int) -> DhcpReply | None:
    """What a packet says to this machine as DHCP; None for everything else, malformed messages among it."""
    payload, source = _udp_payload(packet)
    if len(payload) < _BOOTP.size:
        return None
    operation, hardware, length, _, number, _, _, _, given, _, _, client, _, _, magic = _BOOTP.unpack_from(payload)
    if (operation, hardware, length, number, magic) != (2, _ETHERNET, 6, transaction, _MAGIC):
        return None
    options = _options(payload[_BOOTP.size :])
    kind, mask = options.get(_KIND, b""), options.get(_MASK, b"")
    if client[:6] != _octets(mac) or len(kind) != 1 or kind[0] not in (DhcpKind.OFFER, DhcpKind.ACK, DhcpKind.NAK):
        return None
    servers = _addresses(options.get(_SERVER, b""))
    # A server that gives no mask means that of the address's class; nobody does so today: the net is itself alone.
    prefix = int.from_bytes(mask, "big").bit_count() if len(mask) == 4 else 32
    lease = Lease(
        IPv4Interface((given, prefix)),
        servers[0] if servers else source,
        _addresses(options.get(_ROUTER, b"")),
        _addresses(options.get(_DNS, b"")),
        transaction,
    )
    return DhcpReply(DhcpKind(kind[0]), lease)


def _dhcp(mac: str, transaction: int, options: Mapping[int, bytes]) -> bytes:
    none = bytes(4)
    head = _BOOTP.pack(
        1, _ETHERNET, 6, 0, transaction, 0, _BROADCAST_FLAG, none, none, none, none,
        _octets(mac), b"", b"", _MAGIC,
    )  # fmt: skip
    # The client's name is its MAC address, as in the files that networkd gets on the host: the same lease is meant.
    named = {**options, _CLIENT: bytes([_ETHERNET]) + _octets(mac), _ASKED: bytes([_MASK, _ROUTER, _DNS])}
    tail = b"".join(bytes([code, len(value)]) + value for code, value in named.items()) + bytes([_END])
    message = head + tail
    # 300 bytes is what BOOTP had, and what some relays still want.
    message += bytes(max(0, 300 - len(message)))
    # A UDP checksum of 0 is none, which IPv4 allows.
    udp = struct.pack("!HHHH", _CLIENT_PORT, _SERVER_PORT, 8 + len(message), 0) + message
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, _UDP, 0, none, b"\xff" * 4)
    return ip[:10] + struct.pack("!H", _checksum(ip)) + ip[12:] + udp


def _udp_payload(packet: bytes) -> tuple[bytes, IPv4Address]:
    """What was sent to a DHCP client's port, and by whom; nothing when the packet is something else."""
    nothing = (b"", IPv4Address(0))
    if len(packet) < 20 or packet[0] >> 4 != 4:
        return nothing
    length, fragment = (packet[0] & 15) * 4, int.from_bytes(packet[6:8], "big")
    if packet[9] != _UDP or fragment & 0x3FFF or length < 20 or len(packet) < length + 8:
        return nothing
    if int.from_bytes(packet[length + 2 : length + 4], "big") != _CLIENT_PORT:
        return nothing
    return packet[length + 8 :], IPv4Address(packet[12:16])


def _options(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data) and data[at] != _END:
        if data[at] == _PAD:
            at += 1
            continue
        if at + 2 > len(data):
            break
        value = data[at + 2 : at + 2 + data[at + 1]]
        # One that is given in pieces is one (RFC 3396).
        found[data[at]] = found.get(data[at], b"") + value
        at += 2 + data[at + 1]
    return found


def _addresses(data: bytes) -> tuple[IPv4Address, ...]:
    return tuple(IPv4Address(data[at : at + 4]) for at in range(0, len(data) - 3, 4))


def _octets(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def _checksum(data: bytes) -> int:
    """RFC 1071."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF

"""Questions to a network through a raw socket: no address is needed for them, and none that is in use is disturbed.

The kernel's own DHCP and ARP would do for one question at a time, on a link that has an address. Here the link may
be carrying something else (the installer's answer came through it), and every server that offers is to be heard.
"""

from __future__ import annotations

import secrets
import select
import socket
import struct
import time
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import TypeVar

from zeroth.drivers.network.frames import (
    DhcpKind,
    DhcpReply,
    Lease,
    arp_request,
    arp_speaker,
    dhcp_discover,
    dhcp_reply,
    dhcp_request,
)
from zeroth.drivers.network.frames6 import (
    ALL_DHCP_SERVERS,
    ALL_ROUTERS,
    Advert,
    Dhcp6Kind,
    Lease6,
    asked_group,
    dhcp6_message,
    dhcp6_reply,
    group_mac,
    neighbour_request,
    neighbour_speaker,
    router_advert,
    router_request,
)
from zeroth.errors import ExitCode, UserError

__all__ = [
    "ARP_PAUSES", "DHCP_PAUSES", "PATIENT_PAUSES", "ask_dhcp", "ask_dhcp6", "ask_routers", "neighbours", "take_lease",
    "take_lease6", "who_has",
]  # fmt: skip

DHCP_PAUSES = (2.0, 4.0, 8.0, 16.0, 15.0)
"""Seconds between two questions for an offer; 45 in all: a switch port with spanning tree takes 30 to open."""
_LINGER = 1.5
"""Seconds to wait for further answers after the first."""
ARP_PAUSES = (1.0, 1.0, 2.0)
PATIENT_PAUSES = (1.0, 1.0, 2.0, 4.0, 8.0, 16.0)
"""The same for ARP, where the port may have been blocked a moment ago; 32 in all."""
_TAKE_PAUSES = (2.0, 4.0, 4.0)
_EVERYBODY = b"\xff" * 6
_ETH_P_IP, _ETH_P_ARP, _ETH_P_IPV6 = 0x0800, 0x0806, 0x86DD
# linux/if_packet.h: hear every group, whatever the card was told to listen to.
_SOL_PACKET, _ADD_MEMBERSHIP, _ALL_GROUPS = 263, 1, 2
_T = TypeVar("_T")


def ask_dhcp(link: str, mac: str, pauses: Sequence[float] = DHCP_PAUSES) -> tuple[Lease, ...]:
    """Everything that DHCP servers offer on a link, in the order in which they answer; nothing is taken.

    :param pauses: seconds to wait after each question; the last one ends it.
    :raises UserError: the link cannot be spoken on.
    """
    number = secrets.randbits(32)

    def read(packet: bytes, _: str) -> Lease | None:
        reply = dhcp_reply(packet, mac, number)
        return reply.lease if reply and reply.kind is DhcpKind.OFFER else None

    offers = _exchange(link, _ETH_P_IP, dhcp_discover(mac, number), read, pauses)
    first: dict[IPv4Address, Lease] = {}
    for offer in offers:
        # A server answers each question.
        first.setdefault(offer.server, offer)
    return tuple(first.values())


def take_lease(link: str, mac: str, offer: Lease) -> Lease | None:
    """Take an offer; None when its server refuses, or says nothing more.

    It is not given back: the installed host asks for it as the same client.
    """

    def read(packet: bytes, _: str) -> DhcpReply | None:
        reply = dhcp_reply(packet, mac, offer.transaction)
        return reply if reply and reply.kind is not DhcpKind.OFFER and reply.lease.server == offer.server else None

    replies = _exchange(link, _ETH_P_IP, dhcp_request(mac, offer), read, _TAKE_PAUSES, linger=0)
    return next((reply.lease for reply in replies if reply.kind is DhcpKind.ACK), None)


def who_has(
    link: str, mac: str, address: IPv4Address, sender: IPv4Address | None = None, pauses: Sequence[float] = ARP_PAUSES
) -> tuple[str, ...]:
    """The MAC addresses of those who answer for an IPv4 address.

    :param mac: of the link itself; what has it is not counted.
    :param sender: the address to ask from; None to ask as one that has none.
    :raises UserError: the link cannot be spoken on.
    """
    question = arp_request(mac, address, sender)
    found = _exchange(
        link, _ETH_P_ARP, question, lambda packet, _: arp_speaker(packet, address, mac), pauses, linger=0.5
    )
    return tuple(dict.fromkeys(found))


def neighbours(
    link: str, mac: str, address: IPv6Address, sender: IPv6Address | None = None, pauses: Sequence[float] = ARP_PAUSES
) -> tuple[str, ...]:
    """The MAC addresses of those who answer for an IPv6 address; as :func:`who_has`."""

    def read(packet: bytes, source: str) -> str | None:
        return neighbour_speaker(packet, source, address, mac)

    question, group = neighbour_request(mac, address, sender), group_mac(asked_group(address))
    return tuple(dict.fromkeys(_exchange(link, _ETH_P_IPV6, question, read, pauses, linger=0.5, to=group)))


def ask_routers(link: str, mac: str, sender: IPv6Address, pauses: Sequence[float] = DHCP_PAUSES) -> tuple[Advert, ...]:
    """What routers advertise on a link, in the order in which they answer.

    :param sender: the link's own link-local address.
    :raises UserError: the link cannot be spoken on.
    """
    question, group = router_request(mac, sender), group_mac(ALL_ROUTERS)
    adverts = _exchange(link, _ETH_P_IPV6, question, router_advert, pauses, to=group)
    return tuple({advert.router: advert for advert in adverts}.values())


def ask_dhcp6(link: str, mac: str, sender: IPv6Address, pauses: Sequence[float] = DHCP_PAUSES) -> tuple[Lease6, ...]:
    """Everything that DHCPv6 servers offer on a link, refusals too; nothing is taken.

    :param sender: the link's own link-local address; the kernel must have it, since servers answer to it.
    :raises UserError: the link cannot be spoken on.
    """
    number = secrets.randbits(24)

    def read(packet: bytes, _: str) -> Lease6 | None:
        return dhcp6_reply(packet, mac, number, Dhcp6Kind.ADVERTISE)

    question, group = dhcp6_message(mac, sender, number), group_mac(ALL_DHCP_SERVERS)
    offers = _exchange(link, _ETH_P_IPV6, question, read, pauses, to=group)
    first: dict[bytes, Lease6] = {}
    for offer in offers:
        first.setdefault(offer.duid, offer)
    return tuple(first.values())


def take_lease6(link: str, mac: str, sender: IPv6Address, offer: Lease6) -> Lease6 | None:
    """Take an offer; None when its server says nothing more, and without an address when it refuses.

    It is not given back: the installed host asks for it as the same client.
    """
    number = secrets.randbits(24)

    def read(packet: bytes, _: str) -> Lease6 | None:
        reply = dhcp6_reply(packet, mac, number, Dhcp6Kind.REPLY)
        return reply if reply and reply.duid == offer.duid else None

    question, group = dhcp6_message(mac, sender, number, offer), group_mac(ALL_DHCP_SERVERS)
    return next(iter(_exchange(link, _ETH_P_IPV6, question, read, _TAKE_PAUSES, linger=0, to=group)), None)


def _exchange(
    link: str,
    protocol: int,
    packet: bytes,
    read: Callable[[bytes, str], _T | None],
    pauses: Sequence[float],
    *,
    linger: float = _LINGER,
    to: bytes = _EVERYBODY,
) -> list[_T]:
    """Say the packet on the link again and again, until somebody answers.

    :param read: what a packet from this MAC address says, if it is an answer.
    :param to: the MAC address of those who are asked.
    """
    found: list[_T] = []
    try:
        with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(protocol)) as wire:
            wire.bind((link, protocol))
            if protocol == _ETH_P_IPV6:
                groups = struct.pack("iHH8s", socket.if_nametoindex(link), _ALL_GROUPS, 0, b"")
                wire.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, groups)
            for pause in pauses:
                wire.sendto(packet, (link, protocol, 0, 0, to))
                until = time.monotonic() + pause
                while (left := until - time.monotonic()) > 0:
                    if not select.select([wire], [], [], left)[0]:
                        break
                    data, (_, _, kind, _, source) = wire.recvfrom(65535)
                    heard = None if kind == socket.PACKET_OUTGOING else read(data, source.hex(":"))
                    if heard is not None:
                        if not found:
                            until = time.monotonic() + linger
                        found.append(heard)
                if found:
                    break
    except OSError as error:
        raise UserError(f"{link} cannot be spoken on: {error.strerror}", code=ExitCode.MACHINE) from None
    return found

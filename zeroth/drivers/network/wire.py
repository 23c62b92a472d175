"""Questions to a network through a raw socket: no address is needed for them, and none that is in use is disturbed.

The kernel's own DHCP and ARP would do for one question at a time, on a link that has an address. Here the link may
be carrying something else (the installer's answer came through it), and every server that offers is to be heard.
"""

from __future__ import annotations

import secrets
import select
import socket
import time
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address
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
from zeroth.errors import ExitCode, UserError

__all__ = ["ARP_PAUSES", "DHCP_PAUSES", "PATIENT_PAUSES", "ask_dhcp", "take_lease", "who_has"]

DHCP_PAUSES = (2.0, 4.0, 8.0, 16.0, 15.0)
"""Seconds between two questions for an offer; 45 in all: a switch port with spanning tree takes 30 to open."""
_LINGER = 1.5
"""Seconds to wait for further answers after the first."""
ARP_PAUSES = (1.0, 1.0, 2.0)
PATIENT_PAUSES = (1.0, 1.0, 2.0, 4.0, 8.0, 16.0)
"""The same for ARP, where the port may have been blocked a moment ago; 32 in all."""
_TAKE_PAUSES = (2.0, 4.0, 4.0)
_EVERYBODY = b"\xff" * 6
_ETH_P_IP, _ETH_P_ARP = 0x0800, 0x0806
_T = TypeVar("_T")


def ask_dhcp(link: str, mac: str, pauses: Sequence[float] = DHCP_PAUSES) -> tuple[Lease, ...]:
    """Everything that DHCP servers offer on a link, in the order in which they answer; nothing is taken.

    :param pauses: seconds to wait after each question; the last one ends it.
    :raises UserError: the link cannot be spoken on.
    """
    number = secrets.randbits(32)

    def read(packet: bytes) -> Lease | None:
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

    def read(packet: bytes) -> DhcpReply | None:
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
    found = _exchange(link, _ETH_P_ARP, question, lambda packet: arp_speaker(packet, address, mac), pauses, linger=0.5)
    return tuple(dict.fromkeys(found))


def _exchange(
    link: str,
    protocol: int,
    packet: bytes,
    read: Callable[[bytes], _T | None],
    pauses: Sequence[float],
    *,
    linger: float = _LINGER,
) -> list[_T]:
    """Say the packet to everybody on the link again and again, until somebody answers."""
    found: list[_T] = []
    try:
        with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(protocol)) as wire:
            wire.bind((link, protocol))
            for pause in pauses:
                wire.sendto(packet, (link, protocol, 0, 0, _EVERYBODY))
                until = time.monotonic() + pause
                while (left := until - time.monotonic()) > 0:
                    if not select.select([wire], [], [], left)[0]:
                        break
                    data, (_, _, kind, *_) = wire.recvfrom(65535)
                    heard = None if kind == socket.PACKET_OUTGOING else read(data)
                    if heard is not None:
                        if not found:
                            until = time.monotonic() + linger
                        found.append(heard)
                if found:
                    break
    except OSError as error:
        raise UserError(f"{link} cannot be spoken on: {error.strerror}", code=ExitCode.MACHINE) from None
    return found

"""ARP and DHCP packets."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv4Interface

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeroth.drivers.network.frames import (
    DhcpKind,
    Lease,
    arp_request,
    arp_speaker,
    dhcp_discover,
    dhcp_reply,
    dhcp_request,
)

MAC, OTHER = "52:54:00:00:00:01", "52:54:00:00:00:02"
ADDRESS = IPv4Address("192.0.2.10")
NUMBER = 0x12345678


def answer(options: bytes, *, mac: str = MAC, number: int = NUMBER, operation: int = 2, padding: bytes = b"") -> bytes:
    """A server's packet, as a relay with IP options might send it."""
    head = struct.pack("!BBBBIHH", operation, 1, 6, 0, number, 0, 0)
    head += bytes(4) + ADDRESS.packed + bytes(8)
    head += bytes.fromhex(mac.replace(":", "")).ljust(16, b"\0") + bytes(192) + bytes((99, 130, 83, 99))
    udp = struct.pack("!HHHH", 67, 68, 8 + len(head) + len(options), 0) + head + options
    length = 20 + len(padding)
    ip = struct.pack("!BBHHHBBH", 0x40 | length // 4, 0, length + len(udp), 0, 0, 64, 17, 0)
    return ip + IPv4Address("192.0.2.2").packed + b"\xff" * 4 + padding + udp


def option(code: int, *octets: int) -> bytes:
    return bytes([code, len(octets), *octets])


OFFER = (
    option(53, 2) + option(54, 192, 0, 2, 1) + b"\0" + option(1, 255, 255, 255, 0)
    + option(3, 192, 0, 2, 1, 192, 0, 2, 254) + option(6, 192, 0, 2, 53) + b"\xff"
)  # fmt: skip


def test_an_offer() -> None:
    reply = dhcp_reply(answer(OFFER), MAC, NUMBER)
    assert reply
    assert reply.kind is DhcpKind.OFFER
    assert reply.lease == Lease(
        IPv4Interface("192.0.2.10/24"),
        IPv4Address("192.0.2.1"),
        (IPv4Address("192.0.2.1"), IPv4Address("192.0.2.254")),
        (IPv4Address("192.0.2.53"),),
    )
    assert reply.lease.transaction == NUMBER
    assert dhcp_reply(answer(OFFER, padding=bytes(4)), MAC, NUMBER) == reply


def test_a_server_that_names_neither_itself_nor_a_mask() -> None:
    reply = dhcp_reply(answer(option(53, 5)), MAC, NUMBER)
    assert reply
    assert reply.kind is DhcpKind.ACK
    assert reply.lease == Lease(IPv4Interface("192.0.2.10/32"), IPv4Address("192.0.2.2"))


@pytest.mark.parametrize(
    "packet",
    [
        answer(OFFER, mac=OTHER),
        answer(OFFER, number=1),
        answer(OFFER, operation=1),
        answer(OFFER)[:200],
        answer(option(53, 1)),
        answer(option(53, 2, 2)),
        answer(b"\xff"),
        answer(b""),
        dhcp_discover(MAC, NUMBER),
    ],
)
def test_what_is_no_answer_to_us(packet: bytes) -> None:
    assert dhcp_reply(packet, MAC, NUMBER) is None


def test_an_option_in_pieces_or_cut_short() -> None:
    pieces = option(53, 2) + option(3, 192, 0) + option(3, 2, 1) + bytes([6, 9, 192])
    reply = dhcp_reply(answer(pieces), MAC, NUMBER)
    assert reply
    assert reply.lease.routers == (IPv4Address("192.0.2.1"),)
    assert reply.lease.dns == ()


@given(st.binary(max_size=600))
def test_no_packet_is_a_surprise(packet: bytes) -> None:
    assert dhcp_reply(packet, MAC, NUMBER) is None
    assert arp_speaker(packet, ADDRESS, MAC) in (None, packet[8:14].hex(":"))


@given(st.binary(max_size=80))
def test_no_options_are_a_surprise(options: bytes) -> None:
    reply = dhcp_reply(answer(option(53, 2) + options), MAC, NUMBER)
    assert reply is None or reply.lease.address.ip == ADDRESS


def test_what_is_sent() -> None:
    for packet in (dhcp_discover(MAC, NUMBER), dhcp_request(MAC, Lease(IPv4Interface("192.0.2.10/24"), ADDRESS))):
        assert len(packet) >= 20 + 8 + 300
        header = struct.unpack("!10H", packet[:20])
        total = sum(header)
        assert (total & 0xFFFF) + (total >> 16) == 0xFFFF, "a checksum that fits makes the sum all ones"
        assert header[1] == len(packet)
        assert bytes.fromhex(MAC.replace(":", "")) in packet
    assert ADDRESS.packed in dhcp_request(MAC, Lease(IPv4Interface("192.0.2.10/24"), ADDRESS))


def test_who_has_an_address() -> None:
    theirs = arp_request(OTHER, IPv4Address("192.0.2.1"), ADDRESS)
    assert arp_speaker(theirs, ADDRESS, MAC) == OTHER
    assert arp_speaker(theirs, IPv4Address("192.0.2.1"), MAC) is None, "it asks for that one, it has it not"
    assert arp_speaker(arp_request(MAC, ADDRESS, ADDRESS), ADDRESS, MAC) is None, "these are our own words"
    assert arp_speaker(arp_request(OTHER, ADDRESS), ADDRESS, MAC) == OTHER, "it is about to take it"
    assert arp_speaker(arp_request(OTHER, ADDRESS, IPv4Address("192.0.2.7")), ADDRESS, MAC) is None

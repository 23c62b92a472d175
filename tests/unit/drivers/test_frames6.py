"""Packets of neighbour discovery and DHCPv6."""

from __future__ import annotations

import struct
from ipaddress import IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeroth.drivers.network.frames6 import (
    Advert,
    Dhcp6Kind,
    Lease6,
    asked_group,
    dhcp6_message,
    dhcp6_reply,
    eui64,
    group_mac,
    neighbour_request,
    neighbour_speaker,
    router_advert,
    router_request,
)

MAC, OTHER = "52:54:00:00:00:01", "52:54:00:00:00:02"
OWN, ROUTER = eui64(MAC), IPv6Address("fe80::1")
ADDRESS, PREFIX = IPv6Address("2001:db8::10"), IPv6Network("2001:db8::/64")
NUMBER = 0x123456
SERVER_DUID = bytes.fromhex("00030001520000000001")


def sum_of(packet: bytes) -> int:
    """The checksum over pseudo header and payload: 0xffff of a whole packet."""
    payload = packet[40:]
    data = packet[8:40] + struct.pack("!II", len(payload), packet[6]) + payload + bytes(len(payload) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def packet(protocol: int, body: bytes, *, source: IPv6Address = ROUTER, hops: int = 255) -> bytes:
    return struct.pack("!IHBB", 6 << 28, len(body), protocol, hops) + source.packed + OWN.packed + body


def advert(options: bytes = b"", *, flags: int = 0, lifetime: int = 1800, **header: int) -> bytes:
    return packet(58, struct.pack("!BBHBBHII", 134, 0, 0, 64, flags, lifetime, 0, 0) + options, **header)  # type: ignore[arg-type]


def prefix(network: str = "2001:db8::", length: int = 64, flags: int = 0xC0, valid: int = 86400) -> bytes:
    return struct.pack("!BBBBIII16s", 3, 4, length, flags, valid, valid, 0, IPv6Address(network).packed)


def option(code: int, value: bytes) -> bytes:
    return struct.pack("!HH", code, len(value)) + value


def status(code: int, words: str) -> bytes:
    return option(13, struct.pack("!H", code) + words.encode())


def given_address(address: IPv6Address = ADDRESS, valid: int = 3600) -> bytes:
    return option(5, address.packed + struct.pack("!II", valid, valid))


def served(*more: bytes, kind: int = 2, number: int = NUMBER, mac: str = MAC, port: int = 546) -> bytes:
    message = struct.pack("!I", kind << 24 | number) + option(1, bytes.fromhex("00030001" + mac.replace(":", "")))
    message += option(2, SERVER_DUID) + b"".join(more)
    udp = struct.pack("!HHHH", 547, port, 8 + len(message), 0)
    return packet(17, udp + message, hops=64)


def association(*inner: bytes, iaid: int = 1) -> bytes:
    return option(3, struct.pack("!III", iaid, 0, 0) + b"".join(inner))


def read(data: bytes) -> Lease6 | None:
    return dhcp6_reply(data, MAC, NUMBER, Dhcp6Kind.ADVERTISE)


def test_addresses_and_groups() -> None:
    assert str(eui64(MAC)) == "fe80::5054:ff:fe00:1"
    assert str(eui64("00:11:22:33:44:55", PREFIX)) == "2001:db8::211:22ff:fe33:4455"
    assert str(asked_group(IPv6Address("2001:db8::1:2345:6789"))) == "ff02::1:ff45:6789"
    assert group_mac(asked_group(ADDRESS)).hex(":") == "33:33:ff:00:00:10"


def test_what_is_sent_is_whole() -> None:
    offer = Lease6(ADDRESS, ROUTER, SERVER_DUID)
    for sent in (neighbour_request(MAC, ADDRESS), neighbour_request(MAC, ADDRESS, OWN), router_request(MAC, OWN),
                 dhcp6_message(MAC, OWN, NUMBER), dhcp6_message(MAC, OWN, NUMBER, offer)):  # fmt: skip
        assert sum_of(sent) == 0xFFFF
        assert len(sent) == 40 + int.from_bytes(sent[4:6], "big")


def test_a_probe_is_told_from_a_question() -> None:
    probe, question = neighbour_request(OTHER, ADDRESS), neighbour_request(OTHER, ADDRESS, ROUTER)
    assert neighbour_speaker(probe, OTHER, ADDRESS, MAC) == OTHER, "somebody else is about to take it"
    assert neighbour_speaker(question, OTHER, ADDRESS, MAC) is None
    assert neighbour_speaker(probe, OTHER, IPv6Address("2001:db8::11"), MAC) is None
    assert neighbour_speaker(probe, MAC, ADDRESS, MAC) is None, "its own"


def test_a_neighbour_answers() -> None:
    answer = bytes([136, 0, 0, 0, 0x20, 0, 0, 0]) + ADDRESS.packed
    said = answer + bytes([2, 1]) + bytes.fromhex("020000000009")
    assert neighbour_speaker(packet(58, said), OTHER, ADDRESS, MAC) == "02:00:00:00:00:09"
    assert neighbour_speaker(packet(58, answer), OTHER, ADDRESS, MAC) == OTHER
    assert neighbour_speaker(packet(58, answer, hops=64), OTHER, ADDRESS, MAC) is None, "from beyond a router"


def test_a_router() -> None:
    found = router_advert(advert(bytes([1, 1]) + bytes.fromhex("020000000009") + prefix()), OTHER)
    assert found == Advert(ROUTER, "02:00:00:00:00:09", True, False, (PREFIX,))
    assert router_advert(advert(flags=0x80, lifetime=0), OTHER) == Advert(ROUTER, OTHER, False, True)


@pytest.mark.parametrize(
    "options",
    [
        prefix(length=48), prefix(flags=0x80), prefix(valid=0), prefix("fe80::"), prefix()[:24], bytes([3, 0]),
        bytes([3, 1, 0, 0, 0, 0, 0, 0]),
    ],
)  # fmt: skip
def test_prefixes_that_make_no_address(options: bytes) -> None:
    found = router_advert(advert(options), OTHER)
    assert found
    assert found.prefixes == ()


@pytest.mark.parametrize(
    "data", [advert(hops=64), advert()[:50], router_request(MAC, OWN), packet(58, b""), packet(17, bytes(16)), b"",
             packet(58, struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 9, 0, 0), source=ADDRESS)]
)  # fmt: skip
def test_what_is_no_advertisement(data: bytes) -> None:
    assert router_advert(data, OTHER) is None


def test_an_offer() -> None:
    dns = option(23, IPv6Address("2001:db8::53").packed)
    lease = read(served(association(given_address()), dns))
    assert lease == Lease6(ADDRESS, ROUTER, SERVER_DUID, (IPv6Address("2001:db8::53"),))
    assert lease.transaction == NUMBER


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((association(status(2, "nothing left")),), "nothing left"),
        ((status(2, "no\x1b[31m addresses\n"),), "no[31m addresses"),
        ((status(5, ""),), "status 5"),
        ((), "no address"),
        ((association(given_address(valid=0)),), "no address"),
        ((association(given_address(), iaid=7),), "no address"),
        ((association(b"\0\5\0"),), "no address"),
    ],
)
def test_a_server_without_an_address(options: tuple[bytes, ...], says: str) -> None:
    lease = read(served(*options))
    assert lease
    assert (lease.address, lease.refusal) == (None, says)


@pytest.mark.parametrize(
    "data",
    [
        served(mac=OTHER), served(number=1), served(kind=7), served(port=547), served()[:60], packet(17, b""),
        dhcp6_message(MAC, OWN, NUMBER),
    ],
)  # fmt: skip
def test_what_is_no_answer_to_us(data: bytes) -> None:
    assert read(data) is None


@given(st.binary(max_size=300), st.sampled_from([17, 58]))
def test_no_packet_is_a_surprise(data: bytes, protocol: int) -> None:
    for it in (data, packet(protocol, data)):
        read(it)
        router_advert(it, OTHER)
        neighbour_speaker(it, OTHER, ADDRESS, MAC)


@given(st.binary(max_size=100))
def test_no_options_are_a_surprise(data: bytes) -> None:
    assert read(served(association(data), data)) is not None or data
    assert router_advert(advert(data), OTHER)

"""IPv6 of a network that is tried: on real links, with a real router and a real neighbour."""

from __future__ import annotations

import json
import struct
import subprocess
from collections.abc import Iterator
from ipaddress import IPv6Address, IPv6Interface, IPv6Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.drivers.netns import Far, cabled, needs_dnsmasq, needs_namespaces, own_namespace
from zeroth.drivers.network.trial6 import advertisement_in, gateway6, taken6, wait_routers

ROUTER = "fe80::1"
NETWORK = IPv6Network("2001:db8:1::/64")


def _packet(*options: bytes, flags: int = 0) -> bytes:
    return struct.pack("!BBHBBHII", 134, 0, 0, 64, flags, 1800, 0, 0) + b"".join(options)


def _prefix(network: IPv6Network, flags: int = 0xC0) -> bytes:
    head = struct.pack("!BBBBIII", 3, 4, network.prefixlen, flags, 3600, 1800, 0)
    return head + network.network_address.packed


def test_what_a_router_says() -> None:
    other = IPv6Network("2001:db8:2::/64")
    source_link = b"\x01\x01" + bytes(6)
    found = advertisement_in(_packet(source_link, _prefix(NETWORK), _prefix(other, 0x80), flags=0x80), "fe80::1%eth0")
    assert found is not None
    assert (found.router, found.managed, found.prefixes) == (IPv6Address(ROUTER), True, (NETWORK,))


@pytest.mark.parametrize(
    "packet",
    [b"", _packet()[:-1], b"\x87" + _packet()[1:], _packet(b"\x03\x00"), _packet(_prefix(NETWORK)[:-1]),
     _packet(b"\x03\xff")],
)  # fmt: skip
def test_what_is_no_advertisement(packet: bytes) -> None:
    assert advertisement_in(packet, ROUTER) is None
    assert advertisement_in(_packet(), "2001:db8::1") is None


@given(st.binary(max_size=200), st.text(max_size=20))
def test_any_bytes_at_all(tail: bytes, router: str) -> None:
    for packet in (tail, _packet() + tail):
        advertisement_in(packet, router)


@pytest.fixture
def far() -> Iterator[Far]:
    with own_namespace(), cabled("eth0") as other:
        yield other


def _own() -> list[str]:
    shown = subprocess.run(["ip", "-6", "-j", "address", "show", "dev", "eth0"], check=True, capture_output=True)
    return [
        entry["local"] for link in json.loads(shown.stdout) for entry in link["addr_info"] if entry["scope"] != "link"
    ]


@needs_namespaces
@needs_dnsmasq
def test_a_router(far: Far, tmp_path: Path) -> None:
    far.run("ip", "address", "add", f"{NETWORK[1]}/64", "dev", "far-eth0", "nodad")
    far.dnsmasq(tmp_path, "far-eth0", "--enable-ra", f"--dhcp-range={NETWORK[0]},ra-only", "--port=0")
    (found,) = wait_routers("eth0", 20)
    assert (found.managed, found.prefixes) == (False, (NETWORK,))
    assert found.router.is_link_local


@needs_namespaces
def test_nobody_advertises(far: Far) -> None:
    assert wait_routers("eth0", 3) == ()


@needs_namespaces
def test_addresses_and_gateways(far: Far) -> None:
    far.run("ip", "address", "add", f"{NETWORK[1]}/64", "dev", "far-eth0", "nodad")
    own = IPv6Interface(f"{NETWORK[16]}/64")
    assert taken6("eth0", NETWORK[1])
    assert not taken6("eth0", own.ip)
    assert gateway6("eth0", own, NETWORK[1])
    assert gateway6("eth0", own, NETWORK[9], patience=2) == ""
    assert _own() == [], "something was left on the device"

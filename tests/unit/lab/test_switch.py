"""The lab's switch: what it lets through, and what it says by LACP."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address
from pathlib import Path
from typing import TypeVar

import pytest

from images.build import existing_tools
from images.config import BuildConfig, checkout
from tests.lab.machine import Machine, command_line
from tests.lab.switch import LACP_SYSTEM, Switch, Wire, answer_lacp, switch
from zeroth.drivers.network.frames import arp_request, arp_speaker, dhcp_discover, dhcp_reply

T = TypeVar("T")
MACS = ("52:54:00:00:00:01", "52:54:00:00:00:02")
FAR = bytes.fromhex("020000000099")


@contextmanager
def plugged(wire: Wire) -> Iterator[socket.socket]:
    """QEMU's end of a cable."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.bind(("127.0.0.1", wire.near))
        end.connect(("127.0.0.1", wire.far))
        end.settimeout(5)
        yield end


def frame(to: bytes, source: bytes, *, tag: int = 0, kind: int = 0x0800, data: bytes = b"words") -> bytes:
    tagged = struct.pack("!HH", 0x8100, tag) if tag else b""
    return to + source + tagged + struct.pack("!H", kind) + data


def mac(number: int) -> bytes:
    return bytes.fromhex(MACS[number].replace(":", ""))


def _nothing(end: socket.socket) -> bool:
    end.settimeout(0.3)
    try:
        end.recv(65535)
    except TimeoutError:
        return True
    finally:
        end.settimeout(5)
    return False


def test_one_vlan_goes_through() -> None:
    with switch(MACS, tag=20) as net, plugged(net.cards[0]) as one, plugged(net.cards[1]) as two, \
         plugged(net.uplink) as up:  # fmt: skip
        for tag in (0, 21):
            one.send(frame(FAR, mac(0), tag=tag))
        assert _nothing(up)
        one.send(frame(FAR, mac(0), tag=20))
        assert up.recv(65535) == frame(FAR, mac(0))
        assert net.heard == {0, 20, 21}
        up.send(frame(mac(0), FAR))
        assert one.recv(65535) == frame(mac(0), FAR, tag=20)
        assert _nothing(two), "it has learned where that card is"
        up.send(frame(b"\xff" * 6, FAR))
        assert one.recv(65535) == two.recv(65535)
        net.unplug(0)
        one.send(frame(FAR, mac(0), tag=20))
        assert _nothing(up)


def test_untagged() -> None:
    with switch(MACS[:1]) as net, plugged(net.cards[0]) as one, plugged(net.uplink) as up:
        one.send(frame(FAR, mac(0)))
        assert up.recv(65535) == frame(FAR, mac(0))


def test_a_partner_for_lacp() -> None:
    actor = struct.pack("!H6sHHHB3x", 1, mac(0), 9, 255, 3, 0x4F)
    said = b"\x01\x01\x01\x14" + actor + b"\x02\x14" + bytes(18) + b"\x03\x10" + bytes(14) + bytes(52)
    heard = frame(bytes.fromhex("0180c2000002"), mac(0), kind=0x8809, data=said)
    assert len(said) == 110
    answer = answer_lacp(heard, 1)
    assert len(answer) == len(heard)
    assert answer[20:26].hex(":") == LACP_SYSTEM
    assert answer[38:56] == actor, "it tells the other what it heard of it"
    for lacp in (True, False):
        with _running(lacp=lacp) as (net, one), plugged(net.uplink) as up:
            one.send(heard)
            assert _nothing(up)
            assert _nothing(one) is not lacp


@contextmanager
def _running(*, lacp: bool) -> Iterator[tuple[Switch, socket.socket]]:
    with switch(MACS, lacp=lacp) as net, plugged(net.cards[0]) as one:
        yield net, one


@pytest.mark.skipif(os.geteuid() != 0, reason="the tools tree needs root")
def test_the_network_behind_it() -> None:
    """QEMU without a machine: its network gives an address in the one VLAN, and has a router there."""
    tree = existing_tools(BuildConfig(checkout()))
    if tree is None:
        pytest.skip("needs the tools tree of a build")
    target = IPv4Address("10.0.2.2")
    with switch(MACS[:1], tag=20) as net, plugged(net.cards[0]) as card:
        words = command_line(
            Machine(switch=net, ports=()), {}, firmware=Path("fd"), sockets=Path("run"), serial_log=Path("log")
        )
        hub = [word for at, word in enumerate(words) if words[at - 1] == "-netdev" and "card" not in word]
        argv = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-machine", "none"]
        with running(tree.argv([*argv, *(part for word in hub for part in ("-netdev", word))])):
            reply = _ask(card, 20, 0x0800, dhcp_discover(MACS[0], 7), lambda packet: dhcp_reply(packet, MACS[0], 7))
            assert reply
            assert (str(reply.lease.address), reply.lease.server) == ("10.0.2.15/24", target)
            question = arp_request(MACS[0], target, IPv4Address("10.0.2.15"))
            assert _ask(card, 20, 0x0806, question, lambda packet: arp_speaker(packet, target, MACS[0]))
            assert (
                _ask(card, 21, 0x0806, question, lambda packet: arp_speaker(packet, target, MACS[0]), tries=1) is None
            )


@contextmanager
def running(argv: list[str]) -> Iterator[None]:
    process = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _ask(
    card: socket.socket, tag: int, kind: int, packet: bytes, read: Callable[[bytes], T | None], tries: int = 40
) -> T | None:
    card.settimeout(0.5)
    for _ in range(tries):
        # Until QEMU is there nobody listens.
        with suppress(OSError):
            card.send(frame(b"\xff" * 6, mac(0), tag=tag, kind=kind, data=packet))
            while True:
                heard = card.recv(65535)
                found = read(heard[18:]) if heard[12:14] == b"\x81\x00" else None
                if found is not None:
                    return found
    return None

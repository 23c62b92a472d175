"""A switch for lab machines: what QEMU's own network lacks, which is VLANs, and a partner for LACP.

Each card is a pair of UDP ports on 127.0.0.1, and so is the network behind the switch (QEMU's user-mode network, which
has DHCP and forwards). That network is in one VLAN, or untagged; a frame of another one goes nowhere.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

__all__ = ["LACP_SYSTEM", "Switch", "Wire", "switch"]

LACP_SYSTEM = "02:00:00:00:00:0a"
"""The switch's own name in LACP."""
_TAG, _SLOW = 0x8100, 0x8809
_LACP = b"\x01\x01"  # subtype and version
# Active, short timeout, aggregatable, in sync, collecting, distributing (IEEE 802.1AX, 6.4.2.3).
_IN_STEP = 0x3F


@dataclass(frozen=True)
class Wire:
    """A cable between QEMU and the switch, as UDP ports on 127.0.0.1.

    :ivar mac: of the card at QEMU's end.
    """

    near: int
    far: int
    mac: str = ""


@dataclass
class Switch:
    """A running switch.

    :ivar cards: cables to a machine's cards.
    :ivar uplink: the cable to the network.
    :ivar tag: the VLAN that the network is in; None for untagged.
    :ivar lacp: whether the ports answer LACP.
    :ivar heard: VLAN tags (0 for none) of what came from the cards.
    """

    cards: tuple[Wire, ...]
    uplink: Wire
    tag: int | None = None
    lacp: bool = False
    heard: set[int] = field(default_factory=set)
    _sockets: list[socket.socket] = field(default_factory=list)
    _learned: dict[bytes, int] = field(default_factory=dict)
    _silent: set[int] = field(default_factory=set)

    def unplug(self, number: int) -> None:
        """Let nothing through to or from a card any more, and forget who was there; at the card its link stays."""
        self._silent.add(number)
        self._learned = {mac: port for mac, port in self._learned.items() if port != number}

    def serve(self, stop: threading.Event) -> None:
        """Forward until told to stop."""
        uplink = self._sockets[-1]
        while not stop.is_set():
            for ready in select.select(self._sockets, [], [], 0.2)[0]:
                try:
                    frame = ready.recv(65535)
                except OSError:
                    # QEMU is not there yet, or no more.
                    continue
                if len(frame) < 14:
                    continue
                if ready is uplink:
                    self._down(frame)
                else:
                    self._up(frame, self._sockets.index(ready))

    def _up(self, frame: bytes, port: int) -> None:
        if port in self._silent:
            return
        kind = int.from_bytes(frame[12:14], "big")
        if kind == _SLOW:
            if self.lacp and frame[14:16] == _LACP:
                self._send(port, answer_lacp(frame, port))
            return
        self._learned[frame[6:12]] = port
        tag = int.from_bytes(frame[14:16], "big") & 0xFFF if kind == _TAG else 0
        self.heard.add(tag)
        if tag == (self.tag or 0):
            self._send(len(self.cards), frame[:12] + frame[16:] if tag else frame)

    def _down(self, frame: bytes) -> None:
        if self.tag:
            frame = frame[:12] + struct.pack("!HH", _TAG, self.tag) + frame[12:]
        known = self._learned.get(frame[:6])
        if known is not None:
            ports: Sequence[int] = [known]
        elif self.lacp:
            # The ports are one: what is for all goes through one of them.
            ports = [next((it for it in range(len(self.cards)) if it not in self._silent), 0)]
        else:
            ports = range(len(self.cards))
        for port in ports:
            if port not in self._silent:
                self._send(port, frame)

    def _send(self, port: int, frame: bytes) -> None:
        wire = (*self.cards, self.uplink)[port]
        try:
            self._sockets[port].sendto(frame, ("127.0.0.1", wire.near))
        except OSError:
            # As above: a cable without a machine.
            return


def answer_lacp(frame: bytes, port: int) -> bytes:
    """The partner's message to the one that was received: in step with whatever it is."""
    actor = bytearray(frame[18:36])
    own = struct.pack("!H6sHHHB3x", 0x8000, bytes.fromhex(LACP_SYSTEM.replace(":", "")), 1, 0x8000, port + 1, _IN_STEP)
    message = _LACP + b"\x01\x14" + own + b"\x02\x14" + bytes(actor) + b"\x03\x10" + bytes(14) + bytes(52)
    source = bytes.fromhex(LACP_SYSTEM.replace(":", ""))[:5] + bytes([0x10 + port])
    return bytes.fromhex("0180c2000002") + source + struct.pack("!H", _SLOW) + message


@contextmanager
def switch(macs: Sequence[str], *, tag: int | None = None, lacp: bool = False) -> Iterator[Switch]:
    """A switch with a cable for each card, for the time of the block."""
    sockets = []
    for _ in range(len(macs) + 1):
        own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        own.bind(("127.0.0.1", 0))
        sockets.append(own)
    nears = _free(len(sockets))
    wires = [Wire(near, own.getsockname()[1]) for near, own in zip(nears, sockets, strict=True)]
    cards = tuple(Wire(wire.near, wire.far, mac) for wire, mac in zip(wires, macs, strict=False))
    made = Switch(cards, wires[-1], tag, lacp, _sockets=sockets)
    stop = threading.Event()
    thread = threading.Thread(target=made.serve, args=(stop,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        stop.set()
        thread.join()
        for own in sockets:
            own.close()


def _free(count: int) -> list[int]:
    """UDP ports that nobody has now."""
    held = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in held]
    finally:
        for one in held:
            one.close()

"""A person's terminal on a machine's serial console: Ctrl-A x ends it, Ctrl-A a sends a Ctrl-A."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab.host import Host

__all__ = ["Keys", "watch"]

_PREFIX = 0x01  # Ctrl-A


class Keys:
    """What a person types, with the commands taken out."""

    def __init__(self) -> None:
        self.ended = False
        self._prefixed = False

    def take(self, typed: bytes) -> bytes:
        """The bytes that are for the machine."""
        passed = bytearray()
        for byte in typed:
            if self._prefixed:
                self._prefixed = False
                if byte in b"xX":
                    self.ended = True
                    break
                if byte in (_PREFIX, *b"aA"):
                    passed.append(_PREFIX)
            elif byte == _PREFIX:
                self._prefixed = True
            else:
                passed.append(byte)
        return bytes(passed)


def watch(host: Host) -> None:
    """Connect the terminal until the machine ends or the person does; without a terminal, wait for the machine.

    Ctrl-C goes to the machine when there is a terminal.
    """
    out = sys.stdout.buffer

    def show(data: bytes) -> None:
        out.write(data)
        out.flush()

    host.serial.follow(show)
    if not sys.stdin.isatty():
        while host.child.wait(1) is None:
            pass
        return
    keys = Keys()
    with _raw(sys.stdin.fileno()):
        host.serial.type(b"\r")
        while host.child.status() is None and not keys.ended:
            ready, _, _ = select.select([sys.stdin], [], [], 0.5)
            if ready and (passed := keys.take(os.read(sys.stdin.fileno(), 1024))):
                host.serial.type(passed)


@contextmanager
def _raw(handle: int) -> Iterator[None]:
    before = termios.tcgetattr(handle)
    tty.setraw(handle)
    try:
        yield
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, before)
        # Whatever the machine did to the screen: attributes off, cursor shown.
        sys.stdout.write("\x1b[0m\x1b[?25h\r\n")
        sys.stdout.flush()

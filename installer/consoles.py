"""Every console of the machine at once: what is said is on the screen and on the serial line alike."""

from __future__ import annotations

import io
import os
import select
import signal
import time
from collections.abc import Container, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from zeroth.errors import UserError
from zeroth.system.run import run

__all__ = ["console_devices", "hush_others", "load_keymap", "open_consoles", "wait_for_enter"]

_ACTIVE = Path("/sys/class/tty/console/active")
# A serial line with hardware flow control and nobody at the other end never takes a byte. The installation goes on.
_PATIENCE = 5.0


def console_devices(active: Path = _ACTIVE) -> list[Path]:
    """The devices of the kernel's consoles; ``tty0``, which means the screen in front, becomes the first screen."""
    names = active.read_text().split()
    return [Path("/dev") / ("tty1" if name == "tty0" else name) for name in names]


def hush_others() -> None:
    """The kernel and systemd write no more over what is drawn on the consoles, errors apart that end the machine."""
    run(["dmesg", "--console-level", "emerg"], ok=(0, 1))
    # systemd(1): no more status messages.
    os.kill(1, signal.SIGRTMIN + 21)


def load_keymap(name: str) -> None:
    """Make a keyboard layout hold on the machine's own console; one that is not known there changes nothing."""
    with suppress(UserError):
        run(["loadkeys", "--quiet", name])


def open_consoles(devices: Sequence[Path], hushed: Container[Path] = ()) -> TextIO:
    """A text file that writes to all devices that can be opened.

    A device that takes nothing for five seconds is given up.

    :param hushed: devices that are left alone as long as they are in it: a screen is drawn there.
    """
    handles = {}
    for device in devices:
        try:
            handles[device] = os.open(device, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            # Named on the kernel's command line but not there (no serial port, say): that is usual.
            continue
    return io.TextIOWrapper(io.BufferedWriter(_FanOut(handles, hushed)), encoding="utf-8", line_buffering=True)


class _FanOut(io.RawIOBase):
    def __init__(self, handles: dict[Path, int], hushed: Container[Path]) -> None:
        super().__init__()
        self._handles, self._hushed = handles, hushed

    def writable(self) -> bool:
        return True

    def write(self, data: bytes | bytearray | memoryview) -> int:  # type: ignore[override]
        """Never fails and never blocks for long: a console is for telling, and nothing depends on it."""
        for device, handle in list(self._handles.items()):
            if device not in self._hushed and not _write_all(handle, bytes(data)):
                del self._handles[device]
                os.close(handle)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            super().close()
            for handle in self._handles.values():
                os.close(handle)
            self._handles.clear()


def _write_all(handle: int, data: bytes) -> bool:
    end = time.monotonic() + _PATIENCE
    while data:
        try:
            data = data[os.write(handle, data) :]
            end = time.monotonic() + _PATIENCE
        except BlockingIOError:
            left = end - time.monotonic()
            if left <= 0 or not select.select([], [handle], [], left)[1]:
                return False
        except OSError:
            return False
    return True


def wait_for_enter(devices: Sequence[Path]) -> None:
    """Return when Enter is pressed on any of the consoles; at once when none can be read."""
    handles = []
    try:
        for device in devices:
            try:
                handles.append(os.open(device, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC))
            except OSError:
                continue
        while handles:
            for handle in select.select(handles, [], [])[0]:
                try:
                    data = os.read(handle, 256)
                except OSError:
                    data = b""
                if b"\n" in data or b"\r" in data:
                    return
                if not data:
                    handles.remove(handle)
                    os.close(handle)
    finally:
        for handle in handles:
            os.close(handle)

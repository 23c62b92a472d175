"""Textual on one of the machine's consoles: a screen or a serial line, of which no more is asked than a VT220 can do.

Textual's own driver takes the process's terminal, asks it for things that firmware and old terminals answer with
rubbish, and handles signals, for which it has to be the main thread's.
"""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import termios
import time
import tty
from asyncio import run_coroutine_threadsafe, sleep
from codecs import getincrementaldecoder
from concurrent.futures import wait
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

from textual._xterm_parser import XTermParser
from textual.app import App
from textual.driver import Driver
from textual.events import Key, Resize
from textual.geometry import Size
from textual.message import Message

__all__ = ["ConsoleDriver", "driver_on", "terminal_size"]

COLUMNS, LINES = 80, 25
_LINES_OF_VT220 = 24
_PLACE = re.compile(r"\x1b\[(\d+);(\d+)H")
_ANSWER = re.compile(rb"\x1b\[(\d+);(\d+)R")
_PATIENCE = 1.0  # seconds that a terminal has to say how large it is
_POLL = 0.1
_SETTLING = 15.0  # seconds at most, for a key: a new page takes an emulated processor that long
_QUIET, _TICK = 3, 0.005


class ConsoleDriver(Driver):
    """Keys from a device, pictures to it."""

    device = Path("/dev/console")

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._handle = os.open(self.device, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        self._before: list[Any] | None = None
        self._ended = Event()
        self._keys: Thread | None = None
        self._lines: dict[str, str] = {}

    def write(self, data: str) -> None:
        """Send what changes; a console that shows nothing else than ASCII is sent nothing else."""
        left = self._changed(data).encode("ascii", "replace")
        try:
            while left and not self._ended.is_set():
                if select.select([], [self._handle], [], 1.0)[1]:
                    left = left[os.write(self._handle, left[:512]) :]
        except OSError:
            self._gone()

    def start_application_mode(self) -> None:
        """Take every key as it comes, clear the screen, hide the cursor."""
        self._before = termios.tcgetattr(self._handle)
        tty.setraw(self._handle, termios.TCSANOW)
        columns, lines = terminal_size(self._handle)
        self.write("\x1b[0m\x1b[2J\x1b[H\x1b[?7l\x1b[?25l")
        size = Size(columns, lines)
        run_coroutine_threadsafe(self._app._post_message(Resize(size, size)), self._loop)  # noqa: SLF001 - as its own
        self._keys = Thread(target=self._read, daemon=True)
        self._keys.start()

    def disable_input(self) -> None:
        """No more keys."""
        self._ended.set()
        if self._keys is not None:
            self._keys.join()
            self._keys = None

    def stop_application_mode(self) -> None:
        """Leave the console as it was."""
        self.disable_input()
        self._ended.clear()
        self.write("\x1b[0m\x1b[2J\x1b[H\x1b[?7h\x1b[?25h")
        self._ended.set()
        if self._before is not None:
            with suppress(termios.error):
                termios.tcsetattr(self._handle, termios.TCSANOW, self._before)

    def close(self) -> None:
        """Let go of the device."""
        os.close(self._handle)

    def _changed(self, data: str) -> str:
        """Without the lines that stand there already: textual draws a new page several times over.

        A whole line begins in its first column. What begins elsewhere changes a part of a line, and what the line is
        as a whole is not known then.
        """
        parts = _PLACE.split(data)
        kept = [parts[0]]
        for row, column, text in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            text = text.rstrip("\n")  # noqa: PLW2901 - each begins at its own place
            if column == "1" and text:
                if self._lines.get(row) == text:
                    continue
                self._lines[row] = text
            elif text:
                self._lines.pop(row, None)
            kept.append(f"\x1b[{row};{column}H{text}")
        return "".join(kept)

    def _read(self) -> None:
        parser, decode = XTermParser(), getincrementaldecoder("utf-8")("replace").decode
        while not self._ended.is_set():
            if select.select([self._handle], [], [], _POLL)[0]:
                try:
                    data = os.read(self._handle, 4096)
                except OSError:
                    data = b""
                if not data:
                    self._gone()
                    return
                for message in parser.feed(decode(data)):
                    self._hand_on(message)
            for message in parser.tick():
                self._hand_on(message)

    def _gone(self) -> None:
        """Nobody is there any more (ssh was hung up, say): others go on."""
        self._ended.set()
        hand_over = getattr(self._app, "hand_over", None)
        if hand_over:
            self._app.call_later(hand_over)

    def _hand_on(self, message: Message) -> None:
        """What is typed ahead must not overtake: letters go straight to the field in focus, other keys past many."""
        self.process_message(message)
        if isinstance(message, Key) and not message.is_printable:
            settled = run_coroutine_threadsafe(self._settled(), self._loop)
            end = time.monotonic() + _SETTLING
            # Whoever ends the screens waits for this thread, on the thread that would settle them.
            while not (wait([settled], _POLL).done or self._ended.is_set() or time.monotonic() > end):
                pass
            settled.cancel()

    async def _settled(self) -> None:
        """Wait until nothing is under way between the widgets."""
        quiet = 0
        while quiet < _QUIET and self._app.is_running:
            await sleep(_TICK)
            pumps = (self._app, *self._app.screen.walk_children(with_self=True))
            quiet = quiet + 1 if all(pump._message_queue.empty() for pump in pumps) else 0  # noqa: SLF001


def driver_on(path: Path) -> type[ConsoleDriver]:
    """The driver for a device."""
    return type("ConsoleDriver", (ConsoleDriver,), {"device": path})


def terminal_size(handle: int) -> tuple[int, int]:
    """Columns and lines, at most 80 by 25: what the kernel knows; of a serial line, what the terminal says.

    It is asked where its cursor stands after it was sent to the far corner. One that does not answer is a VT220.
    """
    lines, columns = struct.unpack("HHHH", fcntl.ioctl(handle, termios.TIOCGWINSZ, bytes(8)))[:2]
    if not (lines and columns):
        lines, columns = _asked(handle)
    return min(columns, COLUMNS), min(lines, LINES)


def _asked(handle: int) -> tuple[int, int]:
    os.write(handle, b"\x1b[999;999H\x1b[6n")
    end, said = time.monotonic() + _PATIENCE, b""
    while (left := end - time.monotonic()) > 0 and select.select([handle], [], [], left)[0]:
        said += os.read(handle, 64)
        if found := _ANSWER.search(said):
            return int(found[1]), int(found[2])
    return _LINES_OF_VT220, COLUMNS

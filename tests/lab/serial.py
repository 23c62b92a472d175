"""The serial console: everything it said is in a file; waiting for words and typing."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["Serial", "SerialTimeout", "plain"]

# CSI and OSC sequences, charset choices and the odd control character that firmware, menus and systemd print.
_ESCAPES = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-9;?=]*[ -/]*[@-~]|\x1b[()][A-Z0-9]|\x1b[=>78cM]|[\x00\x07\x0e\x0f]"
)


class SerialTimeout(Exception):
    """What was waited for did not come."""


def plain(raw: bytes) -> str:
    """Text without escape sequences, with ``\\n`` line ends."""
    # Xen adds a carriage return of its own to dom0's.
    return re.sub(r"\r+\n?", "\n", _ESCAPES.sub("", raw.decode("utf-8", "replace")))


class Serial:
    """A machine's first serial port.

    Two plain files, so that nothing the machine says can be held up or lost: a socket holds QEMU up when nobody reads.

    :param log: the file to which QEMU writes what the machine says.
    :param fifo: made here; where QEMU takes what we type.
    """

    def __init__(self, log: Path, fifo: Path) -> None:
        self.log = log
        self._fifo = fifo
        self._seen = 0
        self._closed = threading.Event()
        os.mkfifo(fifo)
        # Open for both, so that neither we nor QEMU wait for the other, and the line never hangs up.
        self._line = os.open(fifo, os.O_RDWR)

    def text(self) -> str:
        """All of it until now."""
        return plain(self._raw())

    def tail(self, lines: int = 15) -> str:
        """The last lines that say something."""
        return "\n".join([line for line in self.text().splitlines() if line.strip()][-lines:])

    def wait_for(
        self,
        pattern: str,
        seconds: float,
        *,
        never: str = "",
        alive: Callable[[], str] = lambda: "",
        from_start: bool = False,
    ) -> re.Match[str]:
        """Wait until a line matches; what was matched before is not matched again.

        :param pattern: a regular expression, applied with ``re.MULTILINE`` to text without escape sequences.
        :param never: another: when it comes first, waiting is in vain.
        :param alive: says why the machine can say nothing more, or nothing.
        :raises SerialTimeout: with the last lines, so that the reader need not open the log.
        """
        wanted, bad = re.compile(pattern, re.MULTILINE), re.compile(never, re.MULTILINE) if never else None
        end = time.monotonic() + seconds
        start = 0 if from_start else self._seen
        while True:
            why = alive()  # asked first, so that the last words are read after the end is known
            text = self.text()
            match = wanted.search(text, start)
            wrong = bad.search(text, start) if bad else None
            if match and not (wrong and wrong.start() < match.start()):
                self._seen = match.end()
                return match
            if wrong:
                line = text[text.rfind("\n", 0, wrong.start()) + 1 :].split("\n", 1)[0]
                raise SerialTimeout(f"the console said {line.strip()!r} instead of {pattern!r}\n{self._quoted()}")
            if why:
                raise SerialTimeout(f"{why} before the console said {pattern!r}\n{self._quoted()}")
            if time.monotonic() > end:
                raise SerialTimeout(f"the console did not say {pattern!r} within {seconds:g} s\n{self._quoted()}")
            time.sleep(0.2)

    def send(self, text: str) -> None:
        """Type. Slowly enough for a UART without flow control."""
        for start in range(0, len(text), 8):
            self.type(text[start : start + 8].encode())
            time.sleep(0.02)

    def type(self, data: bytes) -> None:
        """Put bytes on the line."""
        os.write(self._line, data)

    def follow(self, listener: Callable[[bytes], None]) -> None:
        """From now on ``listener`` gets what the machine says, on a thread of its own."""
        threading.Thread(target=self._follow, args=(listener,), daemon=True).start()

    def close(self) -> None:
        """Hang up."""
        if not self._closed.is_set():
            self._closed.set()
            os.close(self._line)

    def _follow(self, listener: Callable[[bytes], None]) -> None:
        with self.log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            while not self._closed.wait(0.03):
                if data := file.read():
                    listener(data)

    def _raw(self) -> bytes:
        return self.log.read_bytes() if self.log.exists() else b""

    def _quoted(self) -> str:
        return "last lines of the console:\n" + "\n".join(f"  | {line}" for line in self.tail().splitlines())

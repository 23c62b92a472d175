"""A person's seat at a machine's serial console: sees its screens, types, and keeps pictures."""

from __future__ import annotations

import time
from pathlib import Path

from tests.lab.glass import Glass
from tests.lab.host import Host
from zeroth.system.files import atomic_write

__all__ = ["Seat"]

_KEYS = {
    "enter": "\r", "tab": "\t", "space": " ", "escape": "\x1b", "next": "\x0e", "leave": "\x03",
    "up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D", "pageup": "\x1b[5~", "pagedown": "\x1b[6~",
}  # fmt: skip
_REST, _TRIES = 1.0, 6  # seconds, times
_PATIENCE = 90.0  # seconds for a page: an emulated processor draws slowly


class Seat:
    """The seat.

    :param pictures: a folder for them; what is in it from before gives way.
    """

    def __init__(self, host: Host, pictures: Path) -> None:
        self._host, self._pictures = host, pictures
        self.glass = Glass(host.serial.type)
        host.serial.follow(self.glass.feed)
        pictures.mkdir(parents=True, exist_ok=True)
        for old in (*pictures.glob("*.svg"), *pictures.glob("*.txt")):
            old.unlink()

    def wait(self, words: str, seconds: float = _PATIENCE, *, never: str = "\0") -> None:
        """See :meth:`Glass.wait`."""
        self.glass.wait(words, seconds, never=never, alive=lambda: "the machine ended" if self._ended else "")

    def next(self, words: str) -> None:
        """To the next page, which shows these words."""
        self.press("next")
        self.wait(words)

    def press(self, *keys: str) -> None:
        """Press keys, and look what each does before the next."""
        for key in keys:
            self._host.serial.type(_KEYS[key].encode())
            self._look()

    def type(self, text: str) -> None:
        """Type a text, and look until the screen has it."""
        self._host.serial.send(text)
        self._look()

    def picture(self, name: str) -> None:
        """Keep what is on the screen, as SVG and as text, when it has come to rest (a clock never does)."""
        self._look()
        shown = self.glass.text()
        atomic_write(self._pictures / f"{name}.svg", self.glass.picture(f"zeroth: {name}"))
        atomic_write(self._pictures / f"{name}.txt", shown + "\n")

    def _look(self) -> None:
        """Until what is shown has come to rest; a clock never does."""
        shown = self.glass.text()
        for _ in range(_TRIES):
            time.sleep(_REST)
            before, shown = shown, self.glass.text()
            if shown == before:
                break

    @property
    def _ended(self) -> bool:
        return self._host.child.status() is not None

"""A terminal of 80 by 25 on a serial line: what a person would see there, and pictures of it."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable
from threading import Lock

import pyte
from rich.console import Console
from rich.style import Style
from rich.text import Text

__all__ = ["COLUMNS", "LINES", "Glass", "GlassTimeout"]

COLUMNS, LINES = 80, 25
_FONTS = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)


class GlassTimeout(Exception):
    """What was waited for did not come."""


class _Screen(pyte.Screen):
    """Answers when it is asked where its cursor stands."""

    def __init__(self, answer: Callable[[str], None]) -> None:
        super().__init__(COLUMNS, LINES)
        self._answer = answer

    def write_process_input(self, data: str) -> None:
        self._answer(data)


class Glass:
    """The terminal.

    :param answer: gets what the terminal says by itself; may be exchanged for one that keeps it to itself.
    """

    def __init__(self, answer: Callable[[bytes], None]) -> None:
        self.answer = answer
        self.said = bytearray()
        self._screen = _Screen(lambda data: self.answer(data.encode()))
        self._stream = pyte.ByteStream(self._screen)
        self._lock = Lock()

    def feed(self, data: bytes) -> None:
        """Show what the machine says."""
        with self._lock:
            self.said += data
            self._stream.feed(data)

    def text(self) -> str:
        """The lines as they are on the glass."""
        with self._lock:
            return "\n".join(line.rstrip() for line in self._screen.display)

    def wait(self, words: str, seconds: float, *, never: str = "\0", alive: Callable[[], str] = lambda: "") -> None:
        """Wait until they stand on the glass.

        :param never: others: when they stand there, waiting is in vain.
        :param alive: says why nothing more can come, or nothing.
        :raises GlassTimeout: with what stands there instead.
        """
        end = time.monotonic() + seconds
        while words not in (shown := self.text()):
            why = "" if never not in shown else f"{never!r} came"
            why = why or alive() or ("" if time.monotonic() < end else f"it did not come within {seconds:g} s")
            if why:
                raise GlassTimeout(f"{words!r} should be on the screen, but {why}:\n{shown}")
            time.sleep(0.1)

    def picture(self, title: str) -> str:
        """As SVG."""
        console = Console(width=COLUMNS, height=LINES, record=True, file=io.StringIO(), force_terminal=True)
        with self._lock:
            for row in range(LINES):
                line = Text(end="\n", no_wrap=True)
                for column in range(COLUMNS):
                    cell = self._screen.buffer[row][column]
                    style = Style(bold=cell.bold, reverse=cell.reverse, underline=cell.underscore)
                    line.append(cell.data, style)
                console.print(line, crop=True)
        # Whoever looks at it has a font of their own; none is fetched.
        return _FONTS.sub("", console.export_svg(title=title))

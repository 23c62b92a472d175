"""What all pages have in common: 80x25, a head, a body, what is told, what can be done, and which keys there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from installer.screens.widgets import Act, Band
from zeroth.spec.render import printable

if TYPE_CHECKING:
    from installer.screens.app import InstallerApp

__all__ = ["KEYS", "Shown", "plain"]

KEYS = "Tab, arrows: move | Enter: choose | Esc: back | Ctrl-N: next | Ctrl-C: leave"


class Shown(Screen[None]):
    """A page.

    :param heading: at the right of its first line.
    """

    DEFAULT_CSS = """
    Shown { layout: vertical; overflow: hidden; background: ansi_default; color: ansi_default; }
    Shown #intro { height: auto; max-height: 3; margin: 1 1 0 1; }
    Shown #body { height: 1fr; margin: 1 1 0 1; overflow: hidden; }
    Shown #told { height: auto; max-height: 4; margin: 0 1; text-style: bold; }
    Shown #help { height: 2; margin: 0 1; }
    Shown #acts { height: 1; margin: 0 1; }
    """
    BINDINGS = [  # noqa: RUF012 - textual's class attribute
        Binding("up", "app.focus_previous", show=False),
        Binding("down", "app.focus_next", show=False),
        Binding("escape", "back", show=False),
        Binding("ctrl+n,f10", "next", show=False),
    ]
    AUTO_FOCUS = ""

    keys = KEYS

    def __init__(self, title: str, intro: str = "") -> None:
        super().__init__()
        self.heading, self.intro = title, intro

    @property
    def front(self) -> InstallerApp:
        """The app."""
        return cast("InstallerApp", self.app)

    def content(self) -> Iterator[Widget]:
        """The widgets of the body."""
        yield from ()

    def acts(self) -> Sequence[tuple[str, str]]:
        """Keys and names of what can be done, the most likely first."""
        return (("next", "Next"), ("back", "Back"))

    def compose(self) -> ComposeResult:
        """Head, body and feet."""
        yield Band(self._head(), key="head")
        if self.intro:
            yield Static(self.intro, id="intro", markup=False)
        yield Vertical(*self.content(), id="body")
        yield Static("", id="told", markup=False)
        yield Static("", id="help", markup=False)
        yield Horizontal(*(Act(name, key=f"act-{key}") for key, name in self.acts()), id="acts")
        yield Band(f" {self.keys}", key="keys")

    def on_mount(self) -> None:
        """Begin with the first thing that can be changed or done."""
        self.begin()

    def begin(self) -> None:
        """Focus the first thing."""
        for widget in self.query("#body *, #acts *"):
            if widget.focusable and widget.display:
                widget.focus()
                return

    def tell(self, text: str) -> None:
        """Say what is wrong, or what was done; three lines at most."""
        self.query_one("#told", Static).update(_lines(plain(text), 76, 4))

    def explain(self, text: str) -> None:
        """Say what the thing in focus is for."""
        self.query_one("#help", Static).update(_lines(plain(text), 76, 2))

    def on_act_pressed(self, message: Act.Pressed) -> None:
        """Do it: ``act-next`` is ``action_next``."""
        message.stop()
        self.call_later(getattr(self, f"action_{message.key.removeprefix('act-').replace('-', '_')}"))

    def action_next(self) -> None:
        """Go on."""

    def action_back(self) -> None:
        """Go back."""

    def _head(self) -> str:
        product = f" {self.front.product}"
        return product + self.heading.rjust(79 - len(product)) + " "


def plain(text: str) -> str:
    """Text without what could steer a terminal, line feeds apart."""
    return "\n".join(printable(line) for line in text.split("\n"))


def _lines(text: str, width: int, most: int) -> str:
    """Wrapped; what does not fit is cut, and says so."""
    from textwrap import wrap

    lines = [part for line in text.split("\n") for part in (wrap(line.strip(), width) or [""])]
    while lines and not lines[-1]:
        lines.pop()
    if len(lines) > most:
        lines = [*lines[: most - 1], f"{lines[most - 1][: width - 4]} ..."]
    return "\n".join(lines)

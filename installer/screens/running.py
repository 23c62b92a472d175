"""The page during the installation, and the one at its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from textual.widget import Widget
from textual.widgets import Static

from installer.person import Decision
from installer.screens.base import Shown, plain
from installer.screens.state import Ending
from installer.screens.widgets import Reader

__all__ = ["EndScreen", "ProgressScreen", "bar"]

_ROWS = 9
# Seconds between two looks: each is sent over a serial line.
_PAUSE = 0.5
_COUNT = 60


def bar(fraction: float, width: int) -> str:
    """``[#####.....]``."""
    room = width - 2
    done = round(max(0.0, min(1.0, fraction)) * room)
    return f"[{'#' * done}{'.' * (room - done)}]"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


class ProgressScreen(Shown):
    """Steps, how far it is, and the log as it grows."""

    DEFAULT_CSS = """
    ProgressScreen #body { margin: 1 1 0 1; }
    ProgressScreen #whole { height: 2; }
    ProgressScreen #steps { height: 9; }
    ProgressScreen #log { margin: 1 0 0 0; }
    ProgressScreen #help { height: 1; }
    """
    keys = "Arrows, PgUp, PgDn: read the log | Ctrl-C: stop, while nothing is written"

    def __init__(self) -> None:
        super().__init__("Installing")
        self._seen = -1

    def content(self) -> Iterator[Widget]:
        """Bar, steps and log."""
        yield Static("", id="whole", markup=False)
        yield Static("", id="steps", markup=False)
        yield Reader("", key="log", tail=True)

    def acts(self) -> Sequence[tuple[str, str]]:
        """Nothing to do but to wait."""
        return ()

    def on_mount(self) -> None:
        """Look every now and then."""
        super().on_mount()
        self.look()
        self.set_interval(_PAUSE, self.look)

    def look(self) -> None:
        """Show what is new."""
        state = self.front.state
        if state.ending:
            self.front.show_end()
            return
        glance = state.view.glance(78, _ROWS)
        left = f"about {_clock(glance.left)} left" if glance.left is not None else ""
        whole = f"{bar(glance.fraction, 46)} {glance.fraction:4.0%}  {_clock(glance.spent)}  {left}"
        self.query_one("#whole", Static).update(whole)
        self.query_one("#steps", Static).update("\n".join(glance.rows))
        self.explain("The disk is being written to." if state.writing else "Nothing is written yet.")
        if state.view.version != self._seen:
            self._seen = state.view.version
            self.query_one("#log", Reader).show(glance.log)


class EndScreen(Shown):
    """Done, or what went wrong and what can be done about it."""

    DEFAULT_CSS = """
    EndScreen #log { margin: 1 0 0 0; }
    """
    keys = "Tab, arrows: move | Enter: choose | PgUp, PgDn: read the log"

    def __init__(self, ending: Ending) -> None:
        super().__init__("Failed" if ending.failed else "Finished", plain(_first_lines(ending)))
        self.ending = ending
        self._left = _COUNT

    def content(self) -> Iterator[Widget]:
        """What else is to be known, and the log."""
        yield Static(plain("\n".join(note[:78] for note in self.ending.notes[:5])), id="notes", markup=False)
        yield Reader("\n".join(self.front.state.view.log), key="log", tail=True)

    def acts(self) -> Sequence[tuple[str, str]]:
        """What can be done now."""
        if not self.ending.failed:
            return (("restart", "Restart now"), ("poweroff", "Power off"), ("save", "Save answer ..."))
        return (
            ("retry", "Try again"),
            ("shell", "Shell"),
            ("bundle", "Support bundle ..."),
            ("poweroff", "Power off"),
        )

    def begin(self) -> None:
        """The first button, so that Enter does what is likely meant."""
        self.query_one("#acts").children[0].focus()

    def on_mount(self) -> None:
        """A host that is done does not wait for ever."""
        super().on_mount()
        if self.ending.failed:
            self.explain("The log is above; the shell has it as /run/zeroth/install.log.")
        else:
            self._count()
            self.set_interval(1, self._count)

    def _count(self) -> None:
        self._left -= 1
        # Each change is sent over a serial line.
        if self._left % 10 == 9 or self._left < 5:
            self.explain(f"Take the medium out. The machine restarts by itself in {self._left + 1} seconds.")
        if self._left <= 0:
            self.action_restart()

    def on_key(self) -> None:
        """Whoever reads is not hurried."""
        self._left = _COUNT * 10

    def action_next(self) -> None:
        """Nothing: here one button is as likely as another."""

    def action_restart(self) -> None:
        """Start the new host."""
        self._left = _COUNT * 1000
        self.front.state.decide(Decision.RESTART)

    def action_poweroff(self) -> None:
        """Switch the machine off."""
        self.front.state.decide(Decision.POWEROFF)

    def action_retry(self) -> None:
        """Back to the summary, with everything that was said."""
        self.front.state.decide(Decision.RETRY)

    def action_shell(self) -> None:
        """A shell on every console."""
        self.front.state.decide(Decision.SHELL)

    def action_bundle(self) -> None:
        """Help others to help."""
        self.front.show_bundle()

    def action_save(self) -> None:
        """Keep the answer for other machines."""
        spec = self.front.state.draft.judge().spec
        if spec:
            self.front.show_save(spec)


def _first_lines(ending: Ending) -> str:
    if not ending.failed:
        return ending.message
    failed = f"The installation failed: {ending.message}"[:150]
    return f"{failed}\n{ending.hint.strip()[:150]}" if ending.hint else failed

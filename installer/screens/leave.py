"""Leaving the installer: asked first, and impossible once the disk is being written to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from textual.widget import Widget
from textual.widgets import Static

from installer.screens.base import Shown

__all__ = ["LeaveScreen"]

_BEFORE = """Nothing was written to any disk. Leave the installer?

Shells open on the machine's consoles then, and
`zeroth installer run` starts it again."""
_WRITING = """The disk is being written to, and is not bootable before that is done.

It cannot be stopped from here. Should the machine lose its power now, the next
start of this medium begins again."""


class LeaveScreen(Shown):
    """Yes or no."""

    def __init__(self) -> None:
        super().__init__("Leave?")

    def content(self) -> Iterator[Widget]:
        """What it would mean."""
        yield Static(_WRITING if self.front.state.writing else _BEFORE, markup=False)

    def acts(self) -> Sequence[tuple[str, str]]:
        """Stay comes first."""
        stay = ("back", "Stay")
        return (stay,) if self.front.state.writing else (stay, ("leave", "Leave"))

    def action_leave(self) -> None:
        """Leave."""
        self.front.leave()
        self.app.pop_screen()

    def action_next(self) -> None:
        """Nothing: it takes more than that."""

    def action_back(self) -> None:
        """Stay."""
        self.app.pop_screen()

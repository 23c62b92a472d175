"""Whoever stands at the machine, as the installation knows them: asked for what no answer says."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from installer.image import InstallImage
from installer.plan import InstallPlan
from zeroth.progress import Event
from zeroth.spec.answer import AnswerText
from zeroth.system.facts import Facts

__all__ = ["Decision", "Person"]


class Decision(StrEnum):
    """What the person at the screen wants of the installer."""

    INSTALL = "install"
    LEAVE = "leave"
    """Nothing was written, and nothing shall be."""
    RETRY = "retry"
    SHELL = "shell"
    RESTART = "restart"
    POWEROFF = "poweroff"


class Person(Protocol):
    """:class:`installer.screens.front.Front` is the one at a console."""

    def ask(
        self, found: AnswerText | None, facts: Facts, image: InstallImage, keys: Sequence[str] = ()
    ) -> AnswerText:  # fmt: skip
        """Ask for what is missing, show the plan, and wait for consent.

        :param found: an answer that does not say everything.
        :param keys: root's keys that are in the medium, which are part of what is installed.
        :raises UserError: they want to leave; nothing was written.
        """

    def writing(self, plan: InstallPlan) -> None:
        """From now on the disk is written to.

        :raises UserError: they want to stop before that.
        """

    def say(self, text: str) -> None:
        """Show a text among what is logged."""

    def handle(self, event: Event) -> None:
        """Show an event."""

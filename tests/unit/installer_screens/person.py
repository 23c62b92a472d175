"""A person at the screens: types, and sees what an 80x25 terminal shows."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from installer.screens.app import InstallerApp
from installer.screens.draft import Draft
from installer.screens.state import State
from tests.unit.installer.machines import image, recorded
from zeroth.spec.checks import Known
from zeroth.system.facts import Facts

WIDTH, HEIGHT = 80, 25
KNOWN = Known(frozenset({"Etc/UTC", "Europe/Berlin", "Europe/Paris"}), frozenset({"us", "de", "fr"}))
PICTURES = os.environ.get("SCREEN_PICTURES", "")
"""A folder for pictures (SVG) of what the tests see."""


class Person:
    def __init__(self, pilot: Pilot[str], state: State) -> None:
        self.pilot, self.state = pilot, state

    def sees(self) -> list[str]:
        """The lines of the screen."""
        app = self.pilot.app
        strips = app.screen._compositor.render_strips()
        return [strip.text for strip in strips]

    @property
    def screen(self) -> str:
        return "\n".join(line.rstrip() for line in self.sees())

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        names = {" ": "space", "-": "minus", ".": "full_stop", "/": "slash", ":": "colon"}
        await self.press(*(names.get(letter, letter) for letter in text))

    def picture(self, name: str) -> None:
        if PICTURES:
            Path(PICTURES).mkdir(parents=True, exist_ok=True)
            (Path(PICTURES) / f"{name}.svg").write_text(self.pilot.app.export_screenshot(title=name))
            (Path(PICTURES) / f"{name}.txt").write_text(self.screen + "\n")


def fresh(said: Mapping[str, Any] | None = None, facts: Facts | None = None) -> State:
    draft = Draft(deepcopy(dict(said or {})), known=KNOWN)
    return State(facts or recorded("lab-bios-empty"), draft, image(), found="an answer" if said else "")


@asynccontextmanager
async def at_screen(state: State, height: int = HEIGHT) -> AsyncIterator[Person]:
    app = InstallerApp(state)
    async with app.run_test(size=(WIDTH, height)) as pilot:
        await pilot.pause()
        yield Person(pilot, state)

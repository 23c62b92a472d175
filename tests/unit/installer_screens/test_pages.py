"""Every page at 80x25: nothing overflows, and it is ASCII that any terminal can show."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from textual.widget import Widget

from installer.screens.app import InstallerApp
from installer.screens.pages import PAGES
from installer.screens.state import Ending, State
from installer.screens.widgets import Entry
from tests.unit.installer.machines import HASH, disk, machine, recorded
from tests.unit.installer_screens.person import HEIGHT, WIDTH, Person, at_screen, fresh
from zeroth.system.facts import NicFacts

# Those that show the most on these pages, or nothing at all; every app takes a moment to start.
MACHINES = (
    "bios-four-kn", "hardware-raid", "little-memory", "lvm-guests", "many-nics", "multipath-san", "nine-disks",
    "no-disk", "no-nic-driver", "windows-desktop", "write-protected", "xenserver",
)  # fmt: skip
WHOLE = {"hostname": "xen1.example.com", "root": {"password_hash": HASH}}
PAGES_BY_NAME: dict[str, Callable[[InstallerApp], object]] = {
    **{page.key: (lambda app, key=page.key: app.show_page(key)) for page in PAGES},  # type: ignore[misc]
    "summary": lambda app: app.show_summary(),
    "menu": lambda app: app.show_menu(),
    "text": lambda app: app.show_text(),
    "leave": lambda app: app.action_ask_to_leave(),
    "save": lambda app: app.show_save(app.state.draft.judge().spec),  # type: ignore[arg-type]
    "bundle": lambda app: app.show_bundle(),
}


def check(person: Person, height: int = HEIGHT) -> None:
    """What is on the screen is all of it."""
    lines = person.sees()
    assert len(lines) == height
    for line in lines:
        assert len(line.rstrip()) <= WIDTH
        assert line.isascii(), line
    screen = person.pilot.app.screen
    for widget in screen.walk_children(Widget):
        if not (widget.is_on_screen and widget.display):
            continue
        region, inside = widget.region, widget.parent.content_region if isinstance(widget.parent, Widget) else None
        assert screen.region.contains_region(region), f"{widget} at {region} leaves the screen"
        if inside is not None and region.area:
            assert inside.contains_region(region), f"{widget} at {region} leaves {widget.parent} at {inside}"
    assert lines[-1].strip(), "the line with the keys is missing"


async def _go(person: Person, name: str) -> None:
    app = person.pilot.app
    assert isinstance(app, InstallerApp)
    PAGES_BY_NAME[name](app)
    await person.pilot.pause()


@pytest.mark.parametrize(
    ("name", "height"),
    [
        *((name, 25) for name in PAGES_BY_NAME),
        *((name, 24) for name in ("disk", "network", "power", "summary", "save")),
    ],
)
async def test_a_page_fits(name: str, height: int) -> None:
    async with at_screen(fresh(WHOLE), height) as person:
        await _go(person, name)
        check(person, height)
        person.picture(name)


LONG = {
    **WHOLE,
    "hostname": ".".join(["a" * 20] * 3),
    "management": {
        "bond": {"mode": "lacp", "lacp_rate": "fast", "nics": [f"enp{n}s0" for n in range(8)]},
        "address": {"method": "static", "address": "192.0.2.10/24", "gateway": "192.0.2.1"},
        "address6": {"method": "static", "address": "2001:db8::10/64", "gateway": "2001:db8::1"},
        "dns": ["192.0.2.1"] * 8,
        "vlan": 99999,
        "search": ["x" * 60] * 6,
    },
    "pool": {"action": "join", "address": ["pool.example.com"] * 4, "token": "t" * 300, "certificate": "nonsense" * 9},
    "power": {"bmc": {"address": "b" * 200, "username": "u" * 99, "password": "p" * 300}},
    "proxy": {"url": "http://" + "p" * 300, "username": "u"},
    "dom0": {"xen_append": ["word" * 9] * 30},
}


@pytest.mark.parametrize("name", [name for name in PAGES_BY_NAME if name != "save"])
async def test_a_page_fits_whatever_was_said(name: str) -> None:
    nics = tuple(
        NicFacts(name=f"enp{n}s0f0np{n}", mac=f"52:54:00:00:00:{n:02}", driver="a-long-driver-name", carrier=True)
        for n in range(12)
    )
    disks = [
        disk(f"/dev/sd{letter}", model="M" * 60, serial=letter * 60, vendor="V" * 20) for letter in "abcdefghijkl"
    ]
    async with at_screen(fresh(LONG, machine(*disks, nics=nics))) as person:
        await _go(person, name)
        check(person)
        await person.press("ctrl+n")
        check(person)
        person.picture(f"{name}-full")


@pytest.mark.thorough
@pytest.mark.parametrize("name", MACHINES)
async def test_disks_and_summary_of_every_recorded_machine(name: str) -> None:
    async with at_screen(fresh(WHOLE, recorded(name))) as person:
        for page in ("disk", "network", "summary"):
            await _go(person, page)
            check(person)
        await _go(person, "disk")
        await person.press("down", "space", "down", "space")
        check(person)


@pytest.mark.parametrize("failed", [True, False])
async def test_the_end_fits(failed: bool) -> None:
    state = fresh(WHOLE)
    state.view.say("\n".join(f"line {number} {'x' * 100}" for number in range(300)))
    state.ending = Ending(failed, "m" * 500, "h" * 500, tuple("n" * 200 for _ in range(9)))
    async with at_screen(state) as person:
        check(person)
        person.picture("failed" if failed else "finished")


@pytest.mark.thorough
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(max_size=400), st.sampled_from(["host", "login", "network", "proxy"]))
async def test_whatever_is_typed_fits_and_nothing_breaks(text: str, name: str) -> None:
    async with at_screen(fresh(WHOLE)) as person:
        await _go(person, name)
        entry = person.pilot.app.screen.query(Entry).first()
        entry.value = "".join(letter for letter in text if letter.isprintable())
        await person.press("ctrl+n")
        lines = person.sees()
        assert len(lines) == HEIGHT
        assert lines[-1].strip()


def test_a_plain_installation_has_at_most_ten_steps(state: State | None = None) -> None:
    assert len((state or fresh()).asked()) <= 10

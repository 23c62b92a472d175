"""From page to page, as a person goes: what is asked, what is refused, and what comes of it."""

from __future__ import annotations

import pytest

from installer.person import Decision
from installer.screens.app import InstallerApp
from installer.screens.draft import Draft, saved_text
from installer.screens.running import bar
from installer.screens.state import Ending, State
from tests.unit.installer.machines import HASH, NIC, disk, machine, recorded
from tests.unit.installer_screens.person import KNOWN, at_screen, fresh
from zeroth.spec.answer import AnswerText
from zeroth.spec.load import load_answer
from zeroth.spec.model import HostSpec
from zeroth.spec.secrets import verify_password
from zeroth.system.facts import Signature

WHOLE = {"hostname": "xen1", "root": {"password_hash": HASH}}


def _installed(state: State) -> HostSpec:
    decision, answer = state.decided.get_nowait()
    assert decision is Decision.INSTALL
    assert answer
    return load_answer(answer, KNOWN)


async def test_a_plain_installation_by_hand() -> None:
    state = fresh()
    async with at_screen(state) as person:
        await person.press("ctrl+n")
        await person.type("xen1.example.com")
        await person.press("ctrl+n", "ctrl+n", "ctrl+n", "ctrl+n")
        await person.type("correct horse")
        await person.press("enter")
        await person.type("correct horse")
        await person.press("ctrl+n", "ctrl+n")
        assert "Step 8 of 8: Summary" in person.screen
        assert "correct horse" not in str(state.draft.data), "kept in plain"
        await person.press("ctrl+n")
        assert "Installing" in person.screen
        person.picture("progress-begins")
    spec = _installed(state)
    assert spec.hostname == "xen1.example.com"
    assert spec.root.password_hash
    assert verify_password("correct horse", spec.root.password_hash)
    assert spec.disk.select == "/dev/disk/by-id/virtio-target"
    assert not spec.disk.wipe
    assert spec.disk.wipe_disks == ()


async def test_only_what_is_missing_is_asked() -> None:
    state = fresh({"hostname": "xen1", "timezone": "Europe/Berlin"})
    assert state.asked() == ("login", "summary")
    async with at_screen(state) as person:
        assert "Step 1 of 2: Who may log in" in person.screen
    assert fresh(WHOLE).asked() == ("summary",)
    assert fresh({**WHOLE, "timezone": "Nowhere/Land"}).asked() == ("locale", "summary")
    assert "disk" in fresh(WHOLE, recorded("two-equal-ssds")).asked()
    two = (NIC, NIC.model_copy(update={"name": "enp2s0", "mac": "52:54:00:00:00:02"}))
    assert "network" in fresh(WHOLE, machine(disk(), nics=two)).asked()


async def test_a_mistake_is_told_where_it_was_made_with_the_models_own_words() -> None:
    async with at_screen(fresh()) as person:
        await person.press("ctrl+n")
        await person.type("XEN_1")
        await person.press("ctrl+n")
        assert "'XEN_1' is not a host name" in person.screen
        assert "Lower-case letters" in person.screen
        assert "Step 2" in person.screen
        await person.press("ctrl+n", "escape")
        assert "Step 1" in person.screen
        await person.press("ctrl+n")
        assert "XEN_1" in person.screen, "what was typed is kept"


async def test_two_passwords_must_agree() -> None:
    state = fresh({"hostname": "xen1"})
    async with at_screen(state) as person:
        await person.type("one")
        await person.press("enter")
        await person.type("two")
        await person.press("ctrl+n")
        assert "the two passwords are not the same" in person.screen
        await person.press("ctrl+u")
        await person.type("one")
        await person.press("ctrl+n")
        assert "Summary" in person.screen
    assert "two" not in str(state.draft.aside)


async def test_what_is_destroyed_needs_consent_for_this_disk() -> None:
    facts = machine(disk("/dev/sda", serial="S1", signatures=(Signature(type="ext4", offset=1080, label="letters"),)))
    state = fresh(WHOLE, facts)
    async with at_screen(state) as person:
        assert "WILL BE DESTROYED" in person.screen
        await person.press("ctrl+n")
        assert "Not yet: say that what is on the disk may be destroyed" in person.screen
        assert state.decided.empty()
        await person.press("right", "ctrl+n")
    spec = _installed(state)
    assert spec.disk.wipe_disks == ("serial=S1",)


async def test_two_marked_disks_are_a_mirror() -> None:
    disks = (disk("/dev/sda", serial="S1"), disk("/dev/sdb", serial="S2"), disk("/dev/sdc"))
    state = fresh(WHOLE, machine(*disks))
    async with at_screen(state) as person:
        await person.press("ctrl+n")
        assert "mark the disk" in person.screen
        await person.press("space", "down", "space", "down", "space", "ctrl+n")
        assert "at most two disks" in person.screen
        await person.press("space", "ctrl+n")
    assert state.draft.get(("disk",)) == {"select": "serial=S1", "layout": "mirror", "mirror_with": "serial=S2"}


async def test_the_medium_cannot_be_marked() -> None:
    state = fresh(WHOLE, machine(disk("/dev/sda"), disk("/dev/sdb", medium=True)))
    async with at_screen(state) as person:
        app = person.pilot.app
        assert isinstance(app, InstallerApp)
        app.show_page("disk")
        await person.pilot.pause()
        await person.press("down", "space")
        assert "cannot be installed on" in person.screen


async def test_settings_that_are_not_asked_any_more_are_taken_back() -> None:
    address = {"method": "static", "address": "192.0.2.9/24", "gateway": "9.9.9.9"}
    state = fresh({**WHOLE, "management": {"address": address}})
    assert state.asked() == ("network", "summary")
    async with at_screen(state) as person:
        await person.press("ctrl+n")
        assert "is not in the host's network" in person.screen
        while getattr(person.pilot.app.focused, "id", "") != "management-address-method":
            await person.press("up")
        await person.press("left", "ctrl+n")
        assert "Summary" in person.screen
    assert state.draft.get(("management",)) is None


async def test_leaving_is_asked_and_writes_nothing() -> None:
    state = fresh()
    async with at_screen(state) as person:
        await person.press("ctrl+c")
        assert "Nothing was written to any disk" in person.screen
        await person.press("enter")
        assert "Step 1" in person.screen
        assert state.decided.empty()
        await person.press("ctrl+c", "right", "tab", "enter")
    assert state.decided.get_nowait() == (Decision.LEAVE, None)


async def test_there_is_no_leaving_once_the_disk_is_written_to() -> None:
    state = fresh(WHOLE)
    async with at_screen(state) as person:
        await person.press("ctrl+n", "ctrl+c", "tab", "enter")
        assert state.stopping
        state.stopping, state.writing = False, True
        await person.press("ctrl+c")
        assert "It cannot be stopped" in person.screen
        assert "Leave ]" not in person.screen
        await person.press("enter", "ctrl+n")
    assert not state.stopping


@pytest.mark.parametrize(("tabs", "decision"), [(0, Decision.RETRY), (1, Decision.SHELL), (3, Decision.POWEROFF)])
async def test_after_a_failure(tabs: int, decision: Decision) -> None:
    state = fresh(WHOLE)
    state.ending = Ending(failed=True, message="the disk is gone", hint="Plug it in.")
    state.view.say("\n".join(f"line {number}" for number in range(300)))
    async with at_screen(state) as person:
        assert "The installation failed: the disk is gone" in person.screen
        assert "Plug it in." in person.screen
        assert "line 299" in person.screen, "of the log, its end is shown"
        await person.press(*["tab"] * tabs, "enter")
    assert state.decided.get_nowait() == (decision, None)


async def test_any_setting_can_be_edited_as_text() -> None:
    state = fresh(WHOLE)
    async with at_screen(state) as person:
        app = person.pilot.app
        assert isinstance(app, InstallerApp)
        app.show_text()
        await person.pilot.pause()
        area = app.screen.query_one("#text")
        area.text = area.text + "storrage: []\n"  # type: ignore[attr-defined]
        await person.press("ctrl+n")
        assert "Did you mean storage?" in person.screen
        assert state.draft.data == WHOLE
        area.text = area.text.replace("storrage: []", "networks: [{name: san, vlan: 7, purposes: [guests]}]")  # type: ignore[attr-defined]
        await person.press("ctrl+n")
        assert "Summary" in person.screen
    assert state.draft.get(("networks", 0, "vlan")) == 7


def test_a_saved_answer_holds_hashes_and_no_other_secret() -> None:
    spec = HostSpec.model_validate(
        {**WHOLE, "pool": {"action": "join", "address": ["p1"], "token": "abc", "certificate": "ab" * 32}}
    )
    for kickstart in (True, False):
        text = saved_text(spec, kickstart=kickstart)
        assert "abc" not in text
        assert "***" in text
        assert HASH in text.replace("'", "")
    plain = HostSpec.model_validate(WHOLE)
    again = load_answer(AnswerText(saved_text(plain, kickstart=True), "a.ks"), KNOWN)
    assert again == plain


def test_an_answer_prefills_a_draft() -> None:
    draft = Draft.of(AnswerText("network --hostname=xen9\ntimezone Europe/Berlin\n", "a.ks"), KNOWN)
    assert draft.get(("hostname",)) == "xen9"
    assert {problem.field for problem in draft.judge().errors} == {"root"}


def test_a_bar() -> None:
    assert bar(0, 12) == "[..........]"
    assert bar(0.5, 12) == "[#####.....]"
    assert bar(7, 12) == "[##########]"

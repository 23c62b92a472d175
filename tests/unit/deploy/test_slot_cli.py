"""``zeroth slot back`` and ``prepare``, on a host made of files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.unit.deploy.test_goback import host as _host
from tests.unit.deploy.upgrading import FileHost
from zeroth.deploy import slot_cli, upgrade_cli
from zeroth.deploy.booted import Booted
from zeroth.deploy.bootenv import BootState
from zeroth.deploy.esp import Esp
from zeroth.deploy.slotstate import Pending, SlotState
from zeroth.errors import UserError

host = _host


@pytest.fixture(autouse=True)
def _lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upgrade_cli, "_LOCK", tmp_path / "run" / "lock")


def _slot(monkeypatch: pytest.MonkeyPatch, made: FileHost, *words: str) -> Result:
    class Here(Booted):
        def esp(self, *_: object, **__: object) -> Esp:
            return made.esp

    monkeypatch.setattr(slot_cli, "booted", lambda: Here("b", "", "", trial=False))
    monkeypatch.setattr(slot_cli, "SlotState", lambda: made.state)
    monkeypatch.setattr(slot_cli, "as_root", lambda: None)
    return CliRunner().invoke(slot_cli.slot, list(words), catch_exceptions=False)


def test_back(host: FileHost, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="nobody can be asked"):
        _slot(monkeypatch, host, "back")
    shown = _slot(monkeypatch, host, "back", "--plan").stdout
    assert shown == "Back to slot a: zeroth 1.1.0.\n  VM web: made since\n"
    facts = json.loads(_slot(monkeypatch, host, "back", "--plan", "--json").stdout)
    assert facts == {"outcome": "plan", "slot": "a", "title": "zeroth 1.1.0", "lost": ["VM web: made since"]}
    assert host.boot == BootState("b")
    assert "systemctl reboot" in _slot(monkeypatch, host, "back", "--yes").stdout
    assert host.boot == BootState("a")
    assert json.loads(_slot(monkeypatch, host, "status", "--json").stdout)["committed"] == "a"


def test_no_way_back_while_an_upgrade_is_written(host: FileHost, monkeypatch: pytest.MonkeyPatch) -> None:
    with upgrade_cli.alone(), pytest.raises(UserError, match="another upgrade is under way"):
        _slot(monkeypatch, host, "back", "--yes")
    assert host.boot == BootState("b")


def test_only_a_slot_on_trial_is_proved(host: FileHost, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="slot b is not on trial"):
        _slot(monkeypatch, host, "prove")


def test_prepare_tells_what_it_does(tmp_path: Path) -> None:
    state = SlotState(tmp_path)
    (state.folder("a") / "etc/upper").mkdir(parents=True)
    state.base.mkdir(parents=True)
    state.note("b", Pending(version="1.2.0", source="a", source_version="1.1.0", root_hash="ab" * 32))
    said = CliRunner().invoke(slot_cli.slot, ["prepare", "b", "--state", str(tmp_path)], catch_exceptions=False)
    assert said.stdout == "zeroth: slot b gets a copy of the state of slot a\n"
    assert (state.folder("b") / "etc/upper").is_dir()

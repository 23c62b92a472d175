"""What an upgrade reads of a host."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest

from tests.unit.deploy.upgrading import FileHost
from tests.unit.installer.machines import HASH
from zeroth import __version__
from zeroth.deploy.booted import Booted
from zeroth.deploy.bootenv import BootState, write_boot_state
from zeroth.deploy.esp import Esp
from zeroth.deploy.layout import InstallId, Part
from zeroth.deploy.running import entry_title, legs_given, note_leg, read_host
from zeroth.errors import UserError

IDENTITY = InstallId(UUID("11111111-2222-4333-8444-555555555555"))


@dataclass(frozen=True)
class Here(Booted):
    host: FileHost

    def partition(self, part: Part, *_: object, **__: object) -> Path:
        return {Part.ESP: self.host.esp.device, Part.SLOT_B: self.host.slot}[part]

    def esp(self, *_: object, **__: object) -> Esp:
        return self.host.esp


def _host(tmp_path: Path) -> FileHost:
    host = FileHost.make(tmp_path)
    spec = {"hostname": "h.example", "root": {"password_hash": HASH}, "dom0": {"vcpus": 3}}
    (host.state.folder("a") / "store/hostspec.json").write_text(json.dumps(spec))
    (host.state.root / "install").mkdir()
    applied = {"install": str(IDENTITY.value), "version": "0.0.9"}
    (host.state.root / "install/applied.json").write_text(json.dumps(applied))
    return host


def _here(host: FileHost, *, trial: bool = False, root: str = "") -> Here:
    return Here("a", root or IDENTITY.partition_uuid(Part.SLOT_A), "ab" * 32, trial, host)


def test_a_running_host(tmp_path: Path) -> None:
    host = _host(tmp_path)
    host.esp.put_text("menuentry 'Example Host 1.0 (slot b)' --id zeroth-b {\n}\n", "/zeroth/b/entry.cfg")
    found = read_host(host.state, _here(host))
    assert (found.slot, found.version, found.held) == ("a", __version__, "Example Host 1.0")
    assert (found.dom0.vcpus, found.identity, found.root_hash) == (3, IDENTITY, "ab" * 32)
    assert (found.room, found.target, found.boot) == (1 << 20, host.slot, BootState())
    assert found.state_used > 4
    assert found.state_free > 0


def test_a_slot_that_proved_itself_in_this_boot_is_on_trial_no_more(tmp_path: Path) -> None:
    host = _host(tmp_path)
    write_boot_state(host.esp, BootState("b", "a", 1))
    assert read_host(host.state, _here(host, trial=True)).trial
    write_boot_state(host.esp, BootState("a"))
    assert not read_host(host.state, _here(host, trial=True)).trial


def test_another_installation_s_disk_is_not_written(tmp_path: Path) -> None:
    host = _host(tmp_path)
    with pytest.raises(UserError, match="which its installation did not make"):
        read_host(host.state, _here(host, root=str(UUID(int=1))))
    (host.state.root / "install/applied.json").write_text("[]")
    with pytest.raises(UserError, match="which installation this is"):
        read_host(host.state, _here(host))


@pytest.mark.parametrize(("text", "title"), [("", ""), ("menuentry zeroth --id x {", "zeroth"), ("set x=1", "")])
def test_titles(tmp_path: Path, text: str, title: str) -> None:
    host = FileHost.make(tmp_path)
    if text:
        host.esp.put_text(text, "/zeroth/b/entry.cfg")
    assert entry_title(host.esp, "b") == title


def test_no_number_of_a_disk_is_given_twice(tmp_path: Path) -> None:
    state = _host(tmp_path).state
    assert legs_given(state) == 2
    for number in (3, 5, 4):
        note_leg(state, number)
    assert legs_given(state) == 5
    (state.root / "install/legs").write_text("five")
    with pytest.raises(UserError, match="damaged"):
        legs_given(state)

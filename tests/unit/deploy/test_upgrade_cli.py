"""``zeroth upgrade apply``, ``cancel`` and ``status``, on a host made of files."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.unit.deploy.upgrading import HEADER, HOST, FileHost
from zeroth.deploy import upgrade_cli
from zeroth.deploy.booted import Booted
from zeroth.deploy.bootenv import BootState, read_boot_state, write_boot_state
from zeroth.deploy.cli import upgrade
from zeroth.deploy.esp import Esp
from zeroth.deploy.slotstate import SlotState
from zeroth.deploy.upgrade import RunningHost
from zeroth.deploy.upgrade_apply import Upgrade
from zeroth.errors import UserError
from zeroth.keys.signing import SignatureRefused


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileHost:
    made = FileHost.make(tmp_path)

    def read_host(state: SlotState) -> RunningHost:
        return replace(HOST, esp=made.esp.device, target=made.slot, boot=made.boot)

    class Here(Booted):
        def esp(self, *_: object, **__: object):  # type: ignore[no-untyped-def]  # noqa: ANN202
            return made.esp

    monkeypatch.setattr(upgrade_cli, "read_host", read_host)
    monkeypatch.setattr(upgrade_cli, "booted", lambda: Here("a", "", "", trial=False))
    monkeypatch.setattr(upgrade_cli, "SlotState", lambda: made.state)
    monkeypatch.setattr(upgrade_cli, "Upgrade", partial(Upgrade, image=made._image, verify=made._verify))
    monkeypatch.setattr(upgrade_cli, "as_root", lambda: None)
    monkeypatch.setattr(upgrade_cli, "_LOCK", tmp_path / "run" / "lock")
    monkeypatch.setattr(upgrade_cli, "_LOG", tmp_path / "log" / "upgrade.log")
    return made


def _run(*words: object, data: bytes | None = None) -> Result:
    return CliRunner().invoke(upgrade, [str(word) for word in words], input=data, catch_exceptions=False)


def test_a_plan_changes_nothing(host: FileHost) -> None:
    before = host.esp.device.read_bytes()
    said = json.loads(_run("apply", host.folder / "x.zup", "--unsigned", "--plan", "--json").stdout)
    assert (said["outcome"], said["to"]["version"]) == ("plan", "1.2.0")
    shown = _run("apply", host.folder / "x.zup", "--unsigned", "--plan").stdout
    assert "stays as it is" in shown
    assert host.esp.device.read_bytes() == before
    assert not host.state.upgrades.exists()


def test_nothing_is_written_unless_somebody_agreed(host: FileHost) -> None:
    with pytest.raises(UserError, match="nobody can be asked"):
        _run("apply", host.folder / "x.zup", "--unsigned")
    with pytest.raises(SignatureRefused, match="not signed"):
        key = host.folder / "key.pub"
        key.write_text("untrusted comment: x\nRWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n")
        _run("apply", host.folder / "x.zup", "--key", key, "--yes")
    with pytest.raises(UserError, match="cannot read it"):
        _run("apply", host.folder / "missing", "--unsigned", "--yes")
    assert host.boot == BootState()


def test_from_a_pipe_and_taken_back(host: FileHost) -> None:
    done = _run("apply", "-", "--unsigned", "--yes", data=(host.folder / "x.zup").read_bytes())
    assert "systemctl reboot" in done.stdout
    assert host.boot == BootState("a", "b", 2)
    assert "Put slot b on trial: done" in (host.folder / "log" / "upgrade.log").read_text()
    assert "is tried at the next start" in _run("status").stdout
    assert "slot a is started by default" in _run("cancel").stdout
    assert host.boot == BootState("a")
    assert _run("status").stdout == "the upgrade to 1.2.0 in slot b was taken back\n"
    assert "No upgrade waits" in _run("cancel").stdout


def test_what_is_taken_back_is_taken_back_on_both_disks(
    host: FileHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = tmp_path / "second-esp"
    second.write_bytes(host.esp.device.read_bytes())
    both = Esp(host.esp.device, second)

    def read_host(state: SlotState) -> RunningHost:
        return replace(HOST, esp=host.esp.device, other_esps=(second,), target=host.slot, boot=read_boot_state(both))

    monkeypatch.setattr(upgrade_cli, "read_host", read_host)
    _run("apply", host.folder / "x.zup", "--unsigned", "--yes")
    assert read_boot_state(Esp(second)) == BootState("a", "b", 2)
    _run("cancel")
    assert [read_boot_state(one) for one in both.each] == [BootState("a")] * 2


def test_what_runs_already(host: FileHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upgrade_cli, "read_host", lambda _: replace(HOST, root_hash=HEADER.tree.root_hash))
    assert "already" in _run("apply", host.folder / "x.zup", "--unsigned", "--yes").stdout
    said = _run("apply", host.folder / "x.zup", "--unsigned", "--yes", "--json").stdout
    assert json.loads(said) == {"outcome": "nothing to do"}


def test_a_failed_trial_is_an_alert(host: FileHost) -> None:
    _run("apply", host.folder / "x.zup", "--unsigned", "--yes")
    assert _run("status", "--alert").stdout == ""
    host.state.journal().add("trial", "failed", slot="b", error="agent: gone")
    write_boot_state(host.esp, BootState("a", "b", 0))
    assert _run("status", "--alert").stdout.startswith("<1>the upgrade to 1.2.0 in slot b failed: agent: gone; this")
    assert json.loads(_run("status", "--json").stdout)["failed"] is True

"""``zeroth firstboot``, as people call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from firstboot.cli import firstboot
from tests.unit.firstboot.host import Host
from zeroth.errors import ExitCode, UserError
from zeroth.system.console import on_consoles


def status(root: Path, *words: str) -> Result:
    return CliRunner().invoke(firstboot, ["status", "--root", str(root), *words])


def test_status_of_a_finished_host(tmp_path: Path) -> None:
    Host(tmp_path).boot()
    shown = status(tmp_path)
    assert shown.exit_code == ExitCode.DONE, shown.output
    assert "First boot finished" in shown.output
    assert "https://192.0.2.77/" in shown.output
    record = json.loads(status(tmp_path, "--json").output)
    assert record["finished"]
    assert {step["state"] for step in record["steps"]} == {"done"}


def test_status_of_a_failed_host(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.network.lease = None
    with pytest.raises(UserError):
        host.boot()
    shown = status(tmp_path)
    assert shown.exit_code == ExitCode.MACHINE
    assert "network: error: no management address on xenbr0" in shown.output
    assert "network: hint: Check the cable" in shown.output
    states = {step["name"]: step["state"] for step in json.loads(status(tmp_path, "--json").output)["steps"]}
    assert (states["login"], states["network"], states["seed"]) == ("done", "failed", "pending")


def test_status_of_a_host_before_its_first_boot(tmp_path: Path) -> None:
    Host(tmp_path)
    shown = status(tmp_path)
    assert shown.exit_code == ExitCode.RESERVATIONS
    assert "not finished" in shown.output


def test_status_of_something_else(tmp_path: Path) -> None:
    shown = status(tmp_path)
    assert isinstance(shown.exception, UserError)
    assert "not an installed zeroth host" in str(shown.exception)


def test_every_console_gets_the_line_and_a_dead_one_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "active").write_text("tty0 hvc0 gone0\n")
    for name in ("tty0", "hvc0"):
        (tmp_path / name).write_bytes(b"")
    on_consoles("ready\nfinished\n", sysfs=tmp_path / "active", dev=tmp_path)
    for name in ("tty0", "hvc0"):
        assert (tmp_path / name).read_bytes() == b"\r\nready\r\nfinished\r\n"
    on_consoles("nobody", sysfs=tmp_path / "none", dev=tmp_path)

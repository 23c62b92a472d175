"""What comes after, and the consoles."""

from __future__ import annotations

import os
import pty
import threading
from pathlib import Path

import pytest

from installer.consoles import console_devices, open_consoles, wait_for_enter
from installer.ending import Ended, eject_medium, next_action
from zeroth.spec.model import EndAction, OnFailure
from zeroth.system.run import run

REBOOT, POWEROFF, HALT = EndAction.REBOOT, EndAction.POWEROFF, EndAction.HALT


@pytest.mark.parametrize("medium_gone", [False, True])
def test_a_failure_never_starts_again(medium_gone: bool) -> None:
    for end_action in EndAction:
        assert next_action(Ended.FAILED, end_action, OnFailure.SHELL, medium_gone=medium_gone) == "shell"
        assert next_action(Ended.FAILED, end_action, OnFailure.POWEROFF, medium_gone=medium_gone) == "poweroff"


@pytest.mark.parametrize(
    ("ended", "wanted", "gone", "then"),
    [
        (Ended.FINISHED, REBOOT, False, "reboot"),
        (Ended.FINISHED, POWEROFF, False, "poweroff"),
        (Ended.FINISHED, HALT, True, "halt"),
        (Ended.NOTHING_TO_DO, REBOOT, True, "reboot"),
        (Ended.NOTHING_TO_DO, REBOOT, False, "poweroff"),
        (Ended.NOTHING_TO_DO, POWEROFF, True, "poweroff"),
    ],
)
def test_nothing_to_do_never_loops(ended: Ended, wanted: EndAction, gone: bool, then: str) -> None:
    assert next_action(ended, wanted, OnFailure.SHELL, medium_gone=gone) == then


def test_no_medium_is_a_medium_that_is_gone(tmp_path: Path) -> None:
    assert eject_medium(tmp_path)


def test_console_devices(tmp_path: Path) -> None:
    active = tmp_path / "active"
    active.write_text("tty0 ttyS0\n")
    assert console_devices(active) == [Path("/dev/tty1"), Path("/dev/ttyS0")]


def test_all_consoles_get_everything_and_absent_ones_do_not_matter(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        path.touch()
    with open_consoles([*paths, tmp_path / "folder" / "absent"]) as out:
        out.write("one\ntwo\n")
        assert [path.read_text() for path in paths] == ["one\ntwo\n"] * 2


def test_a_console_that_takes_nothing_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("installer.consoles._PATIENCE", 0.05)
    stuck, fine = tmp_path / "stuck", tmp_path / "fine"
    os.mkfifo(stuck)
    fine.touch()
    reader = os.open(stuck, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with open_consoles([stuck, fine]) as out:
            text = "x" * 200_000 + "\n"
            out.write(text)
            out.write("end\n")
        assert fine.read_text() == text + "end\n"
    finally:
        os.close(reader)


def test_enter_on_any_console(tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    try:
        device = Path(os.ttyname(follower))
        waiting = threading.Thread(target=wait_for_enter, args=([tmp_path / "absent", device],), daemon=True)
        waiting.start()
        os.write(leader, b"abc")
        os.write(leader, b"\n")
        waiting.join(10)
        assert not waiting.is_alive()
    finally:
        os.close(leader)
        os.close(follower)
    wait_for_enter([tmp_path / "absent"])


def test_a_console_on_which_a_screen_is_drawn_is_left_alone(tmp_path: Path) -> None:
    paths = [tmp_path / "one", tmp_path / "two"]
    for path in paths:
        path.touch()
    hushed = {paths[0]}
    with open_consoles(paths, hushed) as out:
        out.write("first\n")
        hushed.clear()
        out.write("second\n")
    assert [path.read_text() for path in paths] == ["second\n", "first\nsecond\n"]


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
def test_a_boot_over_the_network_would_come_again(tmp_path: Path) -> None:
    """The initrd mounts the files that it fetched where a medium would be."""
    run(["mount", "-t", "tmpfs", "zeroth-netboot", tmp_path])
    assert not eject_medium(tmp_path)
    assert not tmp_path.is_mount()
    assert next_action(Ended.NOTHING_TO_DO, EndAction.REBOOT, OnFailure.SHELL, medium_gone=False) == "poweroff"

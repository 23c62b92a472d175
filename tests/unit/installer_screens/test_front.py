"""The consoles of a machine as pseudo-terminals: the real driver, the real screens, a person at the other end."""

from __future__ import annotations

import os
import pty
import threading
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from installer.ending import Ended, Report, after
from installer.person import Decision
from installer.remote import take_over
from installer.screens.front import Front
from installer.screens.terminal import terminal_size
from tests.lab.glass import Glass
from tests.unit.installer.machines import HASH, image, recorded
from zeroth.errors import UserError
from zeroth.spec.answer import AnswerText
from zeroth.spec.model import EndAction, OnFailure

_PATIENCE = 60.0


class Console:
    """One console, and the terminal on it."""

    def __init__(self) -> None:
        self._near, far = pty.openpty()
        self.path = Path(os.ttyname(far))
        self._far = far
        self.glass = Glass(self._answer)
        threading.Thread(target=self._read, daemon=True).start()

    def type(self, text: str) -> None:
        os.write(self._near, text.encode())

    def wait(self, words: str) -> None:
        """Until the screen shows them."""
        self.glass.wait(words, _PATIENCE)

    def hang_up(self) -> None:
        os.close(self._far)
        os.close(self._near)

    def _answer(self, data: bytes) -> None:
        os.write(self._near, data)

    def _read(self) -> None:
        while True:
            try:
                self.glass.feed(os.read(self._near, 4096))
            except OSError:
                return


@pytest.fixture
def consoles() -> list[Console]:
    return [Console(), Console()]


@pytest.fixture
def front(consoles: list[Console]) -> Iterator[Front]:
    front = Front([console.path for console in consoles], set())
    yield front
    front.close()


def _asked(front: Front, found: AnswerText | None = None) -> tuple[threading.Thread, list[object]]:
    result: list[object] = []

    def ask() -> None:
        try:
            result.append(front.ask(found, recorded("lab-bios-empty"), image()))
        except UserError as error:
            result.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    return thread, result


ANSWER = AnswerText(f'hostname: xen1\nroot: {{password_hash: "{HASH}"}}\ndisk: {{select: serial=target}}\n', "a.yaml")


def test_an_installation_from_one_console_to_the_other(front: Front, consoles: list[Console]) -> None:
    one, two = consoles
    thread, result = _asked(front, ANSWER)
    for console in consoles:
        console.wait("Press Enter here")
    one.type("\r")
    one.wait("Install ]")
    two.wait(f"goes on at {one.path.name}")
    assert front._hushed == {one.path}
    two.type("\r")
    two.wait("Install ]")
    one.wait("goes on at another console")
    assert front._hushed == {two.path}
    two.type("\x0e")
    thread.join(_PATIENCE)
    (answer,) = result
    assert isinstance(answer, AnswerText)
    assert "hostname: xen1" in answer.text
    two.wait("Nothing is written yet")
    wishes: list[Decision | None] = []
    report = Report(Ended.FAILED, "the disk is gone", hint="Plug it in.")
    ending = threading.Thread(target=lambda: wishes.append(front.ended(report)), daemon=True)
    ending.start()
    two.wait("The installation failed: the disk is gone")
    two.wait("Plug it in.")
    two.type("\r")
    ending.join(_PATIENCE)
    assert wishes == [Decision.RETRY]
    thread, result = _asked(front)
    two.wait("Summary")
    two.type("\x03")
    two.wait("Leave ]")
    two.type("\t\r")
    thread.join(_PATIENCE)
    assert isinstance(result[0], UserError)
    assert front.ended(Report(Ended.FAILED)) is None
    assert two.glass.text().strip() == "", "the screen is left clean"


def test_keys_that_a_vt220_sends_and_no_more_than_it_shows(front: Front, consoles: list[Console]) -> None:
    one, _ = consoles
    _asked(front)
    one.wait("Press Enter here")
    one.type("\r")
    one.wait("Step 1 of 8")
    one.type("\x1b[B\x1b[B\r")
    one.wait("Step 2 of 8")
    one.type("xen\x7f1")
    one.wait("xe1")
    one.type("\x1b")
    one.wait("Step 1 of 8")
    said = one.glass.said.decode()
    assert said.isascii()
    for beyond in ("\x1b[?1049h", "\x1b[?1000h", "\x1b[>1u", "\x1b[38;2", "\x1b[38;5"):
        assert beyond not in said


def test_a_terminal_says_how_large_it_is() -> None:
    console = Console()
    handle = os.open(console.path, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(handle)
    assert terminal_size(handle) == (80, 25)
    console.glass.answer = lambda _: None
    assert terminal_size(handle) == (80, 24)
    os.close(handle)


def test_no_console_at_all() -> None:
    front = Front([Path("/nonexistent/tty")], set())
    thread, _ = _asked(front)
    thread.join(0.1)
    front.close()


@pytest.mark.parametrize(("wish", "then"), [
    (None, (EndAction.HALT, OnFailure.POWEROFF)),
    (Decision.SHELL, (EndAction.HALT, OnFailure.SHELL)),
    (Decision.POWEROFF, (EndAction.POWEROFF, OnFailure.POWEROFF)),
    (Decision.RESTART, (EndAction.REBOOT, OnFailure.POWEROFF)),
])  # fmt: skip
def test_what_comes_after(wish: Decision | None, then: tuple[EndAction, OnFailure]) -> None:
    assert after(wish, EndAction.HALT, OnFailure.POWEROFF) == then


def test_when_a_terminal_goes_away_the_others_are_asked_again(front: Front, consoles: list[Console]) -> None:
    one, two = consoles
    thread, result = _asked(front, ANSWER)
    one.wait("Press Enter here")
    one.type("\r")
    one.wait("Install ]")
    two.wait("goes on at")
    one.hang_up()
    two.wait("Press Enter here to go on at this console")
    two.glass.said.clear()
    two.type("\r")
    two.wait("Install ]")
    two.type("\x0e")
    thread.join(_PATIENCE)
    assert isinstance(result[0], AnswerText)


def test_a_terminal_that_announces_itself_takes_over(consoles: list[Console], tmp_path: Path) -> None:
    one, two = consoles
    desk = tmp_path / "screen"
    front = Front([one.path], set(), desk=desk)
    try:
        _asked(front, ANSWER)
        one.wait("Press Enter here")
        with pytest.raises(UserError, match="not a terminal"):
            take_over(desk, None)
        taking = threading.Thread(target=take_over, args=(desk, two.path), daemon=True)
        taking.start()
        two.wait("Install ]")
        assert taking.is_alive()
        one.type("\r")
        one.wait("Install ]")
        taking.join(_PATIENCE)
        assert not taking.is_alive()
    finally:
        front.close()
    with pytest.raises(UserError, match="nobody is being asked"):
        take_over(tmp_path / "none", two.path)

"""`zeroth plan` on a recorded machine."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from zeroth.cli import run_cli
from zeroth.errors import ExitCode
from zeroth.system.run import run

TESTS = Path(__file__).parents[2]
ANSWER = str(TESTS / "answers" / "good" / "minimal.ks")


def _planned(machine: str, *more: str) -> int:
    return run_cli(["plan", "--answer", ANSWER, "--machine", str(TESTS / "machines" / f"{machine}.json"), *more])


def test_the_same_plan_twice_is_the_same_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert _planned("many-nics", "--json") == ExitCode.DONE
    first = capsys.readouterr().out
    assert _planned("many-nics", "--json") == ExitCode.DONE
    assert capsys.readouterr().out == first


@pytest.mark.parametrize(
    ("machine", "what", "hint"),
    [("no-disk", "no disk was found", "controller"), ("no-nic-driver", "no network card was found", "driver")],
)
def test_what_is_not_there_need_not_be_named(
    machine: str, what: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _planned(machine, "--json") == ExitCode.INPUT
    problems = json.loads(capsys.readouterr().out)["problems"]
    (hints,) = [it["hint"] for it in problems if what in it["message"]]
    assert hint in hints
    assert "answer" not in hints


def test_either_file_may_come_through_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    machine = TESTS / "machines" / "many-nics.json"
    assert _planned("many-nics", "--json") == ExitCode.DONE
    wanted = json.loads(capsys.readouterr().out)
    for piped, words in (
        (machine, ("--answer", ANSWER, "--machine", "-")),
        (Path(ANSWER), ("--answer", "-", "--machine", machine)),
    ):
        done = run([sys.executable, "-m", "zeroth", "plan", "--json", *words], input=piped.read_text())
        assert json.loads(done.stdout) == wanted
    assert run_cli(["plan", "--answer", "-", "--machine", "-"]) == ExitCode.USAGE


def test_the_reason_of_a_refusal_is_told_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert _planned("no-nic-driver") == ExitCode.INPUT
    shown = capsys.readouterr().out
    assert shown.count("no network card was found") == 1
    assert "FAIL   | see above" in shown

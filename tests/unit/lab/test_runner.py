"""Scenarios: their order, their failures, their budgets; without any machine."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from tests.lab import runner
from tests.lab.host import LabError
from tests.lab.runner import print_results, run_all
from tests.lab.scenario import Scenario, every, select
from tests.lab.stage import Stage, expect
from zeroth.errors import UserError


@pytest.fixture(autouse=True)
def _folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(runner, "RESULTS", tmp_path / "results")


def make(name: str, play: Callable[[Stage], None] = lambda stage: None, after: tuple[str, ...] = ()) -> Scenario:
    return Scenario(name, 1, main=False, after=after, about="", play=play)


def fail(stage: Stage) -> None:
    with stage.step("look"):
        expect(condition=False, message="the moon is not there")


def console() -> Console:
    return Console(file=io.StringIO(), width=120)


def said(used: Console) -> str:
    assert isinstance(used.file, io.StringIO)
    return used.file.getvalue()


def test_every_scenario_can_be_named_and_stands_after_what_it_follows() -> None:
    known = every()
    names = [found.name for found in known]
    assert len(set(names)) == len(names)
    for found in known:
        assert found.about
        assert found.minutes > 0
        assert all(names.index(before) < names.index(found.name) for before in found.after)
    assert [found.name for found in select(["rescue"])] == ["rescue"]
    with pytest.raises(UserError, match="'nothing'"):
        select(["nothing"])


def test_a_failure_is_told_and_kept(tmp_path: Path) -> None:
    out = console()
    results = run_all([make("bad", fail), make("good")], out)
    assert not print_results(results, out)
    assert said(out).splitlines()[-1] == "1 passed, 1 failed"
    assert "the moon is not there" in (tmp_path / "results" / "bad" / "report.txt").read_text()
    assert [step for step, _ in results[0].steps] == ["look"]
    assert not (tmp_path / "cache" / "run" / "bad").exists()


def test_a_bug_in_a_scenario_does_not_hide_the_others() -> None:
    def bug(stage: Stage) -> None:
        raise ZeroDivisionError

    results = run_all([make("bug", bug), make("good")], console())
    assert ["ZeroDivisionError" in results[0].error, results[1].error] == [True, ""]


def test_what_follows_a_failure_is_not_run() -> None:
    results = run_all([make("first", fail), make("second", after=("first",)), make("third")], console())
    assert [bool(result.error) for result in results] == [True, True, False]
    assert "since first failed" in results[1].error


def test_order_holds_with_several_at_a_time() -> None:
    ended: list[str] = []
    both = threading.Barrier(2, timeout=10)

    def play(name: str, wait: bool) -> Callable[[Stage], None]:
        def inner(stage: Stage) -> None:
            if wait:
                both.wait()
            ended.append(name)

        return inner

    scenarios = [make("a", play("a", wait=True)), make("b", play("b", wait=True)),
                 make("c", play("c", wait=False), after=("a", "b"))]  # fmt: skip
    results = run_all(scenarios, console(), jobs=2)
    assert not any(result.error for result in results)
    assert ended[-1] == "c"


def test_over_budget_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scenario, "limit", lambda self, patience: 0.0)

    def slow(stage: Stage) -> None:
        while not stage.over_budget:
            threading.Event().wait(0.01)
        raise LabError("the machine ended")

    assert run_all([make("slow", slow)], console())[0].error.startswith("over budget")


@pytest.mark.parametrize("fault", [True, False])
def test_a_machine_hung_by_the_emulator_gets_a_second_run(fault: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stage, "lost_by_emulator", lambda stage: fault)
    runs: list[str] = []

    def once_bad(stage: Stage) -> None:
        runs.append(stage.name)
        expect(len(runs) > 1, "it hangs")

    out = console()
    results = run_all([make("unlucky", once_bad)], out)
    assert print_results(results, out) is fault
    assert len(runs) == 1 + fault
    assert ("passed (2nd run)" in said(out)) is fault


def test_a_hang_of_both_runs_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stage, "lost_by_emulator", lambda stage: True)
    out = console()
    assert not print_results(run_all([make("bad", fail)], out), out)
    assert "failed (2nd run)" in said(out)

"""Runs scenarios, a few at a time, watches their budgets and tells how it went."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.lab.host import LabError
from tests.lab.paths import CACHE, RESULTS
from tests.lab.process import end_all
from tests.lab.qmp import QmpError
from tests.lab.scenario import Scenario
from tests.lab.serial import SerialTimeout
from tests.lab.stage import Stage
from zeroth.errors import UserError
from zeroth.progress import Event, EventKind, Stream

__all__ = ["Lane", "Result", "print_results", "run_all", "run_one"]

_FAILURES = (LabError, QmpError, SerialTimeout, UserError, AssertionError)


@dataclass(frozen=True)
class Result:
    """How one scenario went.

    :ivar steps: seconds of each of its steps, in order.
    :ivar error: why it failed; empty when it passed.
    :ivar again: it hung by a fault of the emulator, and this is how it went the second time.
    :ivar kept: where its artefacts are.
    """

    scenario: Scenario
    seconds: float
    steps: tuple[tuple[str, float], ...] = ()
    error: str = ""
    kept: Path | None = None
    again: bool = False


class Lane:
    """Prints what a scenario does, a line each, with its name in front; and notes how long its steps took."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.steps: list[tuple[str, float]] = []

    def handle(self, event: Event) -> None:
        """Take one event."""
        name, *inner = event.path
        if event.kind in (EventKind.DONE, EventKind.FAIL) and event.seconds is not None and len(inner) == 1:
            self.steps.append((inner[0], event.seconds))
        if not inner and event.kind is not EventKind.LOG:
            return
        what = {
            EventKind.START: "...",
            EventKind.LOG: event.message,
            EventKind.DONE: f"done ({event.seconds or 0:.0f} s)",
            EventKind.FAIL: f"failed ({event.seconds or 0:.0f} s)",
            EventKind.SKIP: f"not needed ({event.message})",
        }.get(event.kind)
        if what:
            clock = time.strftime("%H:%M:%S")
            self._console.print(f"{clock} {name}: {' / '.join([*inner, what])}", highlight=False, markup=False)


def run_one(scenario: Scenario, console: Console, patience: float = 1.0) -> Result:
    """Run one scenario to its end, whatever happens in it; a second time if the emulator, not the host, failed it."""
    result, emulator = _run_once(scenario, console, patience)
    if result.error and emulator:
        console.print(f"{scenario.name}: the emulator lost a timer interrupt: once more", highlight=False)
        result = replace(_run_once(scenario, console, patience)[0], again=True)
    return result


def _run_once(scenario: Scenario, console: Console, patience: float) -> tuple[Result, bool]:
    """How it went, and whether the emulator has hung it."""
    lane = Lane(console)
    stage = Stage(scenario.name, CACHE / "run" / scenario.name, Stream([lane]))
    watchdog = threading.Timer(scenario.limit(patience), stage.give_up)
    watchdog.daemon = True
    watchdog.start()
    started = time.monotonic()
    error, detail, kept = "", "", None
    try:
        with stage.running():
            scenario.play(stage)
    except _FAILURES as failure:
        error, detail = str(failure) or type(failure).__name__, traceback.format_exc()
    except KeyboardInterrupt:
        error = "interrupted"
    except Exception as failure:  # noqa: BLE001 - a scenario's bug must not hide the others' results
        error, detail = f"{type(failure).__name__}: {failure}", traceback.format_exc()
    finally:
        watchdog.cancel()
    seconds = time.monotonic() - started
    if stage.over_budget:
        error = f"over budget: ended after {seconds / 60:.0f} minutes, its budget is {scenario.minutes:g}; {error}"
    emulator = bool(error) and stage.lost_by_emulator()
    if error:
        console.print(f"{scenario.name}: FAILED: {error}", markup=False, highlight=False)
        kept = stage.keep(RESULTS, f"{error}\n\n{detail}")
    stage.end()
    stage.clear()
    return Result(scenario, seconds, tuple(lane.steps), error, kept), emulator


def run_all(scenarios: Sequence[Scenario], console: Console, jobs: int = 1, patience: float = 1.0) -> list[Result]:
    """Run scenarios in their order, up to ``jobs`` at a time, none before those that it follows have ended."""
    names = {scenario.name for scenario in scenarios}
    waiting = list(scenarios)
    running: dict[Future[Result], Scenario] = {}
    results: list[Result] = []
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        try:
            while waiting or running:
                ended = {result.scenario.name for result in results}
                failed = {result.scenario.name for result in results if result.error}
                for scenario in list(waiting):
                    before = names.intersection(scenario.after)
                    if broken := before & failed:
                        waiting.remove(scenario)
                        results.append(Result(scenario, 0, error=f"not run, since {', '.join(sorted(broken))} failed"))
                    elif before <= ended and len(running) < jobs:
                        waiting.remove(scenario)
                        running[pool.submit(run_one, scenario, console, patience)] = scenario
                done, _ = wait(running, timeout=1, return_when=FIRST_COMPLETED)
                for future in done:
                    running.pop(future)
                    results.append(future.result())
        except BaseException:
            # Ctrl-C: without their machines the running scenarios end at once.
            end_all()
            raise
    return sorted(results, key=lambda result: scenarios.index(result.scenario))


def print_results(results: Sequence[Result], console: Console, parts: Sequence[tuple[str, float]] = ()) -> bool:
    """Print the table and the closing line; returns whether all passed.

    :param parts: what else took time: name and seconds.
    """
    table = Table(title="Lab", title_justify="left")
    for name, justify in (("scenario", "left"), ("result", "left"), ("minutes", "right"), ("budget", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    table.add_column("steps (seconds)")
    for name, seconds in parts:
        table.add_row(f"[dim]{name}[/]", "", f"{seconds / 60:.1f}", "", "")
    for result in results:
        minutes = result.seconds / 60
        over = minutes > result.scenario.minutes
        steps = ", ".join(f"{name} {seconds:.0f}" for name, seconds in result.steps)
        table.add_row(
            result.scenario.name,
            ("[red]failed[/]" if result.error else "passed") + (" (2nd run)" if result.again else ""),
            f"[yellow]{minutes:.1f}[/]" if over else f"{minutes:.1f}",
            f"{result.scenario.minutes:g}",
            steps,
        )
    console.print(table)
    failed = [result for result in results if result.error]
    for result in failed:
        console.print(f"FAILED {result.scenario.name}: {result.error}", markup=False, highlight=False)
        if result.kept:
            console.print(f"  kept: {result.kept}", markup=False, highlight=False)
    console.print(f"{len(results) - len(failed)} passed, {len(failed)} failed", highlight=False)
    return not failed

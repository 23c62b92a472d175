"""The build as a graph of steps. A step's key is the hash of its inputs and of the keys of the steps it needs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from images.cache import Store
from images.inputs import digest_text
from zeroth import progress
from zeroth.system.run import stop_running

__all__ = ["Planned", "Results", "Step", "execute", "plan"]

Results = Mapping[str, Path]
"""Where the results of the needed steps lie, by step name."""


@dataclass(frozen=True)
class Step:
    """One step.

    :param name: short, for file names and machines.
    :param title: for people.
    :param inputs: everything but the needed steps that decides the result, as digests or plain values.
    :param make: fills a new folder from the results of the needed steps.
    :param space: bytes on disk that it needs at most, an estimate.
    """

    name: str
    title: str
    inputs: Mapping[str, str]
    make: Callable[[Path, Results, progress.Step], None] = field(repr=False, compare=False)
    needs: tuple[Step, ...] = ()
    space: int = 0

    @cached_property
    def key(self) -> str:
        """Identity of the result."""
        needs = {step.name: step.key for step in self.needs}
        return digest_text(json.dumps([self.name, dict(self.inputs), needs], sort_keys=True))


@dataclass(frozen=True)
class Planned:
    """What a build does about one step.

    :param run: False when its result is in the store, or nobody asks for it.
    :param why: the reason, for people.
    """

    step: Step
    run: bool
    why: str


def plan(targets: Sequence[Step], store: Store) -> list[Planned]:
    """What would be done to have the results of ``targets``, needed steps first. Reads the store, changes nothing."""
    wanted: dict[str, Step] = {}

    def want(step: Step) -> None:
        if step.name not in wanted and not store.has(step.name, step.key):
            wanted[step.name] = step
            for needed in step.needs:
                want(needed)

    for target in targets:
        want(target)
    return [
        Planned(step, step.name in wanted, _why(step, store) if step.name in wanted else _why_not(step, store))
        for step in _in_order(targets)
    ]


def execute(targets: Sequence[Step], store: Store, *, jobs: int, report: progress.Step) -> dict[str, Path]:
    """Run what :func:`plan` says, up to ``jobs`` steps at a time; returns where all present results lie, by step name.

    An interrupt, or the failure of one step, stops the others.
    """
    planned = plan(targets, store)
    todo = {item.step.name: item for item in planned if item.run}
    results = {}
    for item in planned:
        found = None if item.run else store.get(item.step.name, item.step.key)
        if found:
            results[item.step.name] = found
            report.skip(item.step.title, item.why)
    running: dict[Future[Path], str] = {}

    def start_ready(pool: ThreadPoolExecutor) -> None:
        for name, item in list(todo.items()):
            if len(running) < jobs and all(need.name in results for need in item.step.needs):
                del todo[name]
                running[pool.submit(_make, item, store, dict(results), report)] = name

    with ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="step") as pool:
        try:
            start_ready(pool)
            while running:
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    name = running.pop(future)
                    results[name] = future.result()
                start_ready(pool)
        except BaseException:
            stop_running()
            raise
    return results


def _make(item: Planned, store: Store, results: Results, report: progress.Step) -> Path:
    step = item.step
    with report.step(step.title) as sub:
        sub.log(item.why)
        inputs = {**step.inputs, **{f"step {need.name}": need.key for need in step.needs}}
        return store.put(step.name, step.key, inputs, lambda out: step.make(out, results, sub))


def _in_order(targets: Sequence[Step]) -> list[Step]:
    ordered: dict[str, Step] = {}

    def visit(step: Step) -> None:
        for needed in step.needs:
            visit(needed)
        ordered.setdefault(step.name, step)

    for target in targets:
        visit(target)
    return list(ordered.values())


def _why(step: Step, store: Store) -> str:
    before = store.latest(step.name)
    if before is None:
        return "never built"
    now = {**step.inputs, **{f"step {need.name}": need.key for need in step.needs}}
    changed = sorted(name for name in {*before.inputs, *now} if before.inputs.get(name) != now.get(name))
    return f"changed: {', '.join(changed)}" if changed else "its result is not in the store"


def _why_not(step: Step, store: Store) -> str:
    return "nothing changed" if store.has(step.name, step.key) else "nothing asks for it"

"""What the progress page makes of the event stream."""

from __future__ import annotations

from installer.plan import InstallPlan
from installer.planner import plan_installation
from installer.screens.view import View
from tests.unit.installer.machines import disk, machine, request
from zeroth.progress import Stream
from zeroth.system.size import GIB


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def _begun(clock: Clock) -> tuple[View, InstallPlan]:
    plan = plan_installation(machine(disk(size=64 * GIB)), request())
    assert isinstance(plan, InstallPlan)
    view = View(clock)
    view.begin(plan)
    return view, plan


def test_steps_rate_and_time_left() -> None:
    clock = Clock()
    view, plan = _begun(clock)
    stream = Stream([view])
    seen = []
    with stream.step("Install zeroth") as install, install.step("Write to the disk") as writing:
        for action in plan.actions:
            with writing.step(action.title) as step:
                clock.now += 4
                if action.title == "Write the root image":
                    step.update(0.5)
                    glance = view.glance(78, 9)
                    row = next(row for row in glance.rows if "Write the root image" in row)
                    assert row.startswith("[>]")
                    assert "50%, 50.0 MiB/s, 4 s" in row
                    assert glance.left
                seen.append(view.glance(78, 9).fraction)
                step.log(f"about {action.title}\x1b[2J")
    assert seen == sorted(seen)
    end = view.glance(78, 99)
    assert end.fraction == 1
    assert all(row.startswith("[x]") for row in end.rows)
    assert "\x1b" not in end.log
    assert len(end.rows) == len(plan.actions) + 1


def test_only_the_rows_around_the_running_one_are_shown() -> None:
    view, plan = _begun(Clock())
    stream = Stream([view])
    with stream.step("Install zeroth") as install, install.step("Write to the disk") as writing:
        for action in plan.actions[:-2]:
            with writing.step(action.title):
                rows = view.glance(40, 5).rows
                assert len(rows) == 5
                assert any(row.startswith("[>]") and action.title[:20] in row for row in rows)
                assert all(len(row) <= 40 for row in rows)


def test_a_failure_stays_in_sight() -> None:
    view, plan = _begun(Clock())
    stream = Stream([view])
    try:
        with (
            stream.step("Install zeroth") as install,
            install.step("Write to the disk") as writing,
            writing.step(plan.actions[0].title),
        ):
            raise OSError("no space")
    except OSError:
        pass
    rows = view.glance(78, 20).rows
    assert sum(row.startswith("[!]") for row in rows) == 2
    assert "failed" in view.glance(78, 20).log

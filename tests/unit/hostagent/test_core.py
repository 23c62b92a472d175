"""Sessions, tasks and registration, without a network."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from hostagent.store import Store
from hostagent.xenapi import sessions, tasks
from hostagent.xenapi.context import Caller, Context
from hostagent.xenapi.core import Core
from hostagent.xenapi.errors import ApiError
from hostagent.xenapi.operations import operation
from hostagent.xenapi.registry import Messages
from hostagent.xenapi.services import Identity, Services
from hostagent.xenapi.sessions import Sessions
from hostagent.xenapi.tasks import NamelessTask, RunningTask, Tasks
from tests.unit.hostagent.support import FakeAuthenticator, FakeHost, seed
from zeroth.errors import UserError

ROOT = Identity("root")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def code(caught: pytest.ExceptionInfo[ApiError]) -> str:
    return caught.value.code


def test_a_session_ends_after_a_day_of_idleness(store: Store) -> None:
    clock = Clock()
    table = Sessions(store, clock)
    used, idle = (table.open(ROOT, "", Caller()) for _ in range(2))
    clock.now += sessions.IDLE_SECONDS - 1
    assert table.check(used) == used
    clock.now += 2
    assert table.check(used) == used
    with pytest.raises(ApiError) as caught:
        table.check(idle)
    assert caught.value.description == ["SESSION_INVALID", idle]
    clock.now += sessions.IDLE_SECONDS + 1
    table.expire()
    assert store.all("session") == {}


def test_use_is_noted_in_the_record_now_and_then(store: Store) -> None:
    clock = Clock()
    table = Sessions(store, clock)
    ref = table.open(ROOT, "", Caller(agent="a tool"))
    before = store.get("session", ref)
    assert before["originator"] == "a tool"
    generation = store.generation
    table.check(ref)
    assert store.generation == generation
    clock.now += 601
    table.check(ref)
    assert store.get("session", ref)["last_active"] >= before["last_active"]


def test_too_many_sessions_of_one_user(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MOST_PER_USER", 3)
    clock = Clock()
    table = Sessions(store, clock)
    refs = []
    for _ in range(3):
        refs.append(table.open(ROOT, "", Caller()))
        clock.now += 1
    other = table.open(Identity("other"), "", Caller())
    table.check(refs[0])
    table.open(ROOT, "", Caller())
    assert [table.alive(ref) for ref in refs] == [True, False, True]
    assert table.alive(other)


@pytest.mark.parametrize("what", [None, 5, [], "", "OpaqueRef:x"])
def test_what_is_no_session(store: Store, what: object) -> None:
    with pytest.raises(ApiError) as caught:
        Sessions(store).check(what)
    assert code(caught) == "SESSION_INVALID"


def test_old_tasks_are_forgotten(store: Store) -> None:
    table = Tasks(store)
    done, pending, fresh = (table.create(name, "", cancellable=False) for name in ("done", "pending", "fresh"))
    table.succeed(done, None)
    now = datetime.now(UTC)
    table.collect(now=now + timedelta(minutes=64))
    assert set(store.all("task")) == {done, pending, fresh}
    table.collect(now=now + timedelta(minutes=66))
    assert set(store.all("task")) == {pending, fresh}
    table.collect(now=now + timedelta(hours=25))
    assert store.all("task") == {}


def test_too_many_tasks(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "MOST_TASKS", 3)
    table = Tasks(store)
    first, second, third = (table.create(name, "", cancellable=False) for name in "abc")
    with pytest.raises(ApiError) as caught:
        table.create("d", "", cancellable=False)
    assert code(caught) == "TOO_MANY_PENDING_TASKS"
    table.succeed(second, None)
    fourth = table.create("d", "", cancellable=False)
    assert set(store.all("task")) == {first, third, fourth}


async def test_a_task_runs(store: Store) -> None:
    table = Tasks(store)
    gate = asyncio.Event()

    async def work(task: RunningTask) -> list[str]:
        task.progress(0.301)
        await gate.wait()
        return ["a", "<b>"]

    ref = table.start("Async.X.y", work, cancellable=False)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    record = store.get("task", ref)
    assert (record["status"], record["progress"], record["finished"].year) == ("pending", 0.3, 1970)
    with pytest.raises(ApiError) as caught:
        table.cancel(ref)
    assert code(caught) == "OPERATION_NOT_ALLOWED"
    gate.set()
    await table._running[ref]
    record = store.get("task", ref)
    assert record["result"] == "<value><array><data><value>a</value><value>&lt;b&gt;</value></data></array></value>"


async def test_a_destroyed_task_hurts_nobody(store: Store) -> None:
    table = Tasks(store)
    reached = asyncio.Event()

    async def work(task: RunningTask) -> None:
        table.destroy(task.ref)
        task.progress(0.5)
        reached.set()

    table.start("x", work, cancellable=False)
    await reached.wait()
    await table.stop()
    assert store.all("task") == {}


@pytest.mark.parametrize(
    ("error", "info"),
    [
        (ApiError("SR_FULL", "1", "2"), ["SR_FULL", "1", "2"]),
        (UserError("the disk is full", "Make room."), ["INTERNAL_ERROR", "the disk is full"]),
        (KeyError("secret"), ["INTERNAL_ERROR", "work: KeyError (details are in the host's journal)"]),
    ],
)
async def test_a_task_that_fails_says_why(store: Store, error: Exception, info: list[str]) -> None:
    async def work(_: RunningTask) -> None:
        raise error

    table = Tasks(store)
    ref = table.start("work", work, cancellable=False)
    await table._running[ref]
    assert store.get("task", ref)["error_info"] == info
    assert store.get("task", ref)["status"] == "failure"


async def test_the_end_of_the_agent_cancels_tasks(store: Store) -> None:
    table = Tasks(store)

    async def work(_: RunningTask) -> None:
        await asyncio.sleep(3600)

    ref = table.start("x", work, cancellable=False)
    await asyncio.sleep(0)
    await table.stop()
    assert store.get("task", ref)["status"] == "cancelled"


def test_one_operation_at_a_time(store: Store) -> None:
    _, host = seed(store)
    services = Services(FakeAuthenticator(), hypervisor=None, host=FakeHost())  # type: ignore[arg-type]
    core = Core.of(store, services)
    one, two = (Context(core, NamelessTask(name)) for name in ("one", "two"))
    with pytest.raises(ZeroDivisionError), operation(one, "host", host, "shutdown"):
        assert store.get("host", host)["current_operations"] == {one.task.ref: "shutdown"}
        with pytest.raises(ApiError) as caught, operation(two, "host", host, "reboot"):
            pass
        assert caught.value.description == ["OTHER_OPERATION_IN_PROGRESS", "host", host, "shutdown", one.task.ref]
        _ = 1 / 0
    assert store.get("host", host)["current_operations"] == {}


def test_handlers_must_fit_their_messages() -> None:
    messages = Messages()
    with pytest.raises(ValueError, match="no message VM.fly"):
        messages.answers("VM.fly")

    async def too_few(ctx: Context, vm: str) -> None: ...

    with pytest.raises(ValueError, match="vm, start_paused, force"):
        messages.answers("VM.start")(too_few)

    async def not_optional(ctx: Context, host: str, auto_enable: bool) -> None: ...

    with pytest.raises(ValueError, match=r"auto_enable = \.\.\."):
        messages.answers("host.disable")(not_optional)
    messages.answers("VM.suspend")(too_few)
    with pytest.raises(ValueError, match="two handlers for VM.suspend"):
        Messages.merged([messages, messages])

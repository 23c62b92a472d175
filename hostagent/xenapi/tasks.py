"""Tasks: what runs behind an ``Async.`` call, and what clients make for their own transfers."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from hostagent.store import NotFound, Record, Store
from hostagent.xenapi.errors import ApiError, describe
from hostagent.xenapi.model import NULL, Value
from hostagent.xenapi.xmlrpc import encode_value

__all__ = ["NamelessTask", "RunningTask", "Tasks", "local_host"]

MOST_TASKS: Final = 200
"""Tasks kept; beyond it the oldest finished ones go, and with that many pending new ones are refused."""
_KEEP_FINISHED: Final = timedelta(minutes=65)
_KEEP_PENDING: Final = timedelta(hours=24)
_ENDED: Final = ("success", "failure", "cancelled")

log = logging.getLogger(__name__)


class NamelessTask:
    """The task of a plain call: not in the store, but with a reference for ``current_operations``."""

    def __init__(self, name: str) -> None:
        self.ref = f"DummyRef:|{uuid.uuid4()}|{name}"

    def progress(self, fraction: float) -> None:
        """Nobody looks."""

    def check_cancelled(self) -> None:
        """Nobody can cancel it."""


class RunningTask:
    """The task of an ``Async.`` call."""

    def __init__(self, tasks: Tasks, ref: str) -> None:
        self._tasks = tasks
        self.ref = ref

    def progress(self, fraction: float) -> None:
        """Say how far it is; steps under one percent are not worth an event."""
        self._tasks.update(self.ref, progress=round(min(1.0, max(0.0, fraction)), 2))

    def check_cancelled(self) -> None:
        """Stop here if someone cancelled.

        :raises ApiError: TASK_CANCELLED.
        """
        if self._tasks.is_cancelling(self.ref):
            raise ApiError("TASK_CANCELLED", self.ref)


class Tasks:
    """All tasks of this host."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._running: dict[str, asyncio.Task[None]] = {}

    def create(self, label: str, description: str, *, cancellable: bool, parent: str = NULL) -> str:
        """Make a pending task.

        :returns: its reference.
        :raises ApiError: TOO_MANY_PENDING_TASKS.
        """
        self.collect(room=1)
        with self._store.transaction() as tx:
            return tx.create(
                "task",
                {
                    "name_label": label,
                    "name_description": description,
                    "created": datetime.now(UTC),
                    "status": "pending",
                    "type": "<none/>",
                    "resident_on": local_host(self._store),
                    "allowed_operations": ["cancel"] if cancellable else [],
                    "subtask_of": parent,
                },
            )

    def start(self, label: str, work: Callable[[RunningTask], Awaitable[Value]], *, cancellable: bool) -> str:
        """Run something in the background as a task.

        :param work: gets the task's handle; what it returns becomes the task's result.
        :returns: the task's reference, at once.
        """
        ref = self.create(label, "", cancellable=cancellable)
        runner = asyncio.get_running_loop().create_task(self._run(ref, label, work), name=label)
        self._running[ref] = runner
        runner.add_done_callback(lambda _: self._running.pop(ref, None))
        return ref

    async def stop(self) -> None:
        """Interrupt whatever still runs, and wait for it: the agent goes down."""
        running = list(self._running.values())
        for runner in running:
            runner.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def succeed(self, ref: str, value: Value) -> None:
        """End a task well; its result is the value as XML-RPC text, or empty for void."""
        result = "" if value is None else encode_value(value)
        self._end(ref, status="success", result=result, progress=1.0)

    def fail(self, ref: str, description: list[str]) -> None:
        """End a task with an error's code and parameters."""
        self._end(ref, status="failure", error_info=description, progress=1.0)

    def set_status(self, ref: str, status: str) -> None:
        """Set the status, as the client that made the task may."""
        if status in _ENDED:
            self._end(ref, status=status)
        else:
            self.update(ref, status=status)

    def cancel(self, ref: str) -> None:
        """Ask a task to stop.

        :raises ApiError: OPERATION_NOT_ALLOWED, when it cannot be cancelled or has ended.
        """
        record = self._store.get("task", ref)
        if "cancel" not in record["allowed_operations"]:
            why = "it has ended" if record["status"] in _ENDED else "it cannot be cancelled"
            raise ApiError("OPERATION_NOT_ALLOWED", f"task {record['name_label']}: {why}")
        self.update(ref, status="cancelling")
        runner = self._running.get(ref)
        if runner is not None:
            runner.cancel()

    def is_cancelling(self, ref: str) -> bool:
        """Whether someone asked it to stop."""
        return self._store.exists("task", ref) and self._store.get("task", ref)["status"] == "cancelling"

    def destroy(self, ref: str) -> None:
        """Forget a task; what it runs goes on."""
        with self._store.transaction() as tx:
            tx.delete("task", ref)

    def update(self, ref: str, **fields: Value) -> None:
        """Change a task that may have been destroyed meanwhile."""
        if self._store.exists("task", ref):
            with self._store.transaction() as tx:
                tx.update("task", ref, **fields)

    def collect(self, *, room: int = 0, now: datetime | None = None) -> None:
        """Forget old tasks.

        :param room: how many more shall fit.
        :raises ApiError: TOO_MANY_PENDING_TASKS, when they do not.
        """
        now = now or datetime.now(UTC)
        tasks = self._store.all("task")
        old = [ref for ref, record in tasks.items() if self._is_old(ref, record, now)]
        ended = sorted(
            (ref for ref, record in tasks.items() if record["status"] in _ENDED and ref not in old),
            key=lambda ref: tasks[ref]["finished"],
        )
        excess = max(0, len(tasks) - len(old) + room - MOST_TASKS)
        doomed = old + ended[:excess]
        if doomed:
            with self._store.transaction() as tx:
                for ref in doomed:
                    tx.delete("task", ref)
        if excess > len(ended) and room:
            raise ApiError("TOO_MANY_PENDING_TASKS")

    def _is_old(self, ref: str, record: Record, now: datetime) -> bool:
        if record["status"] in _ENDED:
            return bool(now - record["finished"] > _KEEP_FINISHED)
        return ref not in self._running and bool(now - record["created"] > _KEEP_PENDING)

    async def _run(self, ref: str, label: str, work: Callable[[RunningTask], Awaitable[Value]]) -> None:
        try:
            self.succeed(ref, await work(RunningTask(self, ref)))
        except asyncio.CancelledError:
            self._end(ref, status="cancelled", error_info=["TASK_CANCELLED", ref], progress=1.0)
        except ApiError as error:
            if error.code == "TASK_CANCELLED":
                self._end(ref, status="cancelled", error_info=error.description, progress=1.0)
            else:
                self.fail(ref, error.description)
        except Exception as error:  # noqa: BLE001 - a bug must end the task, not hang its client
            self.fail(ref, describe(error, label))

    def _end(self, ref: str, **fields: Value) -> None:
        self.update(ref, finished=datetime.now(UTC), allowed_operations=["destroy"], **fields)


def local_host(store: Store) -> str:
    """The reference of this host; null while the store is empty."""
    try:
        return store.only("host")
    except NotFound:
        return NULL

"""One stream of progress events for builder, installer, first boot and the agent's tasks.

Work is a tree of steps. A step is opened with a context manager, may report a fraction, may log lines, and ends as
done or failed. Sinks turn the same events into a terminal display, JSON lines, a log file or a webhook::

    with Stream([terminal_sink()]).step("Install", total=5) as install:
        with install.step("Write root image") as step:
            step.update(done_bytes, of=total_bytes)
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

__all__ = ["Event", "EventKind", "Sink", "Step", "Stream"]


class EventKind(StrEnum):
    """What happened to a step."""

    START = "start"
    PROGRESS = "progress"
    LOG = "log"
    SKIP = "skip"
    DONE = "done"
    FAIL = "fail"


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    :param path: names of the steps from the outermost to the one meant.
    :param fraction: how much of the step is done, 0 to 1, where known.
    :param eta: seconds until the step is done, an estimate, where known.
    :param seconds: how long the step took; only when it ended.
    :param time: ISO 8601, UTC.
    """

    kind: EventKind
    path: tuple[str, ...]
    time: str
    message: str = ""
    fraction: float | None = None
    eta: float | None = None
    seconds: float | None = None

    def as_json(self) -> dict[str, object]:
        """A flat dictionary without the fields that say nothing."""
        return {key: value for key, value in asdict(self).items() if value not in (None, "")}


class Sink(Protocol):
    """Receives every event, in order, on the thread that made it. Must not raise."""

    def handle(self, event: Event) -> None:
        """Take one event."""


class Stream:
    """Where steps begin; passes every event on to its sinks."""

    def __init__(self, sinks: Iterable[Sink] = ()) -> None:
        self._sinks = list(sinks)

    def add(self, sink: Sink) -> None:
        """Send all later events to this sink too."""
        self._sinks.append(sink)

    def emit(self, event: Event) -> None:
        """Pass one event to every sink."""
        for sink in self._sinks:
            sink.handle(event)

    @contextmanager
    def step(self, name: str, *, total: int = 0) -> Iterator[Step]:
        """Open an outermost step; see :meth:`Step.step`."""
        with _open(Step(self, (name,), total)) as step:
            yield step


class Step:
    """A piece of work in progress.

    :param total: how many sub-steps it will have; when given, each ended sub-step moves its fraction.
    """

    def __init__(self, stream: Stream, path: tuple[str, ...], total: int = 0) -> None:
        self._stream = stream
        self.path = path
        self._total = total
        self._ended = 0
        self._started = time.monotonic()
        self._last_progress = 0.0

    @contextmanager
    def step(self, name: str, *, total: int = 0) -> Iterator[Step]:
        """Open a sub-step; leaving the block ends it, an exception fails it and goes on upwards."""
        with _open(Step(self._stream, (*self.path, name), total)) as step:
            yield step
        self._sub_ended()

    def skip(self, name: str, why: str) -> None:
        """Say that a sub-step need not be done."""
        self._emit(EventKind.SKIP, why, path=(*self.path, name))
        self._sub_ended()

    def log(self, message: str) -> None:
        """Say something about the step."""
        self._emit(EventKind.LOG, message)

    def update(self, done: float, *, of: float = 1.0, message: str = "") -> None:
        """Report how far the step is. Cheap to call often: at most ten events a second are sent, and the last."""
        now = time.monotonic()
        fraction = min(1.0, max(0.0, done / of)) if of > 0 else 1.0
        if fraction < 1.0 and now - self._last_progress < 0.1:
            return
        self._last_progress = now
        spent = now - self._started
        eta = spent * (1 - fraction) / fraction if fraction > 0 and spent > 1 else None
        self._emit(EventKind.PROGRESS, message, fraction=fraction, eta=eta)

    def _sub_ended(self) -> None:
        self._ended += 1
        if self._total:
            self.update(self._ended, of=self._total)

    def _emit(
        self,
        kind: EventKind,
        message: str = "",
        *,
        path: tuple[str, ...] = (),
        fraction: float | None = None,
        eta: float | None = None,
        seconds: float | None = None,
    ) -> None:
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._stream.emit(Event(kind, path or self.path, stamp, message, fraction, eta, seconds))

    def _begin(self) -> None:
        self._emit(EventKind.START)

    def _end(self, error: BaseException | None) -> None:
        seconds = round(time.monotonic() - self._started, 3)
        if error is None:
            self._emit(EventKind.DONE, seconds=seconds)
        else:
            why = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error) or type(error).__name__
            self._emit(EventKind.FAIL, why, seconds=seconds)


@contextmanager
def _open(step: Step) -> Iterator[Step]:
    step._begin()  # noqa: SLF001 - same module
    try:
        yield step
    except BaseException as error:
        step._end(error)  # noqa: SLF001
        raise
    step._end(None)  # noqa: SLF001

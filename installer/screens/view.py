"""What the progress page shows, gathered from the one event stream: steps, rate, time left, and the log."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

from installer.plan import InstallPlan
from zeroth.progress import Event, EventKind
from zeroth.sinks import line_of
from zeroth.spec.render import printable
from zeroth.system.size import Size

__all__ = ["Glance", "Row", "View"]

_KEPT = 500  # lines of the log
# Every action counts as if it wrote this much more: a small one takes its time too.
_EACH = 32 << 20
_MARKS = {EventKind.DONE: "done", EventKind.FAIL: "FAILED", EventKind.SKIP: "not needed"}


@dataclass
class Row:
    """A step.

    :ivar state: empty before it began; ``...`` while it runs; then how it ended.
    :ivar size: bytes that it writes; 0 where that says nothing.
    """

    name: str
    depth: int = 0
    state: str = ""
    fraction: float | None = None
    seconds: float | None = None
    size: int = 0
    began: float = 0.0

    def line(self, width: int, now: float) -> str:
        """In one line."""
        if self.state == "...":
            spent = now - self.began
            parts = [f"{self.fraction:.0%}" if self.fraction is not None else "", self._rate(spent), f"{spent:.0f} s"]
            note = ", ".join(part for part in parts if part)
        else:
            note = self.state + (f" ({self.seconds:.1f} s)" if self.seconds is not None else "")
        mark = {"": " ", "...": ">", "done": "x", "FAILED": "!"}.get(self.state, "-")
        name = f"[{mark}] {'  ' * self.depth}{printable(self.name)}"
        return f"{name[: width - len(note) - 1].ljust(width - len(note))}{note}"

    def _rate(self, spent: float) -> str:
        if not (self.size > 64 << 20 and self.fraction and spent > 1):
            return ""
        return f"{Size(int(self.size * self.fraction / spent)).approx()}/s"


@dataclass(frozen=True)
class Glance:
    """All of it at one moment.

    :ivar fraction: of the whole.
    :ivar left: seconds, an estimate; None where nothing can be said yet.
    """

    rows: tuple[str, ...]
    log: str
    fraction: float
    spent: float
    left: float | None


@dataclass
class View:
    """A sink for events, and what is to be seen of them. Events come on the installer's thread."""

    clock: Callable[[], float] = time.monotonic
    rows: list[Row] = field(default_factory=list)
    log: deque[str] = field(default_factory=lambda: deque(maxlen=_KEPT))
    version: int = 0
    _lock: Lock = field(default_factory=Lock)
    _began: float | None = None

    def begin(self, plan: InstallPlan) -> None:
        """Know the actions that are to come, and how much they write."""
        with self._lock:
            whole = plan.disk.size
            # What is said to span the whole disk (a table, signatures) writes next to nothing.
            self.rows += [
                Row(action.title, 1, size=action.size if action.size < whole // 2 else 0) for action in plan.actions
            ]
            self._began = self.clock()
            self.version += 1

    def handle(self, event: Event) -> None:
        """Take one event."""
        with self._lock:
            self.version += 1
            if event.kind is not EventKind.PROGRESS:
                self.log.append(f"{event.time[11:19]} {printable(line_of(event))}")
            if event.kind is EventKind.LOG or len(event.path) < 2:
                return
            row = self._row(event)
            match event.kind:
                case EventKind.START:
                    row.state, row.began, row.fraction = "...", self.clock(), None
                case EventKind.PROGRESS:
                    row.fraction = event.fraction
                case _:
                    row.state, row.seconds = _MARKS[event.kind], event.seconds

    def say(self, text: str) -> None:
        """Add lines to the log."""
        with self._lock:
            self.log.extend(printable(line) for line in text.splitlines())
            self.version += 1

    def glance(self, width: int, height: int) -> Glance:
        """What to show.

        :param height: so many rows at most: those around the one that runs.
        """
        with self._lock:
            now = self.clock()
            running = max((at for at, row in enumerate(self.rows) if row.state), default=0)
            top = max(0, min(running - height // 2, len(self.rows) - height))
            rows = tuple(row.line(width, now) for row in self.rows[top : top + height])
            fraction = self._fraction()
            spent = now - self._began if self._began is not None else 0.0
            left = spent * (1 - fraction) / fraction if fraction > 0.02 and spent > 3 else None
            return Glance(rows, "\n".join(self.log), fraction, spent, left)

    def _row(self, event: Event) -> Row:
        name, depth = event.path[-1], len(event.path) - 2
        for row in self.rows:
            if row.name == name and row.depth == depth and (row.state in ("", "...") or event.kind is EventKind.FAIL):
                return row
        made = Row(name, depth)
        # Before the actions that are still to come, and behind everything that has begun.
        at = max((at + 1 for at, row in enumerate(self.rows) if row.state), default=0)
        self.rows.insert(at, made)
        return made

    def _fraction(self) -> float:
        actions: Sequence[Row] = [row for row in self.rows if row.depth == 1]
        whole = sum(row.size + _EACH for row in actions)
        done = sum((row.size + _EACH) * _part(row) for row in actions)
        return done / whole if whole and self._began is not None else 0.0


def _part(row: Row) -> float:
    parts: Mapping[str, float] = {"": 0.0, "...": row.fraction or 0.0}
    return parts.get(row.state, 1.0)

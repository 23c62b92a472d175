"""Where progress events go: a terminal, JSON lines, a log file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from zeroth.progress import Event, EventKind, Sink

__all__ = ["JsonSink", "PlainSink", "TerminalSink", "Timings", "line_of", "log_file", "sink_for"]


class JsonSink:
    """One JSON object per event and line."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def handle(self, event: Event) -> None:
        """Write the event."""
        self._out.write(json.dumps(event.as_json(), ensure_ascii=False) + "\n")
        self._out.flush()


class PlainSink:
    """Text lines for pipes, log files and serial consoles: a line when a step starts, ends or logs."""

    def __init__(self, out: TextIO, *, timestamps: bool = False) -> None:
        self._out = out
        self._timestamps = timestamps
        self._last_percent: dict[tuple[str, ...], int] = {}

    def handle(self, event: Event) -> None:
        """Write a line, for progress only at each tenth."""
        if event.kind is EventKind.PROGRESS:
            percent = int((event.fraction or 0) * 10) * 10
            if percent <= self._last_percent.get(event.path, 0) or percent >= 100:
                return
            self._last_percent[event.path] = percent
        stamp = f"{event.time} " if self._timestamps else ""
        self._out.write(f"{stamp}{'  ' * (len(event.path) - 1)}{line_of(event)}\n")
        self._out.flush()


class TerminalSink:
    """A bar per running step on a terminal, a line for each that ended."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=28),
            TextColumn("{task.fields[percent]}"), TimeElapsedColumn(), console=console, transient=True,
        )  # fmt: skip
        self._tasks: dict[tuple[str, ...], TaskID] = {}

    def handle(self, event: Event) -> None:
        """Show the event."""
        indent = "  " * (len(event.path) - 1)
        if event.kind is EventKind.START:
            if not self._tasks:
                self._bars.start()
            self._tasks[event.path] = self._bars.add_task(indent + event.path[-1], total=None, percent="")
        elif event.kind is EventKind.PROGRESS:
            fraction = event.fraction or 0.0
            task = self._tasks.get(event.path)
            if task is not None:
                self._bars.update(task, total=1.0, completed=fraction, percent=f"{fraction:4.0%}")
        elif event.kind in (EventKind.LOG, EventKind.SKIP):
            self._bars.console.print(f"[dim]{indent}{line_of(event)}[/]", highlight=False)
        else:
            task = self._tasks.pop(event.path, None)
            if task is not None:
                self._bars.remove_task(task)
            style = "green" if event.kind is EventKind.DONE else "bold red"
            self._bars.console.print(f"{indent}[{style}]{line_of(event)}[/]", highlight=False)
            if not self._tasks:
                self._bars.stop()


class Timings:
    """Remembers how long each step took."""

    def __init__(self) -> None:
        self.rows: list[tuple[tuple[str, ...], float]] = []

    def handle(self, event: Event) -> None:
        """Note the time of an ended step."""
        if event.seconds is not None:
            self.rows.append((event.path, event.seconds))


def sink_for(console: Console, out: TextIO, *, json_lines: bool = False) -> Sink:
    """The sink that fits: JSON lines if asked for, bars on a terminal, plain lines elsewhere."""
    if json_lines:
        return JsonSink(out)
    return TerminalSink(console) if console.is_terminal else PlainSink(out)


@contextmanager
def log_file(path: Path) -> Iterator[PlainSink]:
    """A sink that appends time-stamped lines to a file, which is made with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as out:
        yield PlainSink(out, timestamps=True)


def line_of(event: Event) -> str:
    """An event in words, one line."""
    name = event.path[-1]
    took = f" ({event.seconds:.1f} s)" if event.seconds is not None else ""
    match event.kind:
        case EventKind.START:
            return f"{name} ..."
        case EventKind.PROGRESS:
            eta = f", about {event.eta:.0f} s left" if event.eta else ""
            return f"{name}: {event.fraction or 0:.0%}{eta}"
        case EventKind.LOG:
            return event.message
        case EventKind.SKIP:
            return f"{name}: not needed ({event.message})"
        case EventKind.DONE:
            return f"{name}: done{took}"
        case EventKind.FAIL:
            # The whole message comes at the end, with its hint; here it would stand once for every step it passes.
            return f"{name}: failed{took}: {event.message.partition(chr(10))[0]}"

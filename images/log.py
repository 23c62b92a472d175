"""The build log: every line of every tool, with the step that it belongs to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from zeroth.progress import Event, EventKind

__all__ = ["LOG_HINT", "BuildLog", "open_log"]

LOG_HINT = "All that the tools printed is in .cache/zeroth/build.log."


class BuildLog:
    """Writes lines from several steps into one file; as a sink of progress events, those too."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lock = threading.Lock()

    def writer(self, step: str) -> Callable[[str], None]:
        """A function that logs one line of a step."""

        return lambda line: self._write(step, line)

    def handle(self, event: Event) -> None:
        """Log an event, but for those that only tell how far a step is."""
        if event.kind is not EventKind.PROGRESS:
            took = f" ({event.seconds:.1f} s)" if event.seconds is not None else ""
            self._write("build", f"{' / '.join(event.path)}: {event.kind}{took} {event.message}".rstrip())

    def _write(self, step: str, line: str) -> None:
        stamp = datetime.now(UTC).strftime("%H:%M:%S")
        with self._lock:
            # The last events come when the log is closed.
            if not self._out.closed:
                self._out.write(f"{stamp} {step:8} {line}\n")
                self._out.flush()


@contextmanager
def open_log(path: Path) -> Iterator[BuildLog]:
    """Begin a new log; the one before it is kept as ``NAME.1``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        path.replace(path.with_name(path.name + ".1"))
    with path.open("w", encoding="utf-8") as out:
        yield BuildLog(out)

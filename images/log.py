"""The build log: every line of every tool, with the step that it belongs to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

__all__ = ["BuildLog", "open_log"]


class BuildLog:
    """Writes lines from several steps into one file."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lock = threading.Lock()

    def writer(self, step: str) -> Callable[[str], None]:
        """A function that logs one line of a step."""

        def write(line: str) -> None:
            stamp = datetime.now(UTC).strftime("%H:%M:%S")
            with self._lock:
                self._out.write(f"{stamp} {step:8} {line}\n")
                self._out.flush()

        return write


@contextmanager
def open_log(path: Path) -> Iterator[BuildLog]:
    """Begin a new log; the one before it is kept as ``NAME.1``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        path.replace(path.with_name(path.name + ".1"))
    with path.open("w", encoding="utf-8") as out:
        yield BuildLog(out)

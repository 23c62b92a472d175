"""The journal of an installation, later of an upgrade: a JSON object a line, durable before the next step begins."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["Journal", "read_journal"]


class Journal:
    """Collects entries, and keeps them in a file as soon as there is a place for it.

    The first steps of an installation make the file system that the journal lies on; until :meth:`keep_in` is called,
    entries wait in memory, and the mark on the disk (:mod:`zeroth.deploy.marker`) stands for them.
    """

    def __init__(self) -> None:
        self._waiting: list[str] = []
        self._path: Path | None = None

    def keep_in(self, path: Path) -> None:
        """Write what has waited to the end of ``path``, and everything later too."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        waiting, self._waiting = self._waiting, []
        self._append("".join(waiting))

    def let_go(self) -> None:
        """The file goes away (its file system is unmounted): later entries are not kept."""
        self._path = None

    def add(self, what: str, status: str, **details: object) -> None:
        """Note that something begins, is done or failed."""
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": stamp, "what": what, "status": status, **details}, ensure_ascii=False) + "\n"
        if self._path is None:
            self._waiting.append(line)
        else:
            self._append(line)

    def _append(self, text: str) -> None:
        assert self._path is not None
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, text.encode())
            os.fsync(handle)
        finally:
            os.close(handle)


def read_journal(path: Path) -> list[dict[str, object]]:
    """All entries; a last line that a power cut left unfinished is passed over.

    :raises OSError: when it cannot be read.
    """
    entries = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            entries.append(entry)
    return entries

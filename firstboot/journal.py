"""Which steps are done: a small JSON file, replaced whole at every change, so a power cut leaves one or the other.

A step is done for the input that it had: when the input is another one at the next boot, it is done again.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from zeroth.errors import ExitCode, UserError
from zeroth.system.files import atomic_write

__all__ = ["Entry", "Journal", "Record", "StepState", "digest"]


class StepState(StrEnum):
    """How far a step is. ``RUNNING`` after a power cut means: begun, and to be done again."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Entry(BaseModel):
    """One step.

    :ivar digest: SHA-256 of the input it was done with.
    :ivar tries: how often it was begun.
    :ivar note: a reservation with which it was done.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    state: StepState = StepState.PENDING
    digest: str = ""
    tries: int = 0
    started: str = ""
    ended: str = ""
    seconds: float = 0.0
    note: str = ""
    error: str = ""
    hint: str = ""


class Record(BaseModel):
    """The whole file.

    :ivar finished: when all steps were done; empty until then.
    :ivar address: where the host was reached by IPv4 when this was last written; empty where it has none.
        ``address6`` likewise by IPv6.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Literal[1] = 1
    started: str = ""
    finished: str = ""
    address: str = ""
    address6: str = ""
    steps: tuple[Entry, ...] = ()


class Journal:
    """The file, open for changes.

    :param names: the steps there are, in their order.
    :raises UserError: when the file cannot be understood.
    """

    def __init__(self, path: Path, names: tuple[str, ...]) -> None:
        self._path = path
        record = read(path)
        entries = {entry.name: entry for entry in record.steps}
        self.record = record.model_copy(update={"steps": tuple(entries.get(n, Entry(name=n)) for n in names)})

    def entry(self, name: str) -> Entry:
        """One step's entry."""
        return next(entry for entry in self.record.steps if entry.name == name)

    def begin(self) -> None:
        """Note the time of the first try."""
        if not self.record.started:
            self._write(self.record.model_copy(update={"started": now()}))

    def set(self, name: str, **changes: object) -> None:
        """Change a step's entry, durably."""
        steps = tuple(entry.model_copy(update=changes) if entry.name == name else entry for entry in self.record.steps)
        self._write(self.record.model_copy(update={"steps": steps}))

    def finish(self, address: str, address6: str = "") -> None:
        """Note that everything is done."""
        update = {"finished": now(), "address": address, "address6": address6}
        self._write(self.record.model_copy(update=update))

    def set_addresses(self, address: str, address6: str = "") -> None:
        """Note a change of address."""
        if (self.record.address, self.record.address6) != (address, address6):
            self._write(self.record.model_copy(update={"address": address, "address6": address6}))

    def _write(self, record: Record) -> None:
        atomic_write(self._path, record.model_dump_json(indent=2) + "\n", mode=0o644)
        self.record = record


def read(path: Path) -> Record:
    """What the file says; nothing yet, when there is none.

    :raises UserError: when it cannot be understood.
    """
    try:
        return Record.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Record()
    except ValidationError as error:
        raise UserError(
            f"the journal of the first boot cannot be understood: {error.errors()[0]['msg']}",
            "Move it away: all steps are then done again, and those that are done already change nothing.",
            where=str(path),
            code=ExitCode.MACHINE,
        ) from None


def digest(value: object) -> str:
    """SHA-256 of a value's JSON form, in hexadecimal."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def now() -> str:
    """The time, ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")

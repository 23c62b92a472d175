"""The store's file: an SQLite database in WAL mode, with a schema version and one writer.

A row holds one object, its fields as JSON; which fields those are is the data model's business, so a new field needs
no migration: missing ones take their default when read, unknown ones are left out.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hostagent.store.tables import TOMBSTONES, Entry, Record, Tombstone, typed
from hostagent.xenapi.model import CLASSES
from hostagent.xenapi.model.types import format_datetime
from zeroth.errors import ExitCode, UserError

__all__ = ["SCHEMA_VERSION", "Database", "Write"]

# Each migration brings the schema from its index to the next version. Never change one that was released.
_MIGRATIONS = (
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO meta VALUES ('generation', 0);
    CREATE TABLE object (
        class TEXT NOT NULL, ref TEXT NOT NULL, created INTEGER NOT NULL, modified INTEGER NOT NULL,
        fields TEXT NOT NULL, PRIMARY KEY (class, ref)
    ) WITHOUT ROWID;
    CREATE TABLE tombstone (
        class TEXT NOT NULL, ref TEXT NOT NULL, created INTEGER NOT NULL, deleted INTEGER NOT NULL
    );
    """,
)

SCHEMA_VERSION = len(_MIGRATIONS)

# Generations of objects that live in memory only are not written one by one: this many are reserved at a time, so that
# after a crash the counter goes on above every number that a client may have seen.
_RESERVE = 1 << 20


@dataclass(frozen=True)
class Write:
    """A change to put on disk: an entry, or a tombstone."""

    cls: str
    ref: str
    change: Entry | Tombstone


class Database:
    """An open store file. Its methods are called by one thread at a time.

    :raises UserError: when the file is in use, damaged, or of a newer schema.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._buried = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._take_lock()
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise
        except BaseException:
            os.close(self._lock)
            raise

    def _take_lock(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"the store {self._path} is in use by another process",
                "The running host agent owns it: talk to the agent, or stop zeroth-agent.service first.",
                code=ExitCode.MACHINE,
            ) from None

    def _prepare(self) -> None:
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            # An answer "created" must survive a power cut.
            self._connection.execute("PRAGMA synchronous = FULL")
            self._migrate()
        except sqlite3.DatabaseError as error:
            raise UserError(
                f"the store {self._path} cannot be used: {error}",
                "Restore it from a backup, or move it away to begin with an empty one.",
                code=ExitCode.MACHINE,
            ) from None

    def _migrate(self) -> None:
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise UserError(
                f"the store {self._path} has schema {version}, this version of zeroth knows up to {SCHEMA_VERSION}",
                "It was written by a newer version: start that one, or use the copy made before the upgrade.",
                code=ExitCode.MACHINE,
            )
        for step in range(version, SCHEMA_VERSION):
            self._connection.executescript(f"BEGIN; {_MIGRATIONS[step]} PRAGMA user_version = {step + 1}; COMMIT;")

    def load(self) -> Iterator[tuple[str, str, Entry]]:
        """Class, reference and entry of every object, oldest change first."""
        rows = self._connection.execute("SELECT class, ref, created, modified, fields FROM object ORDER BY modified")
        for cls, ref, created, modified, text in rows:
            table = CLASSES.get(cls)
            if table is None:
                continue
            fields = {name: value for name, value in json.loads(text).items() if name in table.fields}
            yield cls, ref, Entry(typed(cls, fields), created, modified)

    def load_tombstones(self) -> Iterator[tuple[str, Tombstone]]:
        """Class and tombstone of what was deleted, oldest first."""
        self._forget_tombstones()
        for cls, ref, created, deleted in self._connection.execute(
            "SELECT class, ref, created, deleted FROM tombstone ORDER BY deleted"
        ):
            yield cls, Tombstone(ref, created, deleted)

    def reserve(self) -> tuple[int, int]:
        """Reserve generations.

        :returns: the last number that may have been used, and the last that is reserved now.
        """
        used = int(self._connection.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()[0])
        self._set_generation(used + _RESERVE)
        return used, used + _RESERVE

    def write(self, writes: Iterable[Write]) -> None:
        """Put changes on disk, all or none."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for write in writes:
                self._write(write)
            if self._buried > TOMBSTONES:
                self._forget_tombstones()
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise

    def close(self, generation: int) -> None:
        """Close the file; ``generation`` is the last number used."""
        self._set_generation(generation)
        self._connection.close()
        os.close(self._lock)

    def _write(self, write: Write) -> None:
        match write.change:
            case Entry(record, created, modified):
                self._connection.execute(
                    "INSERT OR REPLACE INTO object VALUES (?, ?, ?, ?, ?)",
                    (write.cls, write.ref, created, modified, _dump(record)),
                )
            case Tombstone(_, created, deleted):
                self._connection.execute("DELETE FROM object WHERE class = ? AND ref = ?", (write.cls, write.ref))
                self._connection.execute(
                    "INSERT INTO tombstone VALUES (?, ?, ?, ?)", (write.cls, write.ref, created, deleted)
                )
                self._buried += 1

    def _forget_tombstones(self) -> None:
        self._connection.execute(
            "DELETE FROM tombstone WHERE rowid IN (SELECT rowid FROM (SELECT rowid, row_number() OVER"
            " (PARTITION BY class ORDER BY deleted DESC) AS nth FROM tombstone) WHERE nth > ?)",
            (TOMBSTONES,),
        )
        self._buried = 0

    def _set_generation(self, value: int) -> None:
        self._connection.execute("UPDATE meta SET value = ? WHERE key = 'generation'", (value,))


def _dump(record: Record) -> str:
    def encode(value: object) -> str:
        assert isinstance(value, datetime)
        return format_datetime(value)

    return json.dumps(dict(record), default=encode, ensure_ascii=False, separators=(",", ":"))

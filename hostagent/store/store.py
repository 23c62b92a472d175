"""The store: records in memory, written through to SQLite, with a count of every change.

Reads never touch the disk and may come from any thread, as may transactions, which take their turns. Objects of
volatile classes (sessions, tasks) live in memory only, behind the same methods.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from hostagent.store.database import Database, Write
from hostagent.store.tables import Change, Changes, Entry, NotFound, Record, Table, Tombstone, typed
from hostagent.store.transaction import Transaction
from hostagent.xenapi.model import CLASSES, RELATIONS

__all__ = ["Store"]

Listener = Callable[[frozenset[str]], None]


class Store:
    """An open store.

    :param path: the database file, which is made if need be. One process at a time may have it open.
    :raises UserError: when the file is in use, damaged, or written by a newer version.
    """

    def __init__(self, path: Path) -> None:
        self._database = Database(path)
        self._writer = threading.RLock()
        self._memory = threading.Lock()
        self._open: Transaction | None = None
        self._listeners: list[Listener] = []
        self._tables = {name: Table(name) for name, table in CLASSES.items() if table.stored}
        self._load()
        self._generation, self._reserved = self._database.reserve()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards."""
        with self._writer:
            self._database.close(self._generation)

    @property
    def generation(self) -> int:
        """The number of the last change. Goes up with each, also over restarts, but not by one."""
        with self._memory:
            return self._generation

    def get(self, cls: str, ref: str) -> Record:
        """One record.

        :raises NotFound: when there is none.
        """
        with self._memory:
            entry = self._table(cls).entries.get(ref)
        if entry is None:
            raise NotFound(cls, ref)
        return entry.record

    def exists(self, cls: str, ref: str) -> bool:
        """Whether there is such an object."""
        with self._memory:
            return ref in self._table(cls).entries

    def all(self, cls: str) -> dict[str, Record]:
        """All records of a class, by reference."""
        with self._memory:
            return {ref: entry.record for ref, entry in self._table(cls).entries.items()}

    def by_uuid(self, cls: str, uuid: str) -> str | None:
        """The reference of the object with this uuid; None when there is none."""
        with self._memory:
            return self._table(cls).by_uuid.get(uuid)

    def only(self, cls: str) -> str:
        """The reference of the only object of a class, as of the pool.

        :raises NotFound: when there is none or more than one.
        """
        refs = list(self.all(cls))
        if len(refs) != 1:
            raise NotFound(cls, f"(one expected, {len(refs)} found)")
        return refs[0]

    def counts(self) -> dict[str, int]:
        """The number of objects of each class that is seen through events."""
        with self._memory:
            return {name: len(table.entries) for name, table in self._tables.items() if CLASSES[name].events}

    def changes(self, since: int, selection: Mapping[str, frozenset[str] | None]) -> Changes:
        """What changed after a generation.

        :param selection: the classes to look at, each with the references of interest, or None for all.
        """
        with self._memory:
            parts = [self._table(cls).since(since, refs) for cls, refs in selection.items()]

        def sorted_by_age(changes: Iterable[Change]) -> tuple[Change, ...]:
            return tuple(sorted(changes, key=lambda change: change.generation))

        return Changes(
            sorted_by_age(change for part in parts for change in part.added),
            sorted_by_age(change for part in parts for change in part.modified),
            sorted_by_age(change for part in parts for change in part.deleted),
            max((part.last for part in parts), default=since),
        )

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Have a function called after each transaction, on the thread that made it, with the classes changed.

        It must be quick and not raise. Returns what ends the subscription.
        """
        self._listeners.append(listener)

        def unsubscribe() -> None:
            self._listeners.remove(listener)

        return unsubscribe

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Change the store: everything done in the block takes effect at its end, or nothing when it raises.

        Transactions of other threads wait; one inside another is an error. Do not await inside.
        """
        with self._writer:
            if self._open is not None:
                raise RuntimeError("a transaction inside a transaction")
            self._open = Transaction(self)
            try:
                yield self._open
                touched = self._commit(self._open)
            finally:
                self._open = None
        if touched:
            for listener in list(self._listeners):
                listener(touched)

    def _commit(self, transaction: Transaction) -> frozenset[str]:
        changes = list(transaction.changes())
        generation = self._generation
        writes: list[Write] = []
        publish: list[tuple[Table, str, Record | None, int]] = []
        for cls, ref, record in changes:
            table = self._tables[cls]
            old = table.entries.get(ref)
            if record is None and old is None:
                continue  # came and went within the transaction
            generation += 1
            publish.append((table, ref, record, generation))
        if generation > self._reserved:
            _, self._reserved = self._database.reserve()
        writes = [_write(*change) for change in publish if not CLASSES[change[0].name].volatile]
        if writes:
            self._database.write(writes)
        with self._memory:
            for table, ref, record, number in publish:
                if record is None:
                    table.drop(ref, number)
                else:
                    table.put(ref, record, number)
            self._generation = generation
        return frozenset(table.name for table, *_ in publish)

    def _table(self, cls: str) -> Table:
        return self._tables[cls]

    def _load(self) -> None:
        for cls, ref, entry in self._database.load():
            self._tables[cls].load(ref, entry)
        for cls, tombstone in self._database.load_tombstones():
            if cls in self._tables:
                self._tables[cls].tombstones.append(tombstone)
        # The sets that mirror references follow from them: derived anew, whatever an older version had written.
        for relation in RELATIONS:
            children: dict[str, list[str]] = {}
            for ref, entry in self._tables[relation.child].entries.items():
                children.setdefault(entry.record[relation.ref], []).append(ref)
            parents = self._tables[relation.parent].entries
            for ref, entry in parents.items():
                refs = children.get(ref, [])
                if sorted(entry.record[relation.set]) != sorted(refs):
                    record = typed(relation.parent, {relation.set: refs}, entry.record)
                    parents[ref] = Entry(record, entry.created, entry.modified)


def _write(table: Table, ref: str, record: Record | None, generation: int) -> Write:
    old = table.entries.get(ref)
    if record is None:
        assert old is not None
        return Write(table.name, ref, Tombstone(ref, old.created, generation))
    return Write(table.name, ref, Entry(record, old.created if old else generation, generation))

"""What the store holds in memory: records by class, when each changed, and what was deleted."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from hostagent.xenapi.model import CLASSES, ClassTable, Value
from hostagent.xenapi.model.types import BadValue

__all__ = ["TOMBSTONES", "Change", "Changes", "Entry", "NotFound", "Record", "Table", "Tombstone", "new_ref", "typed"]

Record = Mapping[str, Value]
"""All fields of one object. Read-only: change it through a transaction."""

TOMBSTONES = 5000
"""Deletions remembered per class, for clients that ask for the changes since a while ago."""


class NotFound(LookupError):
    """There is no object of this class with this reference."""

    def __init__(self, cls: str, ref: str) -> None:
        super().__init__(f"no {cls} {ref}")
        self.cls = cls
        self.ref = ref


@dataclass(frozen=True)
class Entry:
    """One object.

    :ivar created: the generation in which it came to be.
    :ivar modified: the generation of its last change.
    """

    record: Record
    created: int
    modified: int


@dataclass(frozen=True)
class Tombstone:
    """An object that is gone."""

    ref: str
    created: int
    deleted: int


@dataclass(frozen=True)
class Change:
    """One object that changed; ``record`` is None when it is gone."""

    cls: str
    ref: str
    generation: int
    record: Record | None


@dataclass(frozen=True)
class Changes:
    """What changed since a generation: each object once, with its present state, oldest change first.

    :ivar last: the newest generation looked at, the one asked about when nothing of interest changed: what to ask with
        the next time.
    """

    added: tuple[Change, ...]
    modified: tuple[Change, ...]
    deleted: tuple[Change, ...]
    last: int

    def __bool__(self) -> bool:
        return bool(self.added or self.modified or self.deleted)


class Table:
    """The objects of one class, in the order of their last change."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.entries: dict[str, Entry] = {}
        self.by_uuid: dict[str, str] = {}
        self.tombstones: deque[Tombstone] = deque(maxlen=TOMBSTONES)

    def put(self, ref: str, record: Record, generation: int) -> Entry:
        """Add or replace an object; returns its entry."""
        old = self.entries.pop(ref, None)
        entry = Entry(record, old.created if old else generation, generation)
        self.load(ref, entry)
        return entry

    def load(self, ref: str, entry: Entry) -> None:
        """Take an entry as it is; must be called in the order of ``modified``."""
        self.entries[ref] = entry
        self.by_uuid[entry.record["uuid"]] = ref

    def drop(self, ref: str, generation: int) -> Tombstone:
        """Remove an object; returns what remembers it."""
        entry = self.entries.pop(ref)
        self.by_uuid.pop(entry.record["uuid"], None)
        tombstone = Tombstone(ref, entry.created, generation)
        self.tombstones.append(tombstone)
        return tombstone

    def since(self, generation: int, refs: frozenset[str] | None) -> Changes:
        """What changed after a generation, newest first, among some references or (None) all."""
        added: list[Change] = []
        modified: list[Change] = []
        deleted: list[Change] = []
        last = generation
        for ref in reversed(self.entries):
            entry = self.entries[ref]
            if entry.modified <= generation:
                break
            if refs is None or ref in refs:
                last = max(last, entry.modified)
                place = added if entry.created > generation else modified
                place.append(Change(self.name, ref, entry.modified, entry.record))
        for tombstone in reversed(self.tombstones):
            if tombstone.deleted <= generation:
                break
            if refs is None or tombstone.ref in refs:
                last = max(last, tombstone.deleted)
                # What came and went in between was never seen: nothing to say.
                if tombstone.created <= generation:
                    deleted.append(Change(self.name, tombstone.ref, tombstone.deleted, None))
        return Changes(tuple(added), tuple(modified), tuple(deleted), last)


def new_ref() -> str:
    """A random reference."""
    return f"OpaqueRef:{uuid.uuid4()}"


def typed(cls: str, fields: Mapping[str, Value], base: Mapping[str, Value] | None = None) -> Record:
    """A whole record: ``fields`` in their types over ``base`` (an earlier record; None for the defaults).

    :raises ValueError: when there is no such field, or a value does not fit.
    """
    table = _table(cls)
    record = (
        dict(base)
        if base is not None
        else {field.name: field.fresh_default() for field in table.fields.values() if field.name not in fields}
    )
    for name, value in fields.items():
        field = table.fields.get(name)
        if field is None:
            raise ValueError(f"{cls} has no field {name!r}")
        try:
            record[name] = field.type.coerce(value)
        except BadValue as error:
            raise ValueError(f"{cls}.{name}: {error}") from None
    if not record["uuid"]:
        record["uuid"] = str(uuid.uuid4())
    return MappingProxyType({name: record[name] for name in table.fields})


def _table(cls: str) -> ClassTable:
    table = CLASSES.get(cls)
    if table is None or not table.stored:
        raise ValueError(f"there is no class {cls!r}")
    return table

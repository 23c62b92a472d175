"""Changes to the store: collected, then made all at once or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from hostagent.store.tables import NotFound, Record, new_ref, typed
from hostagent.xenapi.model import NULL, RELATIONS, Value, relations_from

if TYPE_CHECKING:
    from hostagent.store.store import Store

__all__ = ["Transaction"]

_DERIVED = frozenset((relation.parent, relation.set) for relation in RELATIONS)


class Transaction:
    """Made by :meth:`Store.transaction`. Reads through it see its own changes.

    Set fields that mirror another object's reference (``host.PIFs`` of ``PIF.host``, ...; see ``model.RELATIONS``) are
    kept by the store and cannot be written.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._changed: dict[tuple[str, str], Record | None] = {}
        self._made: set[tuple[str, str]] = set()

    def get(self, cls: str, ref: str) -> Record:
        """One record.

        :raises NotFound: when there is none.
        """
        if (cls, ref) in self._changed:
            record = self._changed[cls, ref]
            if record is None:
                raise NotFound(cls, ref)
            return record
        return self._store.get(cls, ref)

    def all(self, cls: str) -> dict[str, Record]:
        """All records of a class, by reference."""
        found = self._store.all(cls)
        for (changed, ref), record in self._changed.items():
            if changed == cls and record is None:
                found.pop(ref, None)
            elif changed == cls and record is not None:
                found[ref] = record
        return found

    def create(self, cls: str, fields: Mapping[str, Value], *, ref: str = "") -> str:
        """Make an object; fields not given take their defaults, a missing ``uuid`` is made up.

        :returns: its reference.
        :raises ValueError: for an unknown class or field, a value that does not fit, a uuid that is taken.
        """
        self._refuse_derived(cls, fields)
        ref = ref or new_ref()
        record = typed(cls, fields)
        if self._taken(cls, record["uuid"]):
            raise ValueError(f"there is a {cls} with uuid {record['uuid']} already")
        self._made.add((cls, record["uuid"]))
        self._changed[cls, ref] = record
        self._relate(cls, ref, None, record)
        return ref

    def update(self, cls: str, ref: str, /, **fields: Value) -> None:
        """Change some fields. When every value is what it was, nothing happens and nobody is told.

        :raises NotFound: when there is no such object.
        :raises ValueError: for an unknown field or a value that does not fit.
        """
        self._refuse_derived(cls, fields)
        old = self.get(cls, ref)
        new = typed(cls, fields, old)
        if new != old:
            self._changed[cls, ref] = new
            self._relate(cls, ref, old, new)

    def delete(self, cls: str, ref: str) -> None:
        """Remove an object. References to it elsewhere are the caller's to clear.

        :raises NotFound: when there is no such object.
        """
        old = self.get(cls, ref)
        self._relate(cls, ref, old, None)
        self._made.discard((cls, old["uuid"]))
        self._changed[cls, ref] = None

    def touch(self, cls: str, ref: str) -> None:
        """Count an object as changed, so that whoever follows it sees it again.

        :raises NotFound: when there is no such object.
        """
        self._changed[cls, ref] = self.get(cls, ref)

    def changes(self) -> Iterator[tuple[str, str, Record | None]]:
        """Class, reference and new record (None when gone) of each object changed, in order."""
        for (cls, ref), record in self._changed.items():
            yield cls, ref, record

    def _taken(self, cls: str, uuid: str) -> bool:
        ref = self._store.by_uuid(cls, uuid)
        if ref is not None and self._changed.get((cls, ref), ...) is not None:
            return True
        return (cls, uuid) in self._made

    def _relate(self, cls: str, ref: str, old: Record | None, new: Record | None) -> None:
        for relation in relations_from(cls):
            before = old[relation.ref] if old is not None else NULL
            after = new[relation.ref] if new is not None else NULL
            if before != after:
                self._change_set(relation.parent, before, relation.set, remove=ref)
                self._change_set(relation.parent, after, relation.set, add=ref)

    def _change_set(self, cls: str, ref: str, name: str, *, add: str = "", remove: str = "") -> None:
        try:
            parent = self.get(cls, ref)
        except NotFound:
            return
        refs = [one for one in parent[name] if one not in (add, remove)] + ([add] if add else [])
        self._changed[cls, ref] = typed(cls, {name: refs}, parent)

    def _refuse_derived(self, cls: str, fields: Mapping[str, Value]) -> None:
        for name in fields:
            if (cls, name) in _DERIVED:
                raise ValueError(f"{cls}.{name} is kept by the store: set the reference in the other object")

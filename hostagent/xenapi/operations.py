"""What is being done to an object: ``current_operations``, one operation at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hostagent.store import Record, Store
from hostagent.xenapi.context import Context
from hostagent.xenapi.errors import ApiError
from hostagent.xenapi.model import CLASSES

__all__ = ["forget_operations", "keep_allowed_operations", "operation"]

log = logging.getLogger(__name__)


@contextmanager
def operation(
    ctx: Context, cls: str, ref: str, name: str, *, alongside: frozenset[str] = frozenset()
) -> Iterator[None]:
    """Note in an object that an operation runs on it, for as long as the block does.

    The object may be gone at the end of the block.

    :param name: a word of the class's operations, ``start``.
    :param alongside: operations that may run at the same time.
    :raises ApiError: OTHER_OPERATION_IN_PROGRESS, when another one runs.
    """
    running = ctx.store.get(cls, ref)["current_operations"]
    for task, other in running.items():
        if other not in alongside:
            raise ApiError("OTHER_OPERATION_IN_PROGRESS", cls, ref, other, task)
    with ctx.store.transaction() as tx:
        tx.update(cls, ref, current_operations={**running, ctx.task.ref: name})
    try:
        yield
    finally:
        if ctx.store.exists(cls, ref):
            with ctx.store.transaction() as tx:
                left = dict(tx.get(cls, ref)["current_operations"])
                left.pop(ctx.task.ref, None)
                tx.update(cls, ref, current_operations=left)


def forget_operations(store: Store) -> None:
    """Drop what an agent that ended in the middle left in the records; to be called before anything else runs."""
    with store.transaction() as tx:
        for name, table in CLASSES.items():
            if table.stored and "current_operations" in table.fields:
                for ref, record in tx.all(name).items():
                    if record["current_operations"]:
                        log.warning("%s %s: was interrupted: %s", name, ref, record["current_operations"])
                        tx.update(name, ref, current_operations={})


def keep_allowed_operations(store: Store, cls: str, allowed: Callable[[Record], list[str]]) -> Callable[[], None]:
    """Keep ``allowed_operations`` of a class in step with whatever they follow from, whoever changed that.

    :param allowed: what a record allows; looks at nothing else.
    :returns: what ends it.
    """
    seen = 0

    def follow(classes: frozenset[str]) -> None:
        nonlocal seen
        if cls not in classes:
            return
        changes = store.changes(seen, {cls: None})
        seen = changes.last
        stale = {}
        for change in (*changes.added, *changes.modified):
            # The present record: a listener before this one may have changed it again.
            if store.exists(cls, change.ref):
                record = store.get(cls, change.ref)
                words = allowed(record)
                if words != record["allowed_operations"]:
                    stale[change.ref] = words
        if stale:
            with store.transaction() as tx:
                for ref, words in stale.items():
                    tx.update(cls, ref, allowed_operations=words)

    unsubscribe = store.subscribe(follow)
    follow(frozenset({cls}))
    return unsubscribe

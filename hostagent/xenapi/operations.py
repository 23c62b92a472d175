"""What is being done to an object: ``current_operations``, one operation at a time."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from hostagent.store import Store
from hostagent.xenapi.context import Context
from hostagent.xenapi.errors import ApiError
from hostagent.xenapi.model import CLASSES

__all__ = ["forget_operations", "operation"]

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

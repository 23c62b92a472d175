"""What is being done to an object: ``current_operations``, one operation at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hostagent.xenapi.context import Context
from hostagent.xenapi.errors import ApiError

__all__ = ["operation"]


@contextmanager
def operation(ctx: Context, cls: str, ref: str, name: str) -> Iterator[None]:
    """Note in an object that an operation runs on it, for as long as the block does.

    The object may be gone at the end of the block.

    :param name: a word of the class's operations, ``start``.
    :raises ApiError: OTHER_OPERATION_IN_PROGRESS, when another one runs.
    """
    running = ctx.store.get(cls, ref)["current_operations"]
    for task, other in running.items():
        raise ApiError("OTHER_OPERATION_IN_PROGRESS", cls, ref, other, task)
    with ctx.store.transaction() as tx:
        tx.update(cls, ref, current_operations={ctx.task.ref: name})
    try:
        yield
    finally:
        if ctx.store.exists(cls, ref):
            with ctx.store.transaction() as tx:
                left = dict(tx.get(cls, ref)["current_operations"])
                left.pop(ctx.task.ref, None)
                tx.update(cls, ref, current_operations=left)

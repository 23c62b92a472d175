"""Messages of class pool that need nothing but this host."""

from __future__ import annotations

from hostagent.xenapi.context import Context
from hostagent.xenapi.registry import Messages

__all__ = ["messages"]

messages = Messages()


@messages.answers("pool.sync_database")
async def sync_database(ctx: Context) -> None:
    """Put the database on disk: each change is there before its call returns, so there is nothing left to do."""


@messages.answers("pool.has_extension")
async def has_extension(ctx: Context, pool: str, name: str) -> bool:
    """Whether an extension of the API is installed; there are none."""
    return False

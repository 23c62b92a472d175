"""Messages of class event: following changes."""

from __future__ import annotations

from hostagent.xenapi.context import Context
from hostagent.xenapi.model import Value
from hostagent.xenapi.registry import Messages

__all__ = ["messages"]

messages = Messages()


@messages.answers("event.from")
async def from_token(ctx: Context, classes: list[str], token: str, timeout: float) -> dict[str, Value]:  # noqa: ASYNC109
    """What changed since a token; waits for something to happen."""
    return await ctx.core.events.since(ctx.session, classes, token, timeout)


@messages.answers("event.inject")
async def inject(ctx: Context, class_name: str, ref: str) -> str:
    """Count an object as changed; returns a token from just before."""
    return ctx.core.events.inject(class_name, ref)


@messages.answers("event.get_current_id")
async def get_current_id(ctx: Context) -> int:
    """The number of the last change."""
    return ctx.store.generation


@messages.answers("event.register")
async def register(ctx: Context, classes: list[str]) -> None:
    """Follow classes in the old way."""
    ctx.core.events.register(ctx.session, classes)


@messages.answers("event.unregister")
async def unregister(ctx: Context, classes: list[str]) -> None:
    """Stop following classes in the old way."""
    ctx.core.events.unregister(ctx.session, classes)


@messages.answers("event.next")
async def next_events(ctx: Context) -> list[Value]:
    """Wait for the next events in the old way."""
    return await ctx.core.events.next(ctx.session)

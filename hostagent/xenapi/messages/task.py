"""Messages of class task: tasks that clients make, and cancelling."""

from __future__ import annotations

from hostagent.xenapi.context import Context
from hostagent.xenapi.generic import add_to_map, remove_from_map
from hostagent.xenapi.registry import Messages

__all__ = ["messages"]

messages = Messages()


@messages.answers("task.create")
async def create(ctx: Context, label: str, description: str) -> str:
    """Make a task for something that the client does itself."""
    return ctx.core.tasks.create(label, description, cancellable=True)


@messages.answers("task.destroy")
async def destroy(ctx: Context, task: str) -> None:
    """Forget a task."""
    ctx.core.tasks.destroy(task)


@messages.answers("task.cancel")
async def cancel(ctx: Context, task: str) -> None:
    """Ask a task to stop."""
    ctx.core.tasks.cancel(task)


@messages.answers("task.set_status")
async def set_status(ctx: Context, task: str, value: str) -> None:
    """Set the status; one that ends the task notes the time."""
    ctx.core.tasks.set_status(task, value)


@messages.answers("task.set_progress")
async def set_progress(ctx: Context, task: str, value: float) -> None:
    """Set the progress; what lies outside 0 to 1 is moved to the nearer end."""
    ctx.core.tasks.update(task, progress=min(1.0, max(0.0, value)))


@messages.answers("task.set_result")
async def set_result(ctx: Context, task: str, value: str) -> None:
    """Set the result, as the client formed it."""
    ctx.core.tasks.update(task, result=value)


@messages.answers("task.set_error_info")
async def set_error_info(ctx: Context, task: str, value: list[str]) -> None:
    """Set the error's code and parameters."""
    ctx.core.tasks.update(task, error_info=value)


@messages.answers("task.set_other_config")
async def set_other_config(ctx: Context, task: str, value: dict[str, str]) -> None:
    """Replace the map."""
    ctx.core.tasks.update(task, other_config=value)


@messages.answers("task.add_to_other_config")
async def add_to_other_config(ctx: Context, task: str, key: str, value: str) -> None:
    """Add a key to the map."""
    add_to_map(ctx, "task", task, "other_config", key, value)


@messages.answers("task.remove_from_other_config")
async def remove_from_other_config(ctx: Context, task: str, key: str) -> None:
    """Remove a key from the map."""
    remove_from_map(ctx, "task", task, "other_config", key)

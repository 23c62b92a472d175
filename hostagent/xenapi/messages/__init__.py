"""Explicit messages of the classes that are the API's own affair: session, task, event, and of pool what one host can
answer by itself."""

from hostagent.xenapi.messages import event, pool, session, task
from hostagent.xenapi.registry import Messages

__all__ = ["PARTS"]

PARTS: tuple[Messages, ...] = (session.messages, task.messages, event.messages, pool.messages)

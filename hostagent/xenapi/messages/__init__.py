"""Explicit messages of the classes that are the API's own affair: session, task, event."""

from hostagent.xenapi.messages import event, session, task
from hostagent.xenapi.registry import Messages

__all__ = ["PARTS"]

PARTS: tuple[Messages, ...] = (session.messages, task.messages, event.messages)

"""All handlers of explicit XenAPI messages, of every part of the agent."""

from __future__ import annotations

from hostagent.host import messages as host_messages
from hostagent.vm import lifecycle as vm_lifecycle
from hostagent.vm import records as vm_records
from hostagent.xenapi.registry import Messages

__all__ = ["PARTS"]

PARTS: tuple[Messages, ...] = (host_messages.messages, vm_lifecycle.messages, vm_records.messages)
"""Besides those of ``hostagent.xenapi`` itself, which are always there."""

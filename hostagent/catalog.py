"""All handlers of explicit XenAPI messages, of every part of the agent."""

from __future__ import annotations

from hostagent.xenapi.registry import Messages

__all__ = ["PARTS"]

PARTS: tuple[Messages, ...] = ()
"""Besides those of ``hostagent.xenapi`` itself, which are always there."""

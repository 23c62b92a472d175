"""The parts of a running agent that messages share."""

from __future__ import annotations

from dataclasses import dataclass

from hostagent.store import Store
from hostagent.xenapi.events import Events
from hostagent.xenapi.services import Services
from hostagent.xenapi.sessions import Sessions
from hostagent.xenapi.tasks import Tasks

__all__ = ["Core"]


@dataclass(frozen=True)
class Core:
    """Store, machine, sessions, tasks and events of one agent."""

    store: Store
    services: Services
    sessions: Sessions
    tasks: Tasks
    events: Events

    @classmethod
    def of(cls, store: Store, services: Services) -> Core:
        """Everything that an agent needs around a store."""
        sessions = Sessions(store)
        return cls(store, services, sessions, Tasks(store), Events(store, sessions))

    def tidy(self) -> None:
        """Let go of what is too old; to be called every minute or so."""
        self.sessions.expire()
        self.tasks.collect()

    async def close(self) -> None:
        """Stop what runs; the store stays open."""
        await self.tasks.stop()
        self.events.close()

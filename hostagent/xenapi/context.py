"""What a message's handler is given besides its parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from hostagent.store import Record, Store
from hostagent.xenapi.errors import ApiError
from hostagent.xenapi.services import Services

if TYPE_CHECKING:
    from hostagent.xenapi.core import Core

__all__ = ["Caller", "Context", "TaskHandle"]


@dataclass(frozen=True)
class Caller:
    """Where a request came from.

    :ivar address: the peer's IP address, or "" for a local one.
    :ivar agent: what it calls itself (User-Agent).
    """

    address: str = ""
    agent: str = ""


class TaskHandle(Protocol):
    """The task that a call runs as: a real one for ``Async.`` calls, a nameless one for others."""

    ref: str
    """For ``current_operations``; of plain calls a reference that leads nowhere."""

    def progress(self, fraction: float) -> None:
        """Say how far it is, 0 to 1."""

    def check_cancelled(self) -> None:
        """Stop here if someone cancelled.

        :raises ApiError: TASK_CANCELLED.
        """


@dataclass(frozen=True)
class Context:
    """One call.

    :ivar session: reference of the caller's session; "" for messages that take none.
    """

    core: Core
    task: TaskHandle
    session: str = ""
    caller: Caller = field(default_factory=Caller)

    @property
    def store(self) -> Store:
        """The records."""
        return self.core.store

    @property
    def services(self) -> Services:
        """The machine."""
        return self.core.services

    @property
    def session_record(self) -> Record:
        """The caller's session.

        :raises ApiError: SESSION_INVALID, when it ended meanwhile or there never was one.
        """
        if not self.session or not self.store.exists("session", self.session):
            raise ApiError("SESSION_INVALID", self.session)
        return self.store.get("session", self.session)

"""What the messages need of the machine, as protocols: the real things are elsewhere in this room, fakes in tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from hostagent.store import Record

__all__ = ["Authenticator", "HostControl", "Hypervisor", "Identity", "Services", "Started"]


@dataclass(frozen=True)
class Identity:
    """Who logged in.

    :ivar superuser: whether everything is allowed.
    """

    user: str
    superuser: bool = True


class Authenticator(Protocol):
    """Decides logins. Limits how often one may try."""

    async def authenticate(self, user: str, password: str, origin: str) -> Identity:
        """Check a name and password.

        :param origin: the peer's address, or "" for a local one.
        :raises ApiError: SESSION_AUTHENTICATION_FAILED [user, reason].
        """

    async def change_password(self, user: str, old: str, new: str, origin: str) -> None:
        """Set a new password after checking the old one.

        :raises ApiError: as :meth:`authenticate`, or CHANGE_PASSWORD_REJECTED [reason].
        """


@dataclass(frozen=True)
class Started:
    """A domain that runs.

    :ivar domid: Xen's number of it.
    """

    domid: int


class Hypervisor(Protocol):
    """Runs virtual machines, known by their uuid. What happens by itself it tells through the store."""

    async def start(self, vm: Record, *, paused: bool) -> Started:
        """Build the domain of a VM record."""

    async def stop(self, uuid: str) -> None:
        """Destroy the domain at once."""

    async def pause(self, uuid: str) -> None:
        """Stop its vCPUs."""

    async def unpause(self, uuid: str) -> None:
        """Let its vCPUs go on."""


class HostControl(Protocol):
    """The host itself."""

    async def shutdown(self) -> None:
        """Power off soon after this returns."""

    async def reboot(self) -> None:
        """Restart soon after this returns."""

    def now(self) -> datetime:
        """The host's clock, UTC."""


@dataclass(frozen=True)
class Services:
    """All of them; ``ctx.services`` in a message's handler."""

    authenticator: Authenticator
    hypervisor: Hypervisor
    host: HostControl

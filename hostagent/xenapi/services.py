"""What the messages need of the machine, as protocols: the real things are elsewhere in this room, fakes in tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from hostagent.store import Record
from hostagent.vm.bootfiles import BootFiles

__all__ = ["Authenticator", "Capacity", "HostControl", "Hypervisor", "Identity", "LinkState", "Services"]


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
class LinkState:
    """Whether the hypervisor's interface answers.

    :ivar reason: why not; "" when it does.
    :ivar since: when it became so.
    """

    up: bool
    reason: str
    since: datetime


@dataclass(frozen=True)
class Capacity:
    """What the hypervisor says of the machine. Memory is in bytes.

    :ivar memory_total: what the hypervisor manages.
    :ivar memory_free: what no domain has.
    :ivar control_domain_memory: what dom0 has.
    """

    memory_total: int
    memory_free: int
    control_domain_memory: int
    cpus: int
    sockets: int
    threads_per_core: int


class Hypervisor(Protocol):
    """Runs virtual machines, given by their records, and keeps those records true: before a method returns, and also
    when something happens to a machine by itself.

    :raises ApiError: each method, when the hypervisor refuses or cannot be reached.
    """

    @property
    def state(self) -> LinkState:
        """Whether it answers."""

    async def capacity(self) -> Capacity | None:
        """What it says of the machine; None when it cannot be asked."""

    async def start(self, vm: Record, *, paused: bool) -> None:
        """Build and run its domain."""

    async def stop(self, vm: Record) -> None:
        """Destroy its domain at once; nothing happens when there is none."""

    async def pause(self, vm: Record) -> None:
        """Stop its vCPUs."""

    async def unpause(self, vm: Record) -> None:
        """Let its vCPUs go on."""

    async def ask_to_shut_down(self, vm: Record) -> None:
        """Ask the guest to power off; does not wait for it."""

    async def ask_to_reboot(self, vm: Record) -> None:
        """Ask the guest to restart; does not wait for it."""

    @property
    def boot_files(self) -> BootFiles:
        """Which files guests may boot from."""


class HostControl(Protocol):
    """The host itself."""

    async def shutdown(self) -> None:
        """Power off soon after this returns.

        :raises ApiError: when the machine refuses.
        """

    async def reboot(self) -> None:
        """Restart soon after this returns; raises as :meth:`shutdown`."""

    def restart_agent(self) -> None:
        """End this agent soon; it is started again."""

    def certificate(self) -> str:
        """The host's certificate, PEM."""

    @property
    def boot(self) -> str:
        """The id of this boot of the machine."""

    def now(self) -> datetime:
        """The host's clock, UTC."""


@dataclass(frozen=True)
class Services:
    """All of them; ``ctx.services`` in a message's handler."""

    authenticator: Authenticator
    hypervisor: Hypervisor
    host: HostControl

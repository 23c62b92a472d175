"""The host agent as a daemon: everything put together, from start to end."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hostagent.auth.authenticator import HelperAuthenticator
from hostagent.auth.client import HelperClient
from hostagent.auth.protocol import SOCKET
from hostagent.catalog import PARTS
from hostagent.host.control import POWER_SOCKET, MachineControl
from hostagent.host.facts import read_facts
from hostagent.host.keeper import Keeper
from hostagent.host.messages import allowed_operations as host_operations
from hostagent.notify import notify, watchdog, watchdog_seconds
from hostagent.status import STATUS_SOCKET, StatusSource, serve_status
from hostagent.store import NotFound, Store
from hostagent.vm.connection import XEN_URI
from hostagent.vm.hypervisor import LibvirtHypervisor
from hostagent.vm.power import allowed_operations as vm_operations
from hostagent.xenapi.core import Core
from hostagent.xenapi.dispatch import Dispatcher
from hostagent.xenapi.operations import forget_operations, keep_allowed_operations
from hostagent.xenapi.server import Listen, Server
from hostagent.xenapi.services import Services
from zeroth import __version__
from zeroth.errors import ExitCode, UserError

__all__ = ["Settings", "run", "running"]

_TLS: Final = Path("/etc/zeroth/tls")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """Where everything is. The defaults are those of an installed host."""

    store: Path = Path("/var/lib/zeroth/store.db")
    certificate: Path = _TLS / "host.pem"
    key: Path = _TLS / "host.key"
    addresses: tuple[str, ...] | None = None
    https_port: int = 443
    http_port: int | None = 80
    libvirt: str = XEN_URI
    auth_socket: str = SOCKET
    power_socket: str = POWER_SOCKET
    status_socket: Path = STATUS_SOCKET
    root: Path = Path("/")
    """Where facts are read."""


@dataclass(frozen=True)
class Running:
    """A running agent.

    :ivar stop: set it to end.
    """

    server: Server
    core: Core
    stop: asyncio.Event


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, or until a client asks for a restart of the agent.

    :raises UserError: when it cannot start.
    """
    loop = asyncio.get_running_loop()
    async with running(settings) as agent:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, agent.stop.set)
        loop.add_signal_handler(signal.SIGHUP, _reload, agent.server)
        notify("READY=1", f"STATUS=Serving on port {agent.server.https_port}")
        log.info("zeroth host agent %s serves on port %d", __version__, agent.server.https_port)
        await agent.stop.wait()
        notify("STOPPING=1")
        log.info("stopping")


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """Everything up while the block runs. A part that fails ends the whole, for systemd to start it afresh."""
    _check_files(settings)
    facts = read_facts(settings.root)
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        store = stack.enter_context(_open_store(settings.store))
        _check_seeded(store, settings)
        forget_operations(store)
        for cls, allowed in (("VM", vm_operations), ("host", host_operations)):
            stack.callback(keep_allowed_operations(store, cls, allowed))
        keeper = Keeper(store)
        hypervisor = LibvirtHypervisor(store, settings.libvirt, changed=keeper.domains_changed)
        keeper.hypervisor = hypervisor
        keeper.start(facts, datetime.now(UTC))
        control = MachineControl(facts.boot, settings.certificate, stop.set, settings.power_socket)
        authenticator = HelperAuthenticator(HelperClient(settings.auth_socket))
        core = Core.of(store, Services(authenticator, hypervisor, control))
        listen = Listen(
            settings.certificate, settings.key, settings.addresses, settings.https_port, settings.http_port
        )
        server = Server(Dispatcher(core, PARTS), listen)
        source = StatusSource(store, hypervisor, lambda: server.https_port, time.monotonic())
        # In this order down again: no new calls, then the parts that calls use.
        work = (hypervisor.run(), keeper.follow_capacity(), keeper.follow_links(), watchdog(watchdog_seconds()))
        await stack.enter_async_context(_background(stop, *work))
        await stack.enter_async_context(serve_status(source, settings.status_socket))
        await stack.enter_async_context(server)
        yield Running(server, core, stop)


def _reload(server: Server) -> None:
    try:
        server.reload_certificate()
    except UserError as error:
        log.error("the certificate in use stays: %s", error)  # noqa: TRY400 - no fault of ours
    else:
        log.info("the certificate was read again")


def _check_files(settings: Settings) -> None:
    for path in (settings.certificate, settings.key):
        try:
            path.open("rb").close()
        except OSError as error:
            raise UserError(
                f"the host has no certificate that the agent can use: {path}: {error.strerror}",
                "First boot makes it: see `zeroth firstboot status`.",
                code=ExitCode.MACHINE,
            ) from None


def _open_store(path: Path) -> Store:
    try:
        return Store(path)
    except OSError as error:
        raise UserError(
            f"the store cannot be opened: {error.strerror} ({error.filename or path})",
            "It must belong to the user zeroth: chown zeroth:zeroth /var/lib/zeroth/store.db*",
            where=str(path),
            code=ExitCode.MACHINE,
        ) from None


def _check_seeded(store: Store, settings: Settings) -> None:
    try:
        store.only("host")
        store.only("pool")
    except NotFound:
        raise UserError(
            "the store has no record of this host",
            "First boot makes it: see `zeroth firstboot status`.",
            where=str(settings.store),
            code=ExitCode.MACHINE,
        ) from None


@asynccontextmanager
async def _background(stop: asyncio.Event, *work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run coroutines beside the block and end them with it. When one fails, ``stop`` is set, and it is raised here."""

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            stop.set()

    tasks = [asyncio.create_task(one) for one in work]
    for task in tasks:
        task.add_done_callback(ended)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result

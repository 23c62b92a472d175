"""One lasting connection to libvirt, off the event loop.

libvirt's calls block, so they run on threads of their own; its events come on the thread of its own event loop and are
handed to asyncio. When the connection breaks (libvirtd restarts, its Xen driver does not start) it is opened again
with growing pauses, and meanwhile every call fails at once with the reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, TypeVar

import libvirt

from hostagent.xenapi.services import LinkState

__all__ = ["XEN_URI", "Connection", "HypervisorDown"]

XEN_URI: Final = "xen:///system"
_THREADS: Final = 4
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0
_RECHECK_SECONDS: Final = 300.0
# A peer that is silent for 5 * 3 seconds is dead.
_KEEPALIVE: Final = (5, 3)

log = logging.getLogger(__name__)
T = TypeVar("T")


class HypervisorDown(Exception):
    """There is no connection to libvirt at the moment; the text says why."""


class Connection:
    """Keeps a connection to libvirt open while :meth:`run` runs.

    :param on_event: called on the asyncio loop with a domain's uuid whenever something happened to it.
    :param on_up: awaited after each (re)connection, and every few minutes as a safety net; compares
        everything.
    :param pause: seconds before the first new try; doubles up to 30.
    """

    def __init__(
        self,
        uri: str = XEN_URI,
        *,
        on_event: Callable[[str], None],
        on_up: Callable[[], Awaitable[None]],
        pause: float = _FIRST_PAUSE,
    ) -> None:
        self._uri = uri
        self._on_event = on_event
        self._on_up = on_up
        self._pause = pause
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="libvirt")
        self._link: Any = None
        self._state = LinkState(up=False, reason="not connected yet", since=datetime.now(UTC))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lost = asyncio.Event()

    @property
    def state(self) -> LinkState:
        """Whether libvirt answers, and since when."""
        return self._state

    async def call(self, function: Callable[[Any], T]) -> T:
        """Run a function of libvirt's connection object on a thread of its own.

        :raises HypervisorDown: when there is no connection, or it broke meanwhile.
        :raises libvirt.libvirtError: when libvirt refuses.
        """
        link = self._link
        if link is None:
            raise HypervisorDown(self._state.reason)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, function, link)
        except libvirt.libvirtError as error:
            if await self._in_thread(_broken, link):
                self._lost.set()
                raise HypervisorDown(_reason(error)) from None
            raise

    async def run(self) -> None:
        """Connect, stay connected, connect again; ends by being cancelled."""
        self._loop = asyncio.get_running_loop()
        _start_event_loop()
        pause = self._pause
        try:
            while True:
                self._lost.clear()
                try:
                    link = await self._in_thread(self._open)
                except libvirt.libvirtError as error:
                    self._down(_reason(error))
                    await asyncio.sleep(pause)
                    pause = min(_LONGEST_PAUSE, pause * 2)
                    continue
                pause = self._pause
                await self._stay(link)
        finally:
            # Not waited for: a call to a dead libvirtd must not hold up the end of the agent.
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _stay(self, link: Any) -> None:  # noqa: ANN401 - libvirt has no types
        self._link = link
        self._state = LinkState(up=True, reason="", since=datetime.now(UTC))
        log.info("connected to libvirt (%s)", self._uri)
        try:
            while not self._lost.is_set():
                await self._compare_all()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._lost.wait(), _RECHECK_SECONDS)
        finally:
            self._link = None
            with contextlib.suppress(libvirt.libvirtError, RuntimeError):
                await self._in_thread(_close, link)
        self._down("the connection to libvirt broke")

    async def _compare_all(self) -> None:
        try:
            await self._on_up()
        except HypervisorDown:
            self._lost.set()
        except libvirt.libvirtError as error:
            # Seen again at the next round; the connection itself stands.
            log.warning("could not compare the domains with the records: %s", error)

    def _down(self, reason: str) -> None:
        if self._state.up or self._state.reason != reason:
            log.error("libvirt is not available (%s): %s", self._uri, reason)
            self._state = LinkState(up=False, reason=reason, since=datetime.now(UTC))

    def _open(self) -> Any:  # noqa: ANN401
        link = libvirt.open(self._uri)
        # The test driver lives in this process and knows neither.
        with _unsupported_is_fine():
            link.setKeepAlive(*_KEEPALIVE)
        with _unsupported_is_fine():
            link.registerCloseCallback(lambda _link, _reason, _data: self._from_libvirt(self._lost.set), None)
        link.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._lifecycle, None)
        return link

    def _lifecycle(self, _link: Any, domain: Any, _event: int, _detail: int, _data: Any) -> None:  # noqa: ANN401
        # Only a hint: whoever gets it looks at the domain as it is by then, so order and repetition do not matter.
        uuid = domain.UUIDString()
        self._from_libvirt(lambda: self._on_event(uuid))

    def _from_libvirt(self, function: Callable[[], None]) -> None:
        # Called on libvirt's thread, which may outlive the asyncio loop.
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function)

    async def _in_thread(self, function: Callable[..., T], *args: Any) -> T:  # noqa: ANN401
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *args)


@cache
def _start_event_loop() -> None:
    """libvirt's own event loop: once a process, before the first connection, for ever (libvirt's rule)."""
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    libvirt.virEventRegisterDefaultImpl()

    def forever() -> None:
        while True:
            with contextlib.suppress(libvirt.libvirtError):
                libvirt.virEventRunDefaultImpl()

    threading.Thread(target=forever, name="libvirt-events", daemon=True).start()


@contextlib.contextmanager
def _unsupported_is_fine() -> Iterator[None]:
    try:
        yield
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_SUPPORT:
            raise


def _broken(link: Any) -> bool:  # noqa: ANN401
    try:
        return not link.isAlive()
    except libvirt.libvirtError:
        return True


def _close(link: Any) -> None:  # noqa: ANN401
    with _unsupported_is_fine():
        link.unregisterCloseCallback()
    link.close()


def _reason(error: Any) -> str:  # noqa: ANN401
    return error.get_error_message() or str(error)

"""Limits on connections, so that idle or slow ones cannot keep others out.

Every connection's protocol is wrapped. One that does not get a whole request header across in time is closed; when
there are too many, from one address or in all, the one that has been idle for longest makes room.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

__all__ = ["Connections", "Limits"]

_SWEEP_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Limits:
    """How many connections, and for how long.

    :ivar total: open at a time.
    :ivar per_address: open at a time from one address.
    :ivar first_request: seconds until the first request's header is complete.
    :ivar idle: seconds until the next request's header is complete.
    :ivar body: seconds until a request's body is complete.
    :ivar response: seconds until the peer has taken the response.
    :ivar handshake: seconds for the TLS handshake.
    :ivar body_bytes: the largest body of a call.
    """

    total: int = 800
    per_address: int = 256
    first_request: float = 10.0
    idle: float = 120.0
    body: float = 60.0
    response: float = 300.0
    handshake: float = 10.0
    body_bytes: int = 300 * 1024


class Connections:
    """All connections of one server."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._open: dict[asyncio.BaseTransport, _Connection] = {}
        self._sweep: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._open)

    def wrap(self, inner: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        """A protocol factory whose connections are counted here."""
        return lambda: _Connection(inner(), self)

    def request_begins(self, transport: asyncio.BaseTransport | None) -> None:
        """A whole request header has arrived: the connection is not idle."""
        connection = self._open.get(transport) if transport else None
        if connection is not None:
            connection.requests += 1

    def request_ends(self, transport: asyncio.BaseTransport | None) -> None:
        """The response has been sent: the connection is idle, from now on."""
        connection = self._open.get(transport) if transport else None
        if connection is not None:
            connection.requests -= 1
            connection.allowance = self._limits.idle
            connection.idle_since = asyncio.get_running_loop().time()

    def admit(self, connection: _Connection, transport: asyncio.Transport) -> bool:
        """Take a new connection in, if need be in place of an idle one; False when there is no room."""
        loop = asyncio.get_running_loop()
        peer = transport.get_extra_info("peername")
        connection.address = str(peer[0]) if peer else ""
        connection.allowance = self._limits.first_request
        connection.idle_since = loop.time()
        same = [other for other in self._open.values() if other.address == connection.address]
        if len(same) >= self._limits.per_address and not _evict(same):
            return False
        if len(self._open) >= self._limits.total and not _evict(list(self._open.values())):
            return False
        connection.transport = transport
        self._open[transport] = connection
        if self._sweep is None:
            self._sweep = loop.call_later(_SWEEP_SECONDS, self._close_late_ones)
        return True

    def forget(self, transport: asyncio.BaseTransport | None) -> None:
        """A connection is gone."""
        if transport is not None:
            self._open.pop(transport, None)

    def abort_all(self) -> None:
        """Close every connection at once."""
        for connection in list(self._open.values()):
            connection.abort()

    def _close_late_ones(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in list(self._open.values()):
            if not connection.requests and now - connection.idle_since > connection.allowance:
                connection.abort()
        self._sweep = loop.call_later(_SWEEP_SECONDS, self._close_late_ones) if self._open else None


class _Connection(asyncio.Protocol):
    """Passes everything on to the protocol of the HTTP server."""

    def __init__(self, inner: asyncio.Protocol, connections: Connections) -> None:
        self._inner = inner
        self._connections = connections
        self._refused = False
        self.transport: asyncio.Transport | None = None
        self.address = ""
        self.requests = 0
        self.idle_since = 0.0
        self.allowance = 0.0

    def abort(self) -> None:
        """Close without waiting for what is still to be written."""
        if self.transport is not None:
            self._connections.forget(self.transport)
            self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast("asyncio.Transport", transport)
        if self._connections.admit(self, stream):
            self._inner.connection_made(stream)
        else:
            self._refused = True
            stream.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.forget(self.transport)
        if not self._refused:
            self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._refused:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return None if self._refused else self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()


def _evict(candidates: list[_Connection]) -> bool:
    idle = [connection for connection in candidates if not connection.requests]
    if not idle:
        return False
    min(idle, key=lambda connection: connection.idle_since).abort()
    return True

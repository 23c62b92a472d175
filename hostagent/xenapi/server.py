"""Listening: TLS, addresses and ports, and the life of the servers."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from hostagent.xenapi.app import CONNECTIONS, make_app, make_redirect_app
from hostagent.xenapi.connections import Connections, Limits
from hostagent.xenapi.dispatch import Dispatcher
from zeroth.errors import ExitCode, UserError

__all__ = ["Listen", "Server", "make_app", "make_redirect_app", "tls_context"]

_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!eNULL"
_LINGER_SECONDS: Final = 5.0
_SHUTDOWN_SECONDS: Final = 2.0
_BACKLOG: Final = 128

log = logging.getLogger("zeroth.http")


@dataclass(frozen=True)
class Listen:
    """Where to listen.

    :ivar addresses: local addresses; None for all, IPv4 and IPv6.
    :ivar https_port: 0 takes a free one.
    :ivar http_port: of plain HTTP, which only sends to HTTPS; None for none.
    """

    certificate: Path
    key: Path
    addresses: Sequence[str] | None = None
    https_port: int = 443
    http_port: int | None = 80
    limits: Limits = field(default_factory=Limits)


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 and newer with forward secrecy. Some clients need the certificate to be RSA.

    :raises UserError: when certificate or key cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise UserError(
            f"the host's certificate cannot be used: {error}",
            f"{certificate} and {key} must be a matching pair in PEM.",
            code=ExitCode.MACHINE,
        ) from None
    return context


class Server:
    """The running servers, as a context manager::

        async with Server(dispatcher, Listen(certificate, key)) as server:
            ...

    :param app: the HTTPS application, when others added paths to it; else it is made from the dispatcher.
    """

    def __init__(self, dispatcher: Dispatcher, listen: Listen, app: web.Application | None = None) -> None:
        self._listen = listen
        self._app = app or make_app(dispatcher, listen.limits)
        self._stack = AsyncExitStack()
        self._context: ssl.SSLContext | None = None
        self.https_port = 0
        self.http_port = 0

    @property
    def connections(self) -> Connections:
        """The open HTTPS connections."""
        return self._app[CONNECTIONS]

    def reload_certificate(self) -> None:
        """Read certificate and key again, for connections from now on.

        :raises UserError: when they cannot be used; the old ones stay in use.
        """
        tls_context(self._listen.certificate, self._listen.key)
        if self._context is not None:
            self._context.load_cert_chain(self._listen.certificate, self._listen.key)

    async def __aenter__(self) -> Self:
        self._context = tls_context(self._listen.certificate, self._listen.key)
        async with AsyncExitStack() as stack:
            self.https_port = await self._serve(stack, self._app, self._listen.https_port, self._context)
            if self._listen.http_port is not None:
                redirect = make_redirect_app(self.https_port, self._listen.limits)
                self.http_port = await self._serve(stack, redirect, self._listen.http_port, None)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _serve(
        self, stack: AsyncExitStack, app: web.Application, port: int, context: ssl.SSLContext | None
    ) -> int:
        limits = self._listen.limits
        runner = web.AppRunner(
            app,
            access_log=None,
            logger=_logger(),
            # Ours does it, and knows about requests that are being answered.
            keepalive_timeout=2 * limits.idle,
            lingering_time=_LINGER_SECONDS,
            shutdown_timeout=_SHUTDOWN_SECONDS,
            # A client that goes away cancels its handler; app._call decides what that stops.
            handler_cancellation=True,
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        assert runner.server is not None
        connections = app[CONNECTIONS]
        for sock in self._sockets(port):
            if port == 0:
                port = sock.getsockname()[1]
            server = await asyncio.get_running_loop().create_server(
                connections.wrap(runner.server),
                sock=sock,
                ssl=context,
                backlog=_BACKLOG,
                ssl_handshake_timeout=limits.handshake if context else None,
            )
            stack.callback(server.close)
        return port

    def _sockets(self, port: int) -> list[socket.socket]:
        addresses = self._listen.addresses
        try:
            if addresses is None and socket.has_dualstack_ipv6():
                return [socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)]
            return [
                socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
                for address in (["0.0.0.0"] if addresses is None else addresses)  # noqa: S104 - a server for the LAN
            ]
        except OSError as error:
            raise UserError(
                f"cannot listen on port {port}: {error.strerror}",
                "Another program may use the port; `ss -ltnp` shows which.",
                code=ExitCode.MACHINE,
            ) from None


class _NoBadRequests(logging.Filter):
    """What strangers send is not worth a traceback in the journal."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log it."""
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, HttpProcessingError | ConnectionError)


def _logger() -> logging.Logger:
    if not log.filters:
        log.addFilter(_NoBadRequests())
    return log

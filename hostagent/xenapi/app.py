"""The web application: which request is XML-RPC, which JSON-RPC, which a page."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from html import escape
from http import HTTPStatus
from typing import Final

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload

from hostagent.store import NotFound, Store
from hostagent.xenapi import jsonrpc, xmlrpc
from hostagent.xenapi.connections import Connections, Limits
from hostagent.xenapi.context import Caller
from hostagent.xenapi.dispatch import LIST_METHODS, Dispatcher
from hostagent.xenapi.errors import ApiError
from hostagent.xenapi.model import Value
from zeroth import __version__

__all__ = ["CONNECTIONS", "make_app", "make_redirect_app"]

CONNECTIONS: Final = web.AppKey("connections", Connections)
_DISPATCHER: Final = web.AppKey("dispatcher", Dispatcher)
_LIMITS: Final = web.AppKey("limits", Limits)
_HTTPS_PORT: Final = web.AppKey("https_port", int)

_CALLS: Final = web.AppKey("calls", set[asyncio.Task[Value]])

_WAITING: Final = frozenset({"event.from", "event.next"})
_PIECE: Final = 128 * 1024
_TIDY_SECONDS: Final = 60.0
_CORS: Final = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "X-Requested-With"}
_PAGE_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
_HOST_HEADER: Final = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d+)?")
_STYLE: Final = "body{font:1rem/1.5 system-ui,sans-serif;margin:3rem auto;max-width:40rem;padding:0 1rem}"

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = logging.getLogger(__name__)


def make_app(dispatcher: Dispatcher, limits: Limits | None = None) -> web.Application:
    """The application for HTTPS.

    Other parts add their own paths to its router. It tidies up behind sessions and tasks while it runs, and stops
    running tasks when it ends.
    """
    app = _bare_app(limits or Limits())
    app[_DISPATCHER] = dispatcher
    app[_CALLS] = set()
    app.cleanup_ctx.append(_tidying)
    app.router.add_get("/", _front_page)
    # XenAPI servers match paths by prefix: whatever begins so is JSON-RPC, any other POST is XML-RPC.
    app.router.add_post("/jsonrpc{tail:.*}", _json_rpc, expect_handler=_expect)
    app.router.add_post("/{tail:.*}", _xml_rpc, expect_handler=_expect)
    app.router.add_route("OPTIONS", "/{tail:.*}", _options)
    app.router.add_route("*", "/{tail:.*}", _nothing_here)
    return app


def make_redirect_app(https_port: int = 443, limits: Limits | None = None) -> web.Application:
    """The application for plain HTTP: it sends everyone to HTTPS and reads nothing.

    See docs/decisions/0006-plain-http.md.
    """
    app = _bare_app(limits or Limits())
    app[_HTTPS_PORT] = https_port
    app.router.add_route("*", "/{tail:.*}", _redirect, expect_handler=_never_continue)
    return app


def _bare_app(limits: Limits) -> web.Application:
    # aiohttp refuses what reaches its limit.
    app = web.Application(middlewares=[_framed], client_max_size=limits.body_bytes + 1)
    app[_LIMITS] = limits
    app[CONNECTIONS] = Connections(limits)
    return app


@web.middleware
async def _framed(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Around every request: tells the connection limits, sees the response out, shows no exception."""
    connections, transport = request.app[CONNECTIONS], request.transport
    connections.request_begins(transport)
    try:
        try:
            response = await handler(request)
        except web.HTTPException as error:
            response = _page(HTTPStatus(error.status), HTTPStatus(error.status).description)
        except TimeoutError:
            response = _page(HTTPStatus.REQUEST_TIMEOUT, "The request took too long to arrive.")
        except (asyncio.CancelledError, ConnectionError):
            raise
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            response = _page(HTTPStatus.INTERNAL_SERVER_ERROR, "Details are in the host's journal.")
        response.headers.setdefault("Server", "zeroth")
        async with asyncio.timeout(request.app[_LIMITS].response):
            await response.prepare(request)
            await response.write_eof()
    except TimeoutError:
        # The peer does not take the response.
        if transport is not None:
            transport.abort()
        raise ConnectionResetError("the response was not taken") from None
    finally:
        connections.request_ends(transport)
    return response


class _Pieces(Payload):
    """A large body that is written piece by piece.

    Under TLS, a body written at once counts as sent when it is encrypted: nothing would be known of a peer that does
    not take it.
    """

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self._size = len(body)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write all, as fast as the peer takes it."""
        body = memoryview(self._value)
        for start in range(0, len(body), _PIECE):
            await writer.write(body[start : start + _PIECE])

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The body as text."""
        return str(self._value, encoding, errors)


async def _xml_rpc(request: web.Request) -> web.Response:
    body = await _body(request)
    try:
        method, params = xmlrpc.decode_call(body)
    except xmlrpc.Malformed as error:
        return _malformed(request, error)
    try:
        value = await _call(request, method, params)
        answer = xmlrpc.encode_bare(value) if method == LIST_METHODS else xmlrpc.encode_success(value)
    except ApiError as error:
        answer = xmlrpc.encode_failure(error.description)
    return _answer(answer, "text/xml")


async def _json_rpc(request: web.Request) -> web.Response:
    body = await _body(request)
    try:
        call = jsonrpc.decode_call(body)
    except xmlrpc.Malformed as error:
        return _malformed(request, error)
    try:
        value = await _call(request, call.method, call.params)
        answer = jsonrpc.encode_result(call, value)
    except ApiError as error:
        answer = jsonrpc.encode_error(call, error.description)
    return _answer(answer, "application/json")


def _answer(body: bytes, content_type: str) -> web.Response:
    # No charset: clients compare the type as a whole.
    headers = {**_CORS, "Content-Type": content_type}
    return web.Response(body=body if len(body) <= _PIECE else _Pieces(body), headers=headers)


async def _call(request: web.Request, method: str, params: Sequence[Value]) -> Value:
    """Run a call. When the client goes away, what only waits for news stops; all else is done to its end."""
    work = request.app[_DISPATCHER].call(method, params, _caller(request))
    if method in _WAITING:
        return await work
    task = asyncio.get_running_loop().create_task(work, name=method)
    calls = request.app[_CALLS]
    calls.add(task)
    task.add_done_callback(calls.discard)
    return await asyncio.shield(task)


async def _options(_: web.Request) -> web.Response:
    return web.Response(headers=_CORS)


async def _nothing_here(request: web.Request) -> web.Response:
    if request.method in ("GET", "HEAD"):
        return _page(HTTPStatus.NOT_FOUND, "There is nothing at this address.")
    return _page(HTTPStatus.NOT_IMPLEMENTED, f"The method {request.method} is not implemented.")


async def _front_page(request: web.Request) -> web.Response:
    name = _host_name(request.app[_DISPATCHER].core.store)
    text = (
        "<p>This is a Xen host run by zeroth. It answers the XenAPI: XML-RPC at <code>/</code> and "
        "<code>/RPC2</code>, JSON-RPC at <code>/jsonrpc</code>. Connect any XenAPI client to "
        f"<code>https://{escape(request.host)}</code>.</p><p>Version {escape(__version__)}</p>"
    )
    return _html(HTTPStatus.OK, name, text)


async def _redirect(request: web.Request) -> web.Response:
    match = _HOST_HEADER.fullmatch(request.headers.get("Host", ""))
    name = match[1] if match else socket.gethostname()
    port = request.app[_HTTPS_PORT]
    location = f"https://{name}{'' if port == 443 else f':{port}'}{request.raw_path}"
    if request.method in ("GET", "HEAD"):
        response = _page(HTTPStatus.MOVED_PERMANENTLY, "This host answers on HTTPS only.")
    else:
        # 308 keeps the method. Most RPC libraries do not follow it and show it instead, which is meant.
        response = _page(
            HTTPStatus.PERMANENT_REDIRECT,
            "This host answers on HTTPS only: use https:// in the client. What was just sent, perhaps a password, "
            "was readable on the network.",
        )
        response.force_close()
    response.headers["Location"] = location
    return response


async def _body(request: web.Request) -> bytes:
    limits = request.app[_LIMITS]
    if (request.content_length or 0) > limits.body_bytes:
        raise web.HTTPRequestEntityTooLarge(max_size=limits.body_bytes, actual_size=request.content_length or 0)
    async with asyncio.timeout(limits.body):
        return await request.read()


async def _expect(request: web.Request) -> web.StreamResponse | None:
    """Say "100 Continue" only to a body that will be read."""
    if (request.content_length or 0) > request.app[_LIMITS].body_bytes:
        return _page(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The request body is too large.")
    if request.version >= (1, 1) and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    return None


async def _never_continue(_: web.Request) -> web.StreamResponse | None:
    """The final answer comes at once, the body is not wanted."""


def _caller(request: web.Request) -> Caller:
    return Caller((request.remote or "").removeprefix("::ffff:"), request.headers.get("User-Agent", "")[:200])


def _malformed(request: web.Request, error: xmlrpc.Malformed) -> web.Response:
    log.info("malformed call from %s: %s", request.remote, error)
    return _page(HTTPStatus.INTERNAL_SERVER_ERROR, "The request body is not a call that can be read.")


def _page(status: HTTPStatus, text: str) -> web.Response:
    response = _html(status, f"{status.value} {status.phrase}", f"<p>{escape(text)}</p>")
    if status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        response.force_close()
    return response


def _html(status: HTTPStatus, title: str, body: str, headers: Mapping[str, str] = _PAGE_HEADERS) -> web.Response:
    head = f"<meta charset=utf-8><title>{escape(title)}</title><style>{_STYLE}</style>"
    text = f"<!doctype html><html lang=en>{head}<h1>{escape(title)}</h1>{body}</html>"
    return web.Response(body=text.encode(), status=status, content_type="text/html", charset="utf-8", headers=headers)


def _host_name(store: Store) -> str:
    try:
        name = str(store.get("host", store.only("host"))["name_label"])
    except NotFound:
        name = ""
    return name or socket.gethostname()


async def _tidying(app: web.Application) -> AsyncIterator[None]:
    core = app[_DISPATCHER].core

    async def tidy() -> None:
        while True:
            await asyncio.sleep(_TIDY_SECONDS)
            core.tidy()

    worker = asyncio.get_running_loop().create_task(tidy(), name="tidy")
    yield
    worker.cancel()
    await core.close()

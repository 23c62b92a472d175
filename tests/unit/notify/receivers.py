"""Who is told, on loopback: a web server that takes POSTs, and syslog servers; each with faults."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.unit.spec.webserver import Credentials, serving

__all__ = ["Post", "Receiver", "SyslogServer", "free_port", "receiver", "syslog_tcp", "syslog_udp", "wait_for"]


@dataclass(frozen=True)
class Post:
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Receiver:
    """A running server; ``answers`` are given in turn, afterwards 204.

    :ivar answers: status codes; 0 hangs up without one.
    :ivar tried: every request; ``taken`` those that were answered by 204.
    """

    url: str = ""
    answers: list[int] = field(default_factory=list)
    delay: float = 0
    tried: list[Post] = field(default_factory=list)
    taken: list[Post] = field(default_factory=list)

    @property
    def events(self) -> list[str]:
        return [post.data["event"] for post in self.taken]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether it came to hold."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


@contextmanager
def receiver(credentials: Credentials | None = None, port: int = 0) -> Iterator[Receiver]:
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # noqa: N802 - the name that http.server calls
            post = Post(dict(self.headers), self.rfile.read(int(self.headers["Content-Length"])))
            state.tried.append(post)
            time.sleep(state.delay)
            status = state.answers.pop(0) if state.answers else 204
            if status == 0:
                self.close_connection = True
                return
            if status == 204:
                state.taken.append(post)
            with suppress(OSError):
                self.send_response(status)
                self.send_header("Content-Length", "0")
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            pass  # Clients that hang up are what is tried here.

    with Server(("127.0.0.1", port), Handler) as running:
        state.url = f"{'https' if credentials else 'http'}://127.0.0.1:{running.server_port}/told"
        with serving(running, credentials):
            yield state


@dataclass
class SyslogServer:
    port: int
    data: bytearray = field(default_factory=bytearray)
    datagrams: list[bytes] = field(default_factory=list)
    connections: int = 0

    @property
    def messages(self) -> list[bytes]:
        """By octet counting (RFC 6587); what is incomplete is left out."""
        found, rest = [], bytes(self.data)
        while b" " in rest:
            size, _, rest = rest.partition(b" ")
            if len(rest) < int(size):
                break
            found.append(rest[: int(size)])
            rest = rest[int(size) :]
        return found


@contextmanager
def syslog_udp() -> Iterator[SyslogServer]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(0.05)
        state = SyslogServer(sock.getsockname()[1])
        with _thread(lambda: state.datagrams.append(sock.recv(65536))):
            yield state


@contextmanager
def syslog_tcp(
    credentials: Credentials | None = None, port: int = 0, hang_up_after: int = 0, idle: float = 5
) -> Iterator[SyslogServer]:
    """
    :param hang_up_after: bytes of the first connection after which it is closed.
    :param idle: seconds of silence after which a connection is closed; what is on its way then is lost.
    """
    with socket.create_server(("127.0.0.1", port)) as listening:
        listening.settimeout(0.05)
        state = SyslogServer(listening.getsockname()[1])

        def serve() -> None:
            connection, _ = listening.accept()
            if credentials:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(credentials.path)
                connection.settimeout(idle)
                try:
                    connection = context.wrap_socket(connection, server_side=True)
                except OSError:
                    connection.close()
                    return
            state.connections += 1
            with connection:
                connection.settimeout(idle)
                taken = 0
                while piece := connection.recv(4096):
                    state.data += piece
                    taken += len(piece)
                    if state.connections == 1 and 0 < hang_up_after <= taken:
                        return

        with _thread(serve):
            yield state


@contextmanager
def _thread(work: Callable[[], None]) -> Iterator[None]:
    stopped = threading.Event()

    def loop() -> None:
        while not stopped.is_set():
            with suppress(TimeoutError, OSError):
                work()

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(10)

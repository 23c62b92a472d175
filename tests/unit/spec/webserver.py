"""Web servers on loopback that answer as told, with or without TLS, and with faults."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from zeroth.spec.fetch.pins import Pin

__all__ = ["ANSWER", "SIGNATURE", "Authority", "Credentials", "WebServer", "serving", "web_server"]

ANSWER = b"reboot\n"
SIGNATURE = b"untrusted comment: x\n"


@dataclass
class WebServer:
    """A running server, and what it was asked."""

    port: int
    scheme: str
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    elsewhere: str = ""
    """Where ``/elsewhere/...`` leads."""
    files: dict[str, bytes] = field(default_factory=dict)
    """What lies at a path."""

    def url(self, path: str, user: str = "") -> str:
        return f"{self.scheme}://{user}127.0.0.1:{self.port}{path}"


@dataclass(frozen=True)
class Credentials:
    """A certificate with its key."""

    path: Path
    pin: Pin


class Authority:
    """A certificate authority of our own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test authority")])
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        made = self._builder(self._name, self._key, timedelta(days=-1), timedelta(days=1))
        certificate = made.add_extension(constraints, critical=True).sign(self._key, hashes.SHA256())
        self.pem = certificate.public_bytes(Encoding.PEM).decode()

    def certificate(
        self, name: str, address: str = "127.0.0.1", begin: timedelta = timedelta(days=-1),
        end: timedelta = timedelta(days=1),
    ) -> Credentials:  # fmt: skip
        """A certificate for an address, as a PEM file with its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        names = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(address))])
        made = self._builder(subject, key, begin, end).add_extension(names, critical=False)
        certificate = made.sign(self._key, hashes.SHA256())
        path = self._folder / f"{name}.pem"
        private = key.private_bytes(Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path.write_bytes(certificate.public_bytes(Encoding.PEM) + private)
        return Credentials(path, Pin.of(certificate.public_bytes(Encoding.DER)))

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, begin: timedelta, end: timedelta
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begin)
            .not_valid_after(now + end)
        )


@contextmanager
def web_server(credentials: Credentials | None = None) -> Iterator[WebServer]:
    """A server on a free port of loopback, with TLS when it has a certificate."""
    state = WebServer(0, "https" if credentials else "http")

    class Handler(_Handler):
        web = state

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        state.port = running.server_port
        with serving(running, credentials):
            yield state


@contextmanager
def serving(running: ThreadingHTTPServer, credentials: Credentials | None) -> Iterator[None]:
    """It answers for the time of the block, with TLS when there is a certificate."""
    running.daemon_threads = True
    if credentials:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(credentials.path)
        running.socket = context.wrap_socket(running.socket, server_side=True)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        running.shutdown()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    web: WebServer

    def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
        self.web.asked.append((self.path, dict(self.headers)))
        tries = sum(path == self.path for path, _ in self.web.asked)
        if self.path in self.web.files:
            self._answer(200, self.web.files[self.path])
            return
        kind, _, name = self.path.partition("?")[0].strip("/").partition("/")
        if name.endswith(".minisig"):
            match kind:
                case "signed":
                    self._answer(200, SIGNATURE)
                case "all":
                    self._answer(200, ANSWER)
                case _:
                    self._answer(404)
            return
        match kind:
            case "busy" if tries < 3:
                self._answer(503)
            case "missing":
                self._answer(404)
            case "away":
                self._answer(302, location="http://127.0.0.1:9/x.ks")
            case "elsewhere":
                self._answer(302, location=f"{self.web.elsewhere}/ok/{name}")
            case "moved":
                self._answer(302, location=f"/ok/{name}")
            case "round":
                self._answer(302, location=self.path)
            case "endless":
                self._answer(200, b"# x\n" * 1_000_000)
            case "cut":
                self._answer(200, ANSWER, length=len(ANSWER) + 5)
            case "chunks-cut":
                self._raw(b"Transfer-Encoding: chunked\r\n\r\n7\r\nreboot\n\r\n")
            case "chunks":
                self._raw(b"Transfer-Encoding: chunked\r\n\r\n3\r\nreb\r\n4\r\noot\n\r\n0\r\n\r\n")
            case "unmeasured":
                self._raw(b"\r\nreboot\n")
            case "slow":
                self._slow()
            case "typed":
                self._answer(200, ANSWER, more={"Content-Type": "text/plain; charset=utf-8"})
            case "named":
                self._answer(200, ANSWER, more={"Content-Disposition": 'attachment; filename="../host 7.yaml"'})
            case _:
                self._answer(200, ANSWER)

    def _answer(
        self, status: int, body: bytes = b"", location: str = "", length: int | None = None,
        more: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.send_response(status)
        for name, value in {**({"Location": location} if location else {}), **(more or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self._write(body)
        self.close_connection = self.close_connection or length is not None

    def _raw(self, data: bytes) -> None:
        self._write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + data)
        self.close_connection = True

    def _slow(self) -> None:
        """A byte now and then, which no time limit between two pieces ends."""
        self._write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            self._write(b"#")
            time.sleep(0.05)

    def _write(self, data: bytes) -> None:
        try:
            self.wfile.write(data)
            self.wfile.flush()
        except OSError:
            self.close_connection = True  # The client has read enough.

    def log_message(self, *_: object) -> None:
        pass

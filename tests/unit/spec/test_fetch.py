"""Answers by HTTP, from a server on loopback."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from urllib3.util.retry import Retry

from zeroth.errors import UserError
from zeroth.spec import AnswerErrors
from zeroth.spec.fetch import fetch_answer

_AT_ONCE = Retry(total=3, backoff_factor=0, status_forcelist=(503,), allowed_methods=("GET",))


class _Server(HTTPServer):
    requests_seen: list[tuple[str, str | None]]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
        self.server.requests_seen.append((self.path, self.headers["Authorization"]))
        tries = sum(path == self.path for path, _ in self.server.requests_seen)
        match self.path.strip("/").split("/"):
            case ["busy", *_] if tries < 3:
                self._answer(503)
            case ["missing", *_]:
                self._answer(404)
            case ["away", *_]:
                self._answer(302, location="http://127.0.0.1:9/x.ks")
            case ["moved", name]:
                self._answer(302, location=f"/ok/{name}")
            case ["round", *_]:
                self._answer(302, location=self.path)
            case ["endless", *_]:
                self._answer(200, b"# x\n" * 1_000_000)
            case _:
                self._answer(200, b"reboot\n")

    def _answer(self, status: int, body: bytes = b"", location: str = "") -> None:
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            self.close_connection = True  # The client has read enough.

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[_Server]:
    """An HTTP server on a free port of loopback."""
    with _Server(("127.0.0.1", 0), _Handler) as running:
        running.requests_seen = []
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def _url(server: _Server, path: str, scheme: str = "http", user: str = "") -> str:
    return f"{scheme}://{user}127.0.0.1:{server.server_port}{path}"


def test_an_answer_is_fetched(server: _Server) -> None:
    found = fetch_answer(_url(server, "/ok/host%201.ks?x=1"))
    assert (found.text, found.name) == ("reboot\n", "host 1.ks")
    assert found.origin == _url(server, "/ok/host%201.ks")


def test_a_redirection_is_followed_and_keeps_the_name(server: _Server) -> None:
    assert fetch_answer(_url(server, "/moved/host.ks")).name == "host.ks"


def test_a_busy_server_is_asked_again(server: _Server) -> None:
    assert fetch_answer(_url(server, "/busy/host.ks"), retry=_AT_ONCE).text == "reboot\n"
    assert len(server.requests_seen) == 3


def test_a_password_is_sent_but_never_shown(server: _Server) -> None:
    found = fetch_answer(_url(server, "/ok/host.ks", user="me:hunter2@"))
    assert "hunter2" not in found.origin
    assert server.requests_seen[0][1] == "Basic bWU6aHVudGVyMg=="
    with pytest.raises(UserError) as caught:
        fetch_answer(_url(server, "/missing/host.ks", user="me:hunter2@"))
    assert "hunter2" not in str(caught.value)
    server.server_close()
    with pytest.raises(UserError) as caught:
        fetch_answer("http://me:hunter2@127.0.0.1:9/host.ks", retry=Retry(total=0))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "message"),
    [("/missing/host.ks", "the server answered 404"), ("/round/host.ks", "leads on and on")],
)
def test_why_it_cannot_be_had(server: _Server, path: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        fetch_answer(_url(server, path), retry=_AT_ONCE)


@pytest.mark.parametrize("url", ["http://", "http:///x.ks", "http://[::1/x.ks"])
def test_no_address(url: str) -> None:
    with pytest.raises(UserError, match="names no server|malformed"):
        fetch_answer(url)


def test_nobody_answers() -> None:
    with pytest.raises(UserError, match="cannot fetch the answer from http://127.0.0.1:9/x.ks"):
        fetch_answer("http://127.0.0.1:9/x.ks", retry=Retry(total=0))


def test_no_more_is_read_than_an_answer_may_have(server: _Server) -> None:
    with pytest.raises(AnswerErrors, match="larger than 1 MiB"):
        fetch_answer(_url(server, "/endless/host.ks"))


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 signed by itself, with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


def test_https_is_verified_and_stays_https(server: _Server, certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with pytest.raises(UserError, match="certificate does not verify"):
        fetch_answer(_url(server, "/ok/host.ks", "https"), retry=Retry(total=0))
    # What else is in the file (here, the key) does no harm.
    authorities = certificate.read_text()
    url = _url(server, "/ok/host.ks", "https")
    assert fetch_answer(url, authorities=authorities, retry=Retry(total=0)).text == "reboot\n"
    with pytest.raises(UserError, match="certificate does not verify"):
        fetch_answer(url, retry=Retry(total=0))
    trusting = requests.Session()
    trusting.verify = str(certificate)
    assert fetch_answer(_url(server, "/ok/host.ks", "https"), session=trusting).text == "reboot\n"
    trusting = requests.Session()
    trusting.verify = str(certificate)
    with pytest.raises(UserError, match="leads from https to an address without it"):
        fetch_answer(_url(server, "/away/host.ks", "https"), session=trusting)

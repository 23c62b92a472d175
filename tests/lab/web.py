"""The host's API from outside, with nothing but Python's own library: verified TLS, XML-RPC, raw requests."""

from __future__ import annotations

import http.client
import socket
import ssl
import xmlrpc.client
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.lab.answers import HOSTNAME
from tests.lab.host import Host
from tests.lab.stage import expect

__all__ = ["api", "certificate", "connection", "log_in", "logged_in", "wait_api"]


def certificate(host: Host) -> str:
    """The host's certificate (PEM), fetched over ssh, so that it can be trusted."""
    return host.ssh("cat /etc/zeroth/tls/host.pem")


def context(authority: str) -> ssl.SSLContext:
    """TLS that trusts this one certificate and checks the name."""
    return ssl.create_default_context(cadata=authority)


class _Connection(http.client.HTTPSConnection):
    """HTTPS to the forwarded port, verified against the host's real name."""

    def __init__(self, port: int, authority: str, seconds: float) -> None:
        super().__init__(HOSTNAME, port, timeout=seconds)
        self._authority = authority

    def connect(self) -> None:
        """Connect to 127.0.0.1, whatever the name."""
        raw = socket.create_connection(("127.0.0.1", self.port), self.timeout)
        self.sock = context(self._authority).wrap_socket(raw, server_hostname=self.host)


@contextmanager
def connection(host: Host, authority: str, seconds: float = 60) -> Iterator[http.client.HTTPSConnection]:
    """One verified HTTPS connection."""
    link = _Connection(host.forwards[443], authority, seconds)
    try:
        yield link
    finally:
        link.close()


def api(host: Host, authority: str, method: str, *params: object) -> dict[str, Any]:
    """Call one method by XML-RPC; returns XenAPI's own envelope (``Status``, ``Value`` or ``ErrorDescription``)."""
    body = xmlrpc.client.dumps(params, method, allow_none=True)  # type: ignore[arg-type]
    with connection(host, authority) as link:
        link.request("POST", "/", body, {"Content-Type": "text/xml"})
        answer = link.getresponse()
        text = answer.read()
        expect(answer.status == 200, f"{method}: HTTP {answer.status}: {text[:300]!r}")
    values, _ = xmlrpc.client.loads(text)
    envelope = values[0]
    assert isinstance(envelope, dict)
    return envelope


def log_in(host: Host, authority: str, password: str) -> dict[str, Any]:
    """Try to log in as root."""
    return api(host, authority, "session.login_with_password", "root", password, "1.0", "zeroth-lab")


def logged_in(host: Host, authority: str, password: str) -> str:
    """Log in as root; returns the session."""
    answer = log_in(host, authority, password)
    expect(answer.get("Status") == "Success", f"root cannot log in to the API: {answer}")
    return str(answer["Value"])


def wait_api(host: Host, seconds: float) -> None:
    """Wait until something answers HTTPS on the host's port (unverified: that comes with the certificate)."""
    loose = ssl.create_default_context()
    loose.check_hostname, loose.verify_mode = False, ssl.VerifyMode.CERT_NONE
    end = host.seconds() + seconds
    while True:
        try:
            with socket.create_connection(("127.0.0.1", host.forwards[443]), 5) as raw:
                raw.settimeout(10)
                with loose.wrap_socket(raw, server_hostname=HOSTNAME) as link:
                    link.sendall(b"GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n")
                    if link.recv(12).startswith(b"HTTP/"):
                        return
        except OSError:
            pass
        expect(host.seconds() < end, f"the API did not answer within {seconds:g} s")
        host.child.wait(0.5)

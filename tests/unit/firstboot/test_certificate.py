"""The certificate, verified by real TLS handshakes of the clients that people have."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509

from firstboot.paths import Paths
from firstboot.steps.certificate import ensure_certificate
from tests.unit.firstboot.host import Programs
from zeroth.system.certificate import Names, certificate_names, fingerprint, new_key, self_signed

NAMES = Names("alpha.example.org", (ip_address("192.0.2.77"),))
NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture(scope="module")
def key() -> bytes:
    return new_key()


@contextmanager
def serving(certificate: Path, key: Path) -> Iterator[int]:
    """An HTTPS server on a free port of loopback."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def files(tmp_path: Path, key: bytes) -> tuple[Path, Path]:
    certificate, key_file = tmp_path / "host.pem", tmp_path / "host.key"
    certificate.write_bytes(self_signed(key, NAMES, now=datetime.now(UTC)))
    key_file.write_bytes(key)
    return certificate, key_file


_PYTHON = """
import ssl, sys, urllib.request
context = ssl.create_default_context()
# What Python 3.13 turns on by default.
context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
print(urllib.request.urlopen(sys.argv[1], context=context).read().decode())
"""
_NODE = """
require("https").get(process.argv[1], a => a.on("data", d => console.log(String(d))))
  .on("error", e => { console.error(e.message); process.exit(1) })
"""


@pytest.mark.parametrize("client", ["python", "node", "curl"])
def test_clients_verify_the_host_by_its_own_certificate(
    client: str, files: tuple[Path, Path], tmp_path: Path, key: bytes
) -> None:
    certificate, key_file = files
    other = tmp_path / "other.pem"
    other.write_bytes(self_signed(new_key(), NAMES, now=datetime.now(UTC)))
    if client != "python" and shutil.which(client) is None:
        pytest.skip(f"{client} is not installed")
    with serving(certificate, key_file) as port:
        for host in ("127.0.0.1", "localhost"):
            url = f"https://{host}:{port}/"
            assert fetch(client, url, certificate).stdout.strip() == "hello"
            assert "certificate" in fetch(client, url, other).stderr.lower()


def fetch(client: str, url: str, authority: Path) -> subprocess.CompletedProcess[str]:
    argv = {
        "python": [sys.executable, "-c", _PYTHON, url],
        "node": ["node", "-e", _NODE, url],
        "curl": ["curl", "-sS", "--cacert", str(authority), url],
    }[client]
    env = {"SSL_CERT_FILE": str(authority), "NODE_EXTRA_CA_CERTS": str(authority), "PATH": "/usr/bin:/bin"}
    return subprocess.run(argv, capture_output=True, text=True, env=env, timeout=60)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_the_strict_checks_of_openssl_pass(files: tuple[Path, Path]) -> None:
    certificate, _ = files
    for name in (["-verify_hostname", "alpha"], ["-verify_ip", "192.0.2.77"], ["-verify_hostname", NAMES.host]):
        argv = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", *name, "-CAfile", str(certificate)]
        subprocess.run([*argv, str(certificate)], check=True, capture_output=True)
    wrong = ["openssl", "verify", "-verify_ip", "192.0.2.78", "-CAfile", str(certificate), str(certificate)]
    assert subprocess.run(wrong, capture_output=True).returncode != 0


def test_names_and_addresses_are_in_it(key: bytes) -> None:
    pem = self_signed(key, NAMES, now=NOW, not_before=NOW - timedelta(days=9))
    assert certificate_names(pem, key, now=NOW) == {
        "alpha.example.org", "alpha", "localhost", "192.0.2.77", "127.0.0.1", "::1",
    }  # fmt: skip
    certificate = x509.load_pem_x509_certificate(pem)
    assert certificate.not_valid_before_utc == NOW - timedelta(days=9)
    assert len(fingerprint(pem)) == 32 * 3 - 1


def test_a_certificate_that_does_not_serve_has_no_names(key: bytes) -> None:
    pem = self_signed(key, NAMES, now=NOW)
    assert certificate_names(pem, new_key(), now=NOW) == frozenset()
    assert certificate_names(pem[:200], key, now=NOW) == frozenset()
    assert certificate_names(pem, b"", now=NOW) == frozenset()
    assert certificate_names(pem, key, now=NOW + timedelta(days=4000)) == frozenset()


def test_it_is_renewed_when_name_or_address_change_and_only_then(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    programs = Programs(paths)
    assert ensure_certificate(paths, programs, NAMES, NOW)
    first, key = paths.certificate.read_bytes(), paths.key.read_bytes()
    assert not ensure_certificate(paths, programs, NAMES, NOW)
    assert paths.certificate.read_bytes() == first
    for names in (Names("beta", NAMES.addresses), Names("beta", (ip_address("192.0.2.78"),))):
        assert ensure_certificate(paths, programs, names, NOW)
        assert paths.key.read_bytes() == key
    assert ensure_certificate(paths, programs, names, NOW + timedelta(days=4000))


@pytest.mark.parametrize("damage", [b"", b"-----BEGIN PRIVATE KEY-----\n"])
def test_a_damaged_key_is_made_anew(tmp_path: Path, damage: bytes) -> None:
    paths = Paths(tmp_path)
    ensure_certificate(paths, Programs(paths), NAMES, NOW)
    paths.key.write_bytes(damage)
    assert ensure_certificate(paths, Programs(paths), NAMES, NOW)
    assert certificate_names(paths.certificate.read_bytes(), paths.key.read_bytes(), now=NOW)


def test_an_own_certificate_of_the_administrator_stays(tmp_path: Path, key: bytes) -> None:
    paths = Paths(tmp_path)
    paths.key.parent.mkdir(parents=True)
    paths.key.write_bytes(key)
    more = Names(NAMES.host, (*NAMES.addresses, ip_address("198.51.100.1")))
    own = self_signed(key, more, now=NOW)
    paths.certificate.write_bytes(own)
    assert not ensure_certificate(paths, Programs(paths), NAMES, NOW)
    assert paths.certificate.read_bytes() == own

"""Servers known by the key of their certificate, whoever signed it and whatever the clock says.

A pin is written as curl writes it (``--pinnedpubkey``) and RFC 7469 has it: ``sha256//`` and the base64 of the SHA-256
of the certificate's SubjectPublicKeyInfo. It outlives the certificate as long as the key is kept.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import ssl
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool

from zeroth.errors import UserError

__all__ = ["CertificatePin", "Pin", "PinnedAdapter", "WrongKey", "parse_pins"]

_PREFIX = "sha256//"


@dataclass(frozen=True)
class Pin:
    """The SHA-256 of a public key."""

    digest: bytes

    def __str__(self) -> str:
        return _PREFIX + base64.b64encode(self.digest).decode()

    @classmethod
    def of(cls, certificate: bytes) -> Pin:
        """The pin of a certificate (DER).

        :raises ValueError: it is none.
        """
        key = x509.load_der_x509_certificate(certificate).public_key()
        return cls(hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest())


@dataclass(frozen=True)
class CertificatePin:
    """The SHA-256 of a whole certificate, as ``openssl x509 -fingerprint`` shows it."""

    digest: bytes

    def __str__(self) -> str:
        return self.digest.hex()

    @classmethod
    def of(cls, certificate: bytes) -> CertificatePin:
        """The pin of a certificate (DER)."""
        return cls(hashlib.sha256(certificate).digest())


class WrongKey(ssl.SSLError):
    """The server has another key, or certificate, than the one that it is to be known by."""


def parse_pins(text: str) -> tuple[Pin, ...]:
    """Pins with ``;`` between several, as for curl: while a server changes its key, both are given.

    :raises UserError: one is malformed.
    """
    return tuple(_pin(part.strip()) for part in text.split(";"))


def _pin(text: str) -> Pin:
    try:
        digest = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if not text.startswith(_PREFIX) or len(digest) != hashlib.sha256().digest_size:
        raise UserError(
            f"{text[:100]!r} is not a pin of a server's key",
            "It is sha256// and 44 characters of base64; docs/how-to/serve-answers.md tells how to make one.",
        )
    return Pin(digest)


class PinnedAdapter(HTTPAdapter):
    """Transport for servers that are known by their keys; nothing else of a certificate counts, its dates neither."""

    def __init__(self, pins: Sequence[Pin | CertificatePin], **more: Any) -> None:  # noqa: ANN401 - handed on
        self._pool = _pool(frozenset(pins))
        super().__init__(**more)

    def init_poolmanager(self, *arguments: Any, **more: Any) -> None:  # noqa: ANN401 - as the base class has it
        """As requests calls it; the pools of this adapter are ours."""
        super().init_poolmanager(*arguments, **more)
        self.poolmanager.pool_classes_by_scheme = {"https": self._pool}

    def send(self, request: PreparedRequest, *arguments: Any, **more: Any) -> Response:  # noqa: ANN401 - handed on
        """No authority is asked: the pin decides."""
        return super().send(request, *arguments, **{**more, "verify": False})


def _pool(pins: Collection[Pin | CertificatePin]) -> type[HTTPSConnectionPool]:
    class Pinned(HTTPSConnection):
        def connect(self) -> None:
            """Before a byte of the request, with its token, is sent."""
            super().connect()
            sock: Any = self.sock
            certificate = sock.getpeercert(binary_form=True)
            key, whole = Pin.of(certificate), CertificatePin.of(certificate)
            if key not in pins and whole not in pins:
                self.close()
                by_key = any(isinstance(pin, Pin) for pin in pins)
                found = f"key is {key}" if by_key else f"certificate is {whole}"
                raise WrongKey(f"its {found}, which is not the one that it is to be known by")
            self.is_verified = True

    class PinnedPool(HTTPSConnectionPool):
        ConnectionCls = Pinned

    return PinnedPool

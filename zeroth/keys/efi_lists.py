"""Lists of certificates as UEFI firmware takes them: signature lists, and authenticated variables that hold one.

Formats: UEFI specification 2.10, sections 32.4.1 (EFI_SIGNATURE_LIST) and 8.2.2 (EFI_VARIABLE_AUTHENTICATION_2).
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import pkcs7

__all__ = ["Variable", "authenticated", "signature_list"]

_GLOBAL = UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")
_SECURITY = UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")
_X509 = UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072")
_PKCS7 = UUID("4aafd29d-68df-49ee-8aa9-347d375665a7")
# Not volatile, seen by boot services and at run time, written with a time.
_ATTRIBUTES = 0x27
_CERTIFICATE_TYPE = 0x0EF1
_REVISION = 0x0200


class Variable(StrEnum):
    """The variables that hold Secure Boot's keys."""

    PK = "PK"
    """The platform key: lets its owner change KEK."""
    KEK = "KEK"
    """Keys that let their owners change db."""
    DB = "db"
    """What may be started."""

    @property
    def vendor(self) -> UUID:
        """The namespace of the variable."""
        return _SECURITY if self is Variable.DB else _GLOBAL


def signature_list(certificate: x509.Certificate, owner: UUID) -> bytes:
    """A list of one certificate (``.esl``).

    :param owner: any id; tells lists apart.
    """
    der = certificate.public_bytes(serialization.Encoding.DER)
    size = 16 + len(der)
    return _X509.bytes_le + struct.pack("<III", 28 + size, 0, size) + owner.bytes_le + der


def authenticated(
    variable: Variable, content: bytes, key: RSAPrivateKey, certificate: x509.Certificate, time: datetime
) -> bytes:
    """What is written to a variable to set it to ``content`` (``.auth``).

    :param key: the owner's of the variable above it; PK signs itself.
    :param time: the firmware takes nothing older than what it has.
    """
    when = time.astimezone(UTC)
    stamp = struct.pack(
        "<HBBBBBBIhBB", when.year, when.month, when.day, when.hour, when.minute, when.second, 0, 0, 0, 0, 0
    )
    signed = (
        str(variable).encode("utf-16-le") + variable.vendor.bytes_le + struct.pack("<I", _ATTRIBUTES) + stamp + content
    )
    options = [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.NoAttributes]
    builder = pkcs7.PKCS7SignatureBuilder().set_data(signed).add_signer(certificate, key, hashes.SHA256())
    # Firmware wants the bare SignedData, without the ContentInfo around it.
    signature = _inside(_after(_inside(builder.sign(serialization.Encoding.DER, options))))
    head = struct.pack("<IHH", 24 + len(signature), _REVISION, _CERTIFICATE_TYPE) + _PKCS7.bytes_le
    return stamp + head + signature + content


def _inside(der: bytes) -> bytes:
    """The content of the DER element at the beginning."""
    start, length = _length(der)
    return der[start : start + length]


def _after(der: bytes) -> bytes:
    """What follows the DER element at the beginning."""
    start, length = _length(der)
    return der[start + length :]


def _length(der: bytes) -> tuple[int, int]:
    """Where the content of a DER element begins, and how long it is (X.690, 8.1.3)."""
    if der[1] < 0x80:
        return 2, der[1]
    count = der[1] & 0x7F
    return 2 + count, int.from_bytes(der[2 : 2 + count], "big")

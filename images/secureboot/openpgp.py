"""Signatures as GRUB checks them: OpenPGP (RFC 4880), version 4, RSA with SHA-256, detached.

Under Secure Boot GRUB loads nothing that none of its own verifiers has looked at, and without shim or a TPM that is
its OpenPGP verifier. The key is the one that the firmware's signatures are made with, so there is one key to keep; the
same content gives the same signature.
"""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils

from zeroth.keys.secureboot import ProgramKey

__all__ = ["key_file", "sign_file"]

_VERSION, _RSA, _SHA256 = 4, 1, 8
_BINARY, _CERTIFICATION = 0x00, 0x13
_SIGNATURE, _PUBLIC_KEY, _USER = 2, 6, 13
_CREATED, _ISSUER = 2, 16


def key_file(key: ProgramKey) -> bytes:
    """The public key, as ``grub-mkimage --pubkey`` and gpgv take it."""
    body, name = _key_body(key), key.name.encode()
    # gpgv wants a name, signed by the key itself; GRUB passes over both.
    certified = hashlib.sha256(_framed(body) + struct.pack(">BI", 0xB4, len(name)) + name)
    return _packet(_PUBLIC_KEY, body) + _packet(_USER, name) + _signature(key, certified, _CERTIFICATION)


def sign_file(path: Path, key: ProgramKey) -> bytes:
    """The detached signature of a file; GRUB looks for it under the file's name and ``.sig``."""
    with path.open("rb") as file:
        return _signature(key, hashlib.file_digest(file, "sha256"), _BINARY)


def _signature(key: ProgramKey, content: hashlib._Hash, kind: int) -> bytes:
    """A signature packet (section 5.2.3).

    :param content: has what is signed; what belongs to every signature is added here.
    """
    hashed = _subpacket(_CREATED, struct.pack(">I", _time(key)))
    head = struct.pack(">BBBBH", _VERSION, kind, _RSA, _SHA256, len(hashed)) + hashed
    # Section 5.2.4: what is hashed ends with the packet's head and its length.
    content.update(head + struct.pack(">BBI", _VERSION, 0xFF, len(head)))
    digest = content.digest()
    made = key.secret.sign(digest, padding.PKCS1v15(), utils.Prehashed(hashes.SHA256()))
    issuer = _subpacket(_ISSUER, _key_id(key))
    body = head + struct.pack(">H", len(issuer)) + issuer + digest[:2] + _number(int.from_bytes(made, "big"))
    return _packet(_SIGNATURE, body)


def _key_body(key: ProgramKey) -> bytes:
    public: rsa.RSAPublicNumbers = key.secret.public_key().public_numbers()
    return struct.pack(">BIB", _VERSION, _time(key), _RSA) + _number(public.n) + _number(public.e)


def _key_id(key: ProgramKey) -> bytes:
    # Section 12.2: the fingerprint of a version 4 key is made with SHA-1; it names the key and proves nothing.
    return hashlib.sha1(_framed(_key_body(key)), usedforsecurity=False).digest()[-8:]


def _framed(body: bytes) -> bytes:
    """A key's body as it is hashed."""
    return struct.pack(">BH", 0x99, len(body)) + body


def _time(key: ProgramKey) -> int:
    """When the key was made: of the certificate, so that nothing here depends on the clock."""
    return int(key.certificate.not_valid_before_utc.timestamp())


def _number(value: int) -> bytes:
    """A multiprecision integer (section 3.2)."""
    bits = value.bit_length()
    return struct.pack(">H", bits) + value.to_bytes((bits + 7) // 8, "big")


def _packet(tag: int, body: bytes) -> bytes:
    """An old-format packet with two bytes of length (section 4.2.1)."""
    return struct.pack(">BH", 0x80 | tag << 2 | 1, len(body)) + body


def _subpacket(kind: int, content: bytes) -> bytes:
    return bytes([len(content) + 1, kind]) + content

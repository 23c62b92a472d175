"""Signatures of files: Ed25519 over a BLAKE2b-512 digest, written as minisign writes them.

Public keys and signatures are those of minisign (https://jedisct1.github.io/minisign/, "Signature format" and
"Public key format"), so that anybody can check what we signed without zeroth: ``minisign -Vm FILE -p KEY.pub``.
Secret keys are PKCS 8 in PEM (RFC 8410), which openssl reads too. Nothing of a signature is random or holds a time:
the same content and key give the same signature.

A signature says what it is for (:class:`Purpose`), under the signature, so that what was signed as one thing is never
taken for another.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import BinaryIO

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from zeroth.errors import UserError

__all__ = [
    "MOST_SIGNATURES",
    "SIGNATURE_BEGINS",
    "SIGNATURE_LIMIT",
    "SIGNATURE_SUFFIX",
    "PublicKey",
    "Purpose",
    "SecretKey",
    "Signature",
    "SignatureRefused",
    "Verified",
    "read_signatures",
    "sign",
    "verify",
]

SIGNATURE_SUFFIX = ".minisig"
"""A file's signature lies beside it under its name and this."""
MOST_SIGNATURES = 4
SIGNATURE_LIMIT = 16 << 10
"""Bytes; no signature file is larger."""
_KEY_FILE_LIMIT = 16 << 10
_CHUNK = 1 << 20
_ALGORITHM = b"ED"
_KEY_ALGORITHM = b"Ed"
_UNTRUSTED = "untrusted comment: "
SIGNATURE_BEGINS = _UNTRUSTED.encode()
"""How every signature file begins."""
_TRUSTED = "trusted comment: "
_COMMENT_LIMIT = 500
_NAME = re.compile(r"[!-~](?:[ -~]{0,198}[!-~])?")


class Purpose(StrEnum):
    """What a signature is for."""

    ANSWER = "answer"
    """An answer file."""
    IMAGE = "image"
    """What a build gave: manifest, sums."""
    UPGRADE = "upgrade"
    """The header of an upgrade file."""
    EXTENSION = "extension"
    """What is told of an extension of the image."""
    KEY = "key"
    """The next public key, handed over by the one before."""


class SignatureRefused(UserError):
    """A signature that does not count: malformed, of an unknown key, for something else, or of other content."""


@dataclass(frozen=True)
class PublicKey:
    """What a signature is checked with.

    :param id: eight bytes by which a signature names its key.
    :param raw: the 32 bytes of the Ed25519 public key.
    :param comment: for people; anybody could have written it.
    """

    id: bytes
    raw: bytes
    comment: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        """The key's id as minisign shows it: 16 hexadecimal digits."""
        return _shown(self.id)

    @property
    def text(self) -> str:
        """The key as a file."""
        return f"{_UNTRUSTED}{self.comment}\n{_base64(_KEY_ALGORITHM + self.id + self.raw)}\n"

    @classmethod
    def parse(cls, text: str, *, where: str = "") -> PublicKey:
        """Read a public key file: minisign's two lines.

        :raises UserError: when it is something else.
        """
        lines = text.splitlines() if len(text) <= _KEY_FILE_LIMIT else []
        if len(lines) != 2 or not lines[0].startswith(_UNTRUSTED):
            hint = "A public key file has two lines, the first beginning with 'untrusted comment:'."
            if "PRIVATE KEY" in text:
                hint = "This is a secret key: keep it to yourself, and give the .pub file beside it."
            raise UserError("this is not a public key", hint, where=where)
        raw = _decoded(lines[1], 42)
        if raw is None or raw[:2] != _KEY_ALGORITHM:
            raise UserError("this public key is damaged", "Get the key file again.", where=where)
        return cls(raw[2:10], raw[10:], _clean(lines[0].removeprefix(_UNTRUSTED)))


@dataclass(frozen=True)
class SecretKey:
    """What signs. Neither its text form nor an error ever shows it."""

    key: Ed25519PrivateKey = field(repr=False)
    comment: str = ""

    @classmethod
    def generate(cls, comment: str = "") -> SecretKey:
        """A new key, from the kernel's random numbers."""
        return cls(Ed25519PrivateKey.generate(), _clean(comment))

    @classmethod
    def parse(cls, pem: bytes, passphrase: Callable[[], bytes], *, comment: str = "", where: str = "") -> SecretKey:
        """Read a secret key file (PEM, PKCS 8).

        :param passphrase: called when the key is encrypted.
        :raises UserError: when it is something else, or the passphrase is wrong.
        """
        encrypted = b"ENCRYPTED" in pem
        word = passphrase() if encrypted else None
        try:
            key = serialization.load_pem_private_key(pem[:_KEY_FILE_LIMIT], word)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            if encrypted:
                raise UserError("the passphrase does not open this key", "Try again.", where=where) from None
            raise UserError("this is not a secret key", "Make one: zeroth keys new NAME", where=where) from None
        if not isinstance(key, Ed25519PrivateKey):
            raise UserError("files are signed with Ed25519 keys, and this is another kind of key",
                            "Make one: zeroth keys new NAME", where=where)  # fmt: skip
        return cls(key, _clean(comment))

    def pem(self, passphrase: bytes | None) -> bytes:
        """The key as a file, encrypted unless the passphrase is None."""
        how: serialization.KeySerializationEncryption = (
            serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
        )
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)

    @property
    def public(self) -> PublicKey:
        """The public half. Its id is the beginning of its SHA-256, so that it cannot be given wrongly."""
        raw = self.key.public_key().public_bytes_raw()
        return PublicKey(hashlib.sha256(raw).digest()[:8], raw, self.comment)


@dataclass(frozen=True)
class Signature:
    """One signature, read but not checked.

    :param content: 64 bytes over the digest of the content.
    :param comment: the signed comment: purpose and name.
    :param whole: 64 bytes over ``content`` and ``comment``.
    """

    key: bytes
    content: bytes
    comment: str
    whole: bytes

    @property
    def text(self) -> str:
        """The signature as minisign's four lines."""
        return (
            f"{_UNTRUSTED}signature by zeroth, key {_shown(self.key)}\n"
            f"{_base64(_ALGORITHM + self.key + self.content)}\n{_TRUSTED}{self.comment}\n{_base64(self.whole)}\n"
        )


@dataclass(frozen=True)
class Verified:
    """What a good signature tells.

    :param key: the trusted key that made it.
    :param name: of the file, as its signer called it.
    """

    key: PublicKey
    name: str


def sign(content: bytes | BinaryIO, keys: Sequence[SecretKey], purpose: Purpose, name: str) -> str:
    """Sign some content.

    :param content: bytes, or a file at its beginning.
    :param keys: one, or during a change of keys the new one and the old one; minisign looks at the first.
    :param name: what the content is called; without folders, ASCII.
    :returns: the content of the signature file.
    """
    if not _NAME.fullmatch(name) or "/" in name:
        raise UserError(f"{name[:200]!r} cannot stand in a signature", "Use ASCII letters, digits, - . _ in the name.")
    if not 1 <= len(keys) <= MOST_SIGNATURES:
        raise UserError(f"a file can be signed with 1 to {MOST_SIGNATURES} keys", "Give fewer keys.")
    digest = _digest(content)
    comment = f"zeroth:{purpose} {name}"
    signatures = []
    for key in keys:
        made = key.key.sign(digest)
        signatures.append(Signature(key.public.id, made, comment, key.key.sign(made + comment.encode())))
    return "".join(signature.text for signature in signatures)


def read_signatures(text: str, *, where: str = "") -> tuple[Signature, ...]:
    """Read a signature file without checking what it says.

    :raises SignatureRefused: when it is malformed.
    """
    lines = text.split("\n") if len(text) <= SIGNATURE_LIMIT else []
    lines = [line.removesuffix("\r") for line in (lines[:-1] if lines and not lines[-1] else lines)]
    if not lines or len(lines) % 4 or len(lines) // 4 > MOST_SIGNATURES:
        raise SignatureRefused(
            "this is not a signature", "A signature file holds four lines for each key; get it again.", where=where
        )
    return tuple(_signature(lines[at : at + 4], where) for at in range(0, len(lines), 4))


def verify(
    content: bytes | BinaryIO,
    signature: str,
    trusted: Iterable[PublicKey],
    purpose: Purpose,
    *,
    where: str = "",
) -> Verified:
    """Check a signature; one good signature of a trusted key is enough.

    :param content: bytes, or a file at its beginning.
    :param signature: the content of the signature file.
    :param where: what errors call the file.
    :raises SignatureRefused: unless a trusted key signed this content for this purpose.
    """
    found = read_signatures(signature, where=where)
    keys = tuple(trusted)
    candidates = [(one, key) for one in found for key in keys if key.id == one.key]
    if not candidates:
        names = ", ".join(dict.fromkeys(_shown(one.key) for one in found))
        known = ", ".join(sorted(key.name for key in keys)) or "none"
        raise SignatureRefused(
            f"signed with a key that is not trusted here ({names})", f"Trusted keys: {known}.", where=where
        )
    digest = _digest(content)
    for one, key in candidates:
        if _good(key, one.content, digest) and _good(key, one.whole, one.content + one.comment.encode()):
            return _fit(one, key, purpose, where)
    raise SignatureRefused(
        "the signature does not match: the file, or its signature, was changed after it was signed",
        "Get both again from where they came from.",
        where=where,
    )


def _fit(signature: Signature, key: PublicKey, purpose: Purpose, where: str) -> Verified:
    said, _, name = signature.comment.partition(" ")
    if said != f"zeroth:{purpose}":
        raise SignatureRefused(
            f"this signature is for something else ({_clean(said)}, not zeroth:{purpose})",
            "Sign it with the command that is meant for this kind of file.",
            where=where,
        )
    return Verified(key, name)


def _good(key: PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key.raw).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _signature(lines: Sequence[str], where: str) -> Signature:
    content, whole = _decoded(lines[1], 74), _decoded(lines[3], 64)
    comment = lines[2].removeprefix(_TRUSTED)
    well_formed = lines[0].startswith(_UNTRUSTED) and lines[2].startswith(_TRUSTED) and len(comment) <= _COMMENT_LIMIT
    if content is None or whole is None or not well_formed:
        raise SignatureRefused("this signature is damaged", "Get the signature file again.", where=where)
    if content[:2] != _ALGORITHM:
        raise SignatureRefused(
            "signatures over undigested content are not accepted", "Use minisign 0.10 or newer.", where=where
        )
    try:
        comment.encode()
    except UnicodeEncodeError:
        raise SignatureRefused("this signature is damaged", "Get the signature file again.", where=where) from None
    return Signature(content[2:10], content[10:], comment, whole)


def _digest(content: bytes | BinaryIO) -> bytes:
    if isinstance(content, bytes):
        return hashlib.blake2b(content).digest()
    digest = hashlib.blake2b()
    while chunk := content.read(_CHUNK):
        digest.update(chunk)
    return digest.digest()


def _decoded(text: str, size: int) -> bytes | None:
    """The bytes behind one line of base64; None when it is not exactly ``size`` of them."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == size and _base64(raw) == text else None


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _shown(key: bytes) -> str:
    return f"{int.from_bytes(key, 'little'):016X}"


def _clean(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)[:_COMMENT_LIMIT]

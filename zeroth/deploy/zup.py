"""The upgrade file: a root image, its boot files and its manifest in one stream, signed at its front.

::

    8 bytes   ZEROTHUP
    4 bytes   length of the header, big endian
    4 bytes   length of the signature, big endian; 0 when the file is not signed
    header    JSON (:class:`Header`), which holds the size and SHA-256 of each payload
    signature of the header, in minisign's format (:mod:`zeroth.keys.signing`)
    payloads  each exactly as long as the header says, in its order; nothing follows the last

Everything is read once from the front to the end, so that the file can come from a pipe or a socket and go straight
into a slot. The signature is checked before the header is even parsed; each payload while it passes. The last chunk of
a payload is handed out only when its digest is the one that was signed, so nobody ever holds a whole payload that is
not. Payloads come in the order in which they are written: the manifest, by which an upgrade decides; the root image;
the boot files, which make a slot bootable.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from zeroth.deploy.zup_header import Header, Payload, read_header, write_header
from zeroth.errors import UserError
from zeroth.keys.signing import (
    SIGNATURE_LIMIT,
    PublicKey,
    Purpose,
    SecretKey,
    SignatureRefused,
    Verified,
    sign,
    verify,
)
from zeroth.system.size import MIB, Size

__all__ = ["HEADER_LIMIT", "MAGIC", "Damaged", "UpgradeFile", "UpgradePayload", "write_upgrade"]

MAGIC = b"ZEROTHUP"
HEADER_LIMIT = 256 << 10
_LENGTHS = struct.Struct(">II")
_CHUNK = 4 * MIB
_AGAIN = "Get the file again, and compare its SHA-256 with the one that was published."


class Damaged(UserError):
    """An upgrade file that is cut off, changed, or something else."""


class UpgradeFile:
    """An upgrade file while it is read.

    :ivar header: what the file holds; signed by :attr:`signer`.
    :ivar signer: None when the file is not signed and that was allowed.
    """

    def __init__(self, stream: BinaryIO, header: Header, signer: Verified | None, name: str) -> None:
        self._stream = stream
        self._name = name
        self.header = header
        self.signer = signer

    @classmethod
    def open(cls, stream: BinaryIO, trusted: Sequence[PublicKey] | None, *, name: str) -> UpgradeFile:
        """Read the front of a file and check it; nothing behind it is read.

        :param stream: at its beginning; it need not be able to seek.
        :param trusted: keys of which one must have signed it; None takes unsigned files too.
        :param name: what errors call the file.
        :raises SignatureRefused: when no trusted key signed it.
        :raises Damaged: when it is something else or damaged.
        """
        if _exactly(stream, len(MAGIC), name) != MAGIC:
            raise Damaged("this is not an upgrade file", "They are called zeroth-VERSION.zup.", where=name)
        header_size, signature_size = _LENGTHS.unpack(_exactly(stream, _LENGTHS.size, name))
        if not 0 < header_size <= HEADER_LIMIT or signature_size > SIGNATURE_LIMIT:
            raise Damaged("the upgrade file is damaged at its front", _AGAIN, where=name)
        raw = _exactly(stream, header_size, name)
        signature = _exactly(stream, signature_size, name).decode(errors="replace")
        signer = None
        if trusted is not None:
            if not signature:
                raise SignatureRefused(
                    "the upgrade file is not signed", "Build it with: zeroth image build --sign-key KEY", where=name
                )
            signer = verify(raw, signature, trusted, Purpose.UPGRADE, where=name)
        return cls(stream, read_header(raw, name), signer, name)

    def payloads(self) -> Iterator[UpgradePayload]:
        """The payloads in their order. What is not read of one is read, and checked, before the next.

        :raises Damaged: when one is cut off or changed, or when something follows the last.
        """
        for payload in self.header.payloads:
            current = UpgradePayload(self._stream, payload, self._name)
            yield current
            current.skip()
        if self._stream.read(1):
            raise Damaged("something follows the end of the upgrade file", _AGAIN, where=self._name)


class UpgradePayload:
    """One payload while it is read; a :class:`zeroth.deploy.slots.RootImage`."""

    def __init__(self, stream: BinaryIO, payload: Payload, name: str) -> None:
        self.payload = payload
        self._chunks = _checked(stream, payload, name)

    @property
    def size(self) -> int:
        """Bytes in all."""
        return self.payload.size

    @property
    def sha256(self) -> str:
        """Of all bytes, hexadecimal."""
        return self.payload.sha256

    def chunks(self) -> Iterator[bytes]:
        """The bytes, in order; once.

        :raises Damaged: before the last chunk, when the bytes are not those that were signed.
        """
        return self._chunks

    def skip(self) -> None:
        """Read and check what has not been read."""
        for _ in self._chunks:
            pass


def write_upgrade(
    out: BinaryIO,
    header: Header,
    sources: Mapping[str, Path],
    keys: Sequence[SecretKey],
    progress: Callable[[float], None] = lambda _: None,
) -> None:
    """Write an upgrade file; the same bytes for the same content and keys.

    :param sources: the payloads' files by name.
    :param keys: none to leave it unsigned.
    :raises UserError: when a file is not the one that the header describes.
    """
    raw = write_header(header)
    signature = sign(raw, keys, Purpose.UPGRADE, f"zeroth-{header.version}.zup").encode() if keys else b""
    out.write(MAGIC + _LENGTHS.pack(len(raw), len(signature)) + raw + signature)
    total, done = max(1, sum(payload.size for payload in header.payloads)), 0
    for payload in header.payloads:
        path = sources[payload.name]
        with path.open("rb") as file:
            for chunk in _checked(file, payload, str(path)):
                out.write(chunk)
                done += len(chunk)
                progress(done / total)
            if file.read(1):
                raise UserError("the file grew while it was read", where=str(path))


def _checked(stream: BinaryIO, payload: Payload, name: str) -> Iterator[bytes]:
    digest = hashlib.sha256()
    left = payload.size
    while True:
        chunk = _exactly(stream, min(left, _CHUNK), name)
        digest.update(chunk)
        left -= len(chunk)
        if not left and digest.hexdigest() != payload.sha256:
            raise Damaged(f"{payload.name} is damaged: its SHA-256 is not the one in the header", _AGAIN, where=name)
        yield chunk
        if not left:
            return


def _exactly(stream: BinaryIO, size: int, name: str) -> bytes:
    """So many bytes; a pipe gives fewer at a time."""
    parts = []
    left = size
    while left:
        part = stream.read(left)
        if not part:
            raise Damaged(f"it is cut off: {Size(left).approx()} are missing", _AGAIN, where=name)
        parts.append(part)
        left -= len(part)
    return b"".join(parts)

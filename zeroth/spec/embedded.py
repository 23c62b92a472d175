"""What is embedded in a medium: an answer, how answers are fetched and checked, ssh keys, kernel arguments.

The builder reserves a file of a fixed size on the medium, :data:`AREA`. ``zeroth iso embed`` writes into it where it
lies in the ISO image, so nothing else of the image moves; the installer reads it from the mounted medium. It belongs
to no checksum of the medium, and has one of its own:

====== ==== =====================================================
offset size what
====== ==== =====================================================
0      16   magic
16     4    version of this format (little endian)
20     4    bytes that follow the head; 0 when nothing is embedded
24     32   their SHA-256
56     8    zero
64     ...  :class:`Embedded` as JSON, compressed by zlib
====== ==== =====================================================

The rest is zero.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from zeroth.errors import ExitCode, UserError
from zeroth.keys.signing import SIGNATURE_LIMIT, PublicKey
from zeroth.spec.answer import SIZE_LIMIT, AnswerText
from zeroth.spec.fields import SshKey
from zeroth.spec.model import HostSpec
from zeroth.spec.model.base import Model, Switch

__all__ = ["AREA", "AREA_SIZE", "AUTHORITIES", "Embedded", "EmbeddedAnswer", "embedded_in", "read_area", "write_area"]

AREA = "zeroth/embedded"
"""The reserved file, from the top of the medium."""
AUTHORITIES = "zeroth/ca.pem"
"""Authorities that a boot program handed over at a netboot, as the initrd puts them."""
AREA_SIZE = 256 << 10
"""Bytes: an answer is a page or two, an authority 2 KiB."""
_MAGIC = b"ZEROTH EMBEDDED\n"
_VERSION = 1
_HEAD = struct.Struct("<16sII32s8x")
_UNPACKED_LIMIT = 2 * SIZE_LIMIT
_WRITE_AGAIN = "Embed it again in a fresh copy of the ISO."


_Pin = Annotated[str, Field(pattern=r"^sha256//[A-Za-z0-9+/]{43}=$")]


class EmbeddedAnswer(Model):
    """An answer without plain passwords.

    :ivar name: its file name, whose ending tells the language.
    :ivar signature: what lay beside it as ``.minisig``; empty where there was none.
    """

    name: Annotated[str, Field(min_length=1, max_length=255)]
    text: Annotated[str, Field(max_length=SIZE_LIMIT)]
    signature: Annotated[str, Field(max_length=SIGNATURE_LIMIT)] = ""


class Embedded(Model):
    """What is embedded.

    :ivar authorities: certificates in PEM that https addresses of answers are verified by, besides the usual ones.
    :ivar ssh_keys: allowed to log in as root on the installed host, besides those of the answer.
    :ivar arguments: kernel arguments of all menu entries that start our kernel; the menu has them in its own file too.
    :ivar pins: of the keys of servers that give answers, as ``sha256//...``.
    :ivar token: what those servers are shown, as bearer token.
    :ivar signers: public keys that may sign an answer, besides those of the image, each as the text of its file.
    :ivar require_signed: an answer without a signature is refused, an embedded one too.
    """

    answer: EmbeddedAnswer | None = None
    authorities: str = ""
    ssh_keys: Annotated[tuple[SshKey, ...], Field(max_length=64)] = ()
    arguments: tuple[str, ...] = ()
    pins: Annotated[tuple[_Pin, ...], Field(max_length=16)] = ()
    token: Annotated[str, Field(max_length=4096, pattern=r"^[!-~]*$", repr=False)] = ""
    signers: Annotated[tuple[str, ...], Field(max_length=16)] = ()
    require_signed: Switch = False

    def answer_keys(self) -> tuple[PublicKey, ...]:
        """The keys that may sign an answer.

        :raises UserError: one is damaged.
        """
        return tuple(PublicKey.parse(text, where=AREA) for text in self.signers)

    def answer_text(self) -> AnswerText | None:
        """The answer as the installer takes it."""
        if self.answer is None:
            return None
        return AnswerText.from_bytes(self.answer.text.encode(), self.answer.name, "embedded in the medium")

    def with_keys(self, spec: HostSpec) -> HostSpec:
        """The host with the embedded ssh keys among root's."""
        keys = tuple(dict.fromkeys((*spec.root.ssh_keys, *self.ssh_keys)))
        return spec.model_copy(update={"root": spec.root.model_copy(update={"ssh_keys": keys})})


def write_area(embedded: Embedded, size: int = AREA_SIZE) -> bytes:
    """The content of the reserved file; always the same bytes for the same values.

    :param size: of the reserved file.
    :raises UserError: when it does not fit.
    """
    packed = b"" if embedded == Embedded() else zlib.compress(embedded.model_dump_json().encode(), 9)
    room = size - _HEAD.size
    if len(packed) > room:
        raise UserError(
            f"this takes {len(packed)} bytes, and the medium reserves {room}",
            "Shorten the answer, or name it by --args zeroth.answer=https://... instead.",
        )
    head = _HEAD.pack(_MAGIC, _VERSION, len(packed), hashlib.sha256(packed).digest())
    return (head + packed).ljust(size, b"\0")


def read_area(data: bytes, where: str = "") -> Embedded:
    """What the reserved file holds.

    :param where: its place, for messages.
    :raises UserError: when it is no reserved file, of a newer version, or damaged.
    """
    if len(data) < _HEAD.size or not data.startswith(_MAGIC):
        raise _bad("this is not the area that is reserved for what is embedded", where)
    _, version, length, digest = _HEAD.unpack_from(data)
    if version != _VERSION:
        raise UserError(
            f"what is embedded is of form {version}, and this program knows form {_VERSION}",
            "Use the zeroth command of the medium's own version.",
            where=where,
        )
    packed = data[_HEAD.size : _HEAD.size + length]
    if len(packed) != length or hashlib.sha256(packed).digest() != digest:
        raise _bad("what is embedded in the medium is damaged (its SHA-256 is wrong)", where)
    if not packed:
        return Embedded()
    try:
        unpacking = zlib.decompressobj()
        text = unpacking.decompress(packed, _UNPACKED_LIMIT)
        if not unpacking.eof:
            raise _bad("what is embedded in the medium is too large, or cut short", where)
        return Embedded.model_validate_json(text)
    except (zlib.error, ValidationError):
        # Not the library's words: they would show the answer.
        raise _bad("what is embedded in the medium cannot be understood", where) from None


def embedded_in(medium: Path) -> Embedded:
    """What is embedded in a mounted medium. One that reserves no area, as after a netboot, may hold authorities alone.

    :raises UserError: as :func:`read_area`, or when it cannot be read.
    """
    path = medium / AREA
    try:
        if not path.exists():
            path = medium / AUTHORITIES
            return (
                Embedded(authorities=path.read_text(encoding="ascii", errors="replace"))
                if path.exists()
                else Embedded()
            )
        with path.open("rb") as file:
            data = file.read(AREA_SIZE)
    except OSError as error:
        raise _bad(f"what is embedded in the medium cannot be read: {error.strerror}", str(path)) from None
    return read_area(data, str(path))


def _bad(message: str, where: str) -> UserError:
    return UserError(message, _WRITE_AGAIN, where=where, code=ExitCode.MACHINE)

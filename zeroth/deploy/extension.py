"""The extension file: what packages add to an image, verified and signed, for one version of that image.

It is a tar archive of three members in this order: ``extension.json`` (:class:`Extension`), its signature in the
format of minisign, and ``image``, a squashfs with its tree of hashes behind it, as a root image has. The signature is
checked before the first is parsed, and that holds the root hash by which the kernel checks every block of the image.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from zeroth.deploy.verity import RootTree
from zeroth.errors import UserError
from zeroth.keys.signing import SIGNATURE_LIMIT, SIGNATURE_SUFFIX, PublicKey, Purpose, SecretKey, sign, verify
from zeroth.system.size import GIB, MIB

__all__ = [
    "EXTENSION_NAME",
    "FACTS",
    "IMAGE",
    "SIGNATURE",
    "SUFFIX",
    "Extension",
    "ExtensionFile",
    "open_extension",
    "read_facts",
    "write_extension",
]

SUFFIX = ".zext"
FACTS, IMAGE = "extension.json", "image"
SIGNATURE = FACTS + SIGNATURE_SUFFIX
EXTENSION_NAME = r"^[a-z0-9][a-z0-9.-]{0,39}$"
_FACTS_LIMIT = 256 << 10
_CHUNK = 4 * MIB
_AGAIN = "Get the file again, and compare its SHA-256 with the one that was published."

_Version = Annotated[str, Field(pattern=r"^[0-9A-Za-z.+~:-]{1,128}$")]
_Packages = Annotated[
    Mapping[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9+.-]{1,127}$")], _Version], Field(max_length=2000)
]


class Extension(BaseModel):
    """What an extension holds, and what it fits.

    :ivar format: counted up when an old reader would go wrong with a new file.
    :ivar version: of the image that it extends, as ``IMAGE_VERSION`` in os-release(5).
    :ivar packages: what it adds: name and version.
    :ivar needs: packages of the image that those depend on, with the version they were built beside.
    :ivar size: of its image with the tree of hashes, bytes.
    :ivar sha256: of the same.
    """

    # Unknown fields are passed over: a later builder may tell more, under the same signature.
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    format: Literal[1] = 1
    name: Annotated[str, Field(pattern=EXTENSION_NAME)]
    version: _Version
    architecture: Annotated[str, Field(pattern=r"^[a-z0-9]{1,16}$")]
    packages: _Packages
    needs: _Packages
    size: Annotated[int, Field(ge=4096, le=int(8 * GIB))]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    tree: RootTree

    @model_validator(mode="after")
    def _whole(self) -> Extension:
        if self.tree.hash_offset >= self.size:
            raise ValueError("the tree of hashes lies behind the end of the image")
        return self

    @property
    def facts(self) -> bytes:
        """As it stands in the file; the same bytes for the same values."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, indent=1).encode() + b"\n"


@dataclass(frozen=True)
class ExtensionFile:
    """An extension file that is open, its front checked.

    :ivar facts: the signed bytes that :attr:`extension` was read from.
    :ivar signature: of those.
    """

    extension: Extension
    facts: bytes
    signature: str
    signer: PublicKey
    _image: IO[bytes]
    _where: str

    def chunks(self) -> Iterator[bytes]:
        """The bytes of the image, in order; once.

        :raises UserError: before the last of them, when they are not those that were signed.
        """
        digest, left = hashlib.sha256(), self.extension.size
        while left:
            chunk = self._image.read(min(left, _CHUNK))
            if not chunk:
                raise UserError("the extension is cut off", _AGAIN, where=self._where)
            digest.update(chunk)
            left -= len(chunk)
            if not left and digest.hexdigest() != self.extension.sha256:
                raise UserError("the extension is damaged: its image is not the one that was signed", _AGAIN,
                                where=self._where)  # fmt: skip
            yield chunk


def read_facts(raw: bytes, signature: str, trusted: Sequence[PublicKey], where: str) -> tuple[Extension, PublicKey]:
    """Check what is told of an extension, then read it.

    :raises SignatureRefused: unless a trusted key signed it as an extension.
    :raises UserError: when it is malformed.
    """
    signer = verify(raw, signature, trusted, Purpose.EXTENSION, where=where).key
    try:
        return Extension.model_validate_json(raw), signer
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "as a whole"
        raise UserError(
            f"the extension is of a form that is not known here: {place}: {first['msg']}",
            "Build it with the version of zeroth that this host runs.",
            where=where,
        ) from None


@contextmanager
def open_extension(path: Path, trusted: Sequence[PublicKey]) -> Iterator[ExtensionFile]:
    """Open an extension file and check its front; the image is checked while it is read.

    :raises SignatureRefused: when no trusted key signed it.
    :raises UserError: when it cannot be read, or is something else.
    """
    where = str(path)
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r|") as archive:
            facts = _member(archive, FACTS, _FACTS_LIMIT, where)[0].read()
            signature = _member(archive, SIGNATURE, SIGNATURE_LIMIT, where)[0].read().decode(errors="replace")
            extension, signer = read_facts(facts, signature, trusted, where)
            image, size = _member(archive, IMAGE, extension.size, where)
            if size != extension.size:
                raise UserError("the extension is damaged: its image has another size", _AGAIN, where=where)
            yield ExtensionFile(extension, facts, signature, signer, image, where)
    except tarfile.TarError:
        raise _something_else(where) from None
    except OSError as error:
        raise UserError(f"cannot read it: {error.strerror or error}", where=where) from None


def write_extension(
    out: IO[bytes],
    extension: Extension,
    image: Path,
    keys: Sequence[SecretKey],
    progress: Callable[[float], None] = lambda _: None,
) -> None:
    """Write an extension file; the same bytes for the same content and keys."""
    signature = sign(extension.facts, keys, Purpose.EXTENSION, f"{extension.name}-{extension.version}{SUFFIX}")
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in ((FACTS, extension.facts), (SIGNATURE, signature.encode())):
            archive.addfile(_entry(name, len(data)), io.BytesIO(data))
        with image.open("rb") as file:
            archive.addfile(_entry(IMAGE, extension.size), file)
    progress(1.0)


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o644
    return entry


def _member(archive: tarfile.TarFile, name: str, limit: int, where: str) -> tuple[IO[bytes], int]:
    """The next member, which has to have this name."""
    entry = archive.next()
    if entry is None or entry.name != name or not entry.isreg() or entry.size > limit:
        raise _something_else(where)
    file = archive.extractfile(entry)
    assert file is not None, "it is a regular file"
    return file, entry.size


def _something_else(where: str) -> UserError:
    return UserError(
        "this is not an extension, or it is damaged at its front",
        f"They are called NAME-VERSION{SUFFIX}.",
        where=where,
    )

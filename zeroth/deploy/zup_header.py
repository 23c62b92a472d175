"""The header of an upgrade file: what it holds, with sizes and hashes. Every field has a limit."""

from __future__ import annotations

import json
from collections import Counter
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from zeroth.deploy.verity import RootTree
from zeroth.errors import UserError
from zeroth.system.size import GIB, MIB

__all__ = ["Header", "Kind", "Payload", "read_header", "write_header"]

_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_MOST_PAYLOADS = 32


class Kind(StrEnum):
    """What a payload is for; they come in this order."""

    MANIFEST = "manifest"
    ROOT = "root"
    BOOT = "boot"


_ORDER = tuple(Kind)
_LARGEST = {Kind.MANIFEST: 16 * MIB, Kind.ROOT: 8 * GIB, Kind.BOOT: 512 * MIB}


class _Model(BaseModel):
    # Unknown fields are passed over: a later builder may tell more, under the same signature.
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class Payload(_Model):
    """One file.

    :ivar name: as on a medium: ``root.squashfs``, ``vmlinuz``.
    :ivar size: bytes.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    kind: Kind
    size: Annotated[int, Field(ge=1, le=int(8 * GIB))]
    sha256: _Digest


class Header(_Model):
    """What an upgrade file holds.

    :ivar format: counted up when an old reader would go wrong with a new file.
    :ivar version: of zeroth in it.
    :ivar tree: of the root image.
    """

    format: Literal[1] = 1
    product: Literal["zeroth"] = "zeroth"
    version: Annotated[str, Field(pattern=r"^[0-9][0-9A-Za-z.+~-]{0,63}$")]
    architecture: Annotated[str, Field(pattern=r"^[a-z0-9]{1,16}$")]
    profile: Annotated[str, Field(pattern=r"^[a-z]{1,16}$")]
    payloads: Annotated[tuple[Payload, ...], Field(min_length=3, max_length=_MOST_PAYLOADS)]
    tree: RootTree

    @model_validator(mode="after")
    def _whole(self) -> Header:
        kinds = Counter(payload.kind for payload in self.payloads)
        if kinds[Kind.ROOT] != 1 or kinds[Kind.MANIFEST] != 1 or not kinds[Kind.BOOT]:
            raise ValueError("it holds one root image, one manifest, and boot files")
        places = [_ORDER.index(payload.kind) for payload in self.payloads]
        if places != sorted(places):
            raise ValueError("the manifest comes first, then the root image, then boot files")
        if len({payload.name.lower() for payload in self.payloads}) != len(self.payloads):
            raise ValueError("two payloads have one name")
        for payload in self.payloads:
            if payload.size > _LARGEST[payload.kind]:
                raise ValueError(f"{payload.name} is larger than any {payload.kind} is")
        if self.tree.hash_offset >= self.root.size:
            raise ValueError("the tree of hashes lies behind the end of the root image")
        return self

    @property
    def root(self) -> Payload:
        """The root image."""
        return next(payload for payload in self.payloads if payload.kind is Kind.ROOT)

    @property
    def size(self) -> int:
        """Bytes of all payloads."""
        return sum(payload.size for payload in self.payloads)


def write_header(header: Header) -> bytes:
    """The header as it stands in the file; the same bytes for the same header."""
    return json.dumps(header.model_dump(mode="json", exclude_none=True), sort_keys=True, indent=1).encode() + b"\n"


def read_header(raw: bytes, where: str) -> Header:
    """Read a header.

    :param where: what errors call the file.
    :raises UserError: when it is malformed, or made by a newer zeroth.
    """
    try:
        return Header.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        if place == "format":
            message, hint = "this upgrade file has a form that is not known here", "Upgrade in a smaller step first."
        else:
            message = f"the header of the upgrade file is malformed: {place or 'as a whole'}: {first['msg']}"
            hint = "Get the file again."
        raise UserError(message, hint, where=where) from None

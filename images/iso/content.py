"""What an ISO image of ours holds: its manifest, its sums, what is embedded, and the digest of every file."""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from images.iso.layout import CHUNK, Iso
from images.menu import ARGUMENTS_FILE, ARGUMENTS_SIZE, arguments_script
from zeroth.deploy.signedboot import PROGRAM
from zeroth.spec.embedded import AREA, Embedded, read_area, write_area

__all__ = [
    "Digests",
    "embedded",
    "file_digests",
    "image_digests",
    "manifest",
    "patches",
    "reserved",
    "sums",
    "version_of",
]

_FOLDER = "zeroth"
_MANIFEST = f"{_FOLDER}/manifest.json"
_SUMS = f"{_FOLDER}/SHA256SUMS"
_MANIFEST_LIMIT = 16 << 20
_SUMS_LIMIT = 1 << 20
_AREA_LIMIT = 16 << 20

Progress = Callable[[int], None]
"""Told how many more bytes were read."""


@dataclass(frozen=True)
class Digests:
    """The SHA-256 of a whole image, in hexadecimal.

    :ivar actual: as it is.
    :ivar pristine: as it would be with nothing embedded, which is how it was published.
    """

    actual: str
    pristine: str


def manifest(iso: Iso) -> Mapping[str, Any]:
    """The manifest on the medium.

    :raises UserError: when it is missing or no manifest.
    """
    try:
        data = json.loads(iso.read(_MANIFEST, _MANIFEST_LIMIT))
    except ValueError:
        data = None
    if not isinstance(data, dict) or not isinstance(data.get("packages"), dict):
        raise iso.wrong(f"{_MANIFEST} in it is no manifest")
    return data


def version_of(iso: Iso) -> str:
    """The version of zeroth on it."""
    return str(manifest(iso).get("version", "unknown"))


def sums(iso: Iso) -> dict[str, str]:
    """The digests that the medium carries, by the path of the file.

    :raises UserError: when they are missing or malformed.
    """
    found = {}
    for number, line in enumerate(iso.read(_SUMS, _SUMS_LIMIT).decode("utf-8", "replace").splitlines(), 1):
        digest, _, name = line.partition("  ")
        path = posixpath.normpath(posixpath.join(_FOLDER, name))
        if len(digest) != 64 or not name or path.startswith(("/", "..")):
            raise iso.wrong(f"line {number} of {_SUMS} in it is no checksum")
        found[path] = digest
    if not found:
        raise iso.wrong(f"{_SUMS} in it is empty")
    return found


def reserved(iso: Iso) -> bool:
    """Whether the image has room for what is to be embedded."""
    file = iso.files.get(AREA)
    script = iso.files.get(ARGUMENTS_FILE)
    return (
        file is not None
        and script is not None
        and script.size == ARGUMENTS_SIZE
        and len(file.extents) == len(script.extents) == 1
    )


def embedded(iso: Iso) -> Embedded:
    """What is embedded in an image; nothing when it has no room for anything.

    :raises UserError: when it is damaged.
    """
    if not reserved(iso):
        return Embedded()
    return read_area(iso.read(AREA, _AREA_LIMIT), f"{iso.path}: {AREA}")


def patches(iso: Iso, content: Embedded) -> dict[int, bytes]:
    """What has to stand where in the image, by offset, for ``content`` to be embedded in it.

    :raises UserError: when the image has no room for it, or its arguments are signed.
    """
    if not reserved(iso):
        raise iso.wrong(
            "this ISO image has no room for what is to be embedded", "Build it with this version of zeroth, or newer."
        )
    if content.arguments and f"{_FOLDER}/{PROGRAM}" in iso.files:
        # They would count with Secure Boot off alone, and nobody would see why.
        raise iso.wrong(
            "kernel arguments of a medium for Secure Boot are inside its signed menu",
            "Build it again with these words under boot.medium in zeroth-image.yaml.",
        )
    area, script = iso.files[AREA], iso.files[ARGUMENTS_FILE]
    return {
        area.extents[0][0]: write_area(content, area.size),
        script.extents[0][0]: arguments_script(content.arguments),
    }


def file_digests(iso: Iso, progress: Progress) -> dict[str, str]:
    """The SHA-256 of every file, in hexadecimal.

    :raises UserError: when the image is cut short.
    """
    return {name: _digest(iso.chunks(name), progress) for name in iso.files}


def image_digests(iso: Iso, progress: Progress) -> Digests:
    """The digests of the whole image.

    :raises UserError: when it cannot be read.
    """
    actual, clean = hashlib.sha256(), hashlib.sha256()
    clean_parts = patches(iso, Embedded()) if reserved(iso) else {}
    try:
        with iso.path.open("rb") as image:
            at = 0
            while chunk := image.read(CHUNK):
                actual.update(chunk)
                clean.update(_patched(chunk, at, clean_parts))
                at += len(chunk)
                progress(len(chunk))
    except OSError as error:
        raise iso.wrong(f"it cannot be read: {error.strerror}") from None
    return Digests(actual.hexdigest(), clean.hexdigest())


def _patched(chunk: bytes, at: int, parts: Mapping[int, bytes]) -> bytes:
    """A piece of the image as it is with some parts replaced; both are given by their offset in it."""
    end = at + len(chunk)
    for start, data in parts.items():
        first, last = max(start, at), min(start + len(data), end)
        if first < last:
            chunk = chunk[: first - at] + data[first - start : last - start] + chunk[last - at :]
    return chunk


def _digest(chunks: Iterator[bytes], progress: Progress) -> str:
    found = hashlib.sha256()
    for chunk in chunks:
        found.update(chunk)
        progress(len(chunk))
    return found.hexdigest()

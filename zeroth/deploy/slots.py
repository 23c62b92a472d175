"""Writing a root image into a slot.

A slot partition holds the image as it is, from its first byte. The source is a small protocol, so that an image with a
hash tree behind it is another source and nothing else.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from zeroth.errors import ExitCode, UserError
from zeroth.progress import Step
from zeroth.system.block import device_size, flush
from zeroth.system.size import MIB, Size

__all__ = ["FileImage", "RootImage", "write_slot"]

_CHUNK = 4 * MIB
# Often enough that progress tells the truth and dirty pages do not fill the memory of a small machine.
_FLUSH_EVERY = 64 * MIB


class RootImage(Protocol):
    """What goes into a slot: a number of bytes with a known SHA-256."""

    @property
    def size(self) -> int:
        """Bytes in all."""

    @property
    def sha256(self) -> str:
        """Of all bytes, hexadecimal."""

    def chunks(self) -> Iterator[bytes]:
        """The bytes, in order."""


@dataclass(frozen=True)
class FileImage:
    """A root image that is a file."""

    path: Path
    size: int
    sha256: str

    def chunks(self) -> Iterator[bytes]:
        """The file's content."""
        with self.path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk


def write_slot(image: RootImage, device: Path, step: Step) -> None:
    """Write an image to a slot's device and compare what the device then holds.

    :raises UserError: when it does not fit, when the source is not what it should be, or when the device reads back
        something else.
    """
    room = device_size(device)
    if image.size > room:
        message = f"the image ({Size(image.size).approx()}) does not fit into {device} ({Size(room)})"
        raise UserError(message, "Take a larger disk.", code=ExitCode.MACHINE)
    with step.step("Write") as writing:
        found = _write(image, device, writing)
    if found != image.sha256:
        message = f"the image changed while it was written: SHA-256 {found}, should be {image.sha256}"
        raise UserError(message, "Is the medium or the memory of this machine faulty?", code=ExitCode.MACHINE)
    flush(device)
    with step.step("Read back") as reading:
        found = _read_back(device, image.size, reading)
    if found != image.sha256:
        message = f"{device} reads back with SHA-256 {found}, should be {image.sha256}"
        hint = "The disk does not keep what is written to it; replace it."
        raise UserError(message, hint, code=ExitCode.MACHINE)


def _write(image: RootImage, device: Path, step: Step) -> str:
    digest = hashlib.sha256()
    done = 0
    handle = os.open(device, os.O_WRONLY)
    try:
        for chunk in image.chunks():
            digest.update(chunk)
            view = memoryview(chunk)
            while view:
                view = view[os.write(handle, view) :]
            before, done = done, done + len(chunk)
            if done // _FLUSH_EVERY > before // _FLUSH_EVERY:
                os.fdatasync(handle)
            step.update(done, of=image.size)
        os.fsync(handle)
    finally:
        os.close(handle)
    return digest.hexdigest()


def _read_back(device: Path, size: int, step: Step) -> str:
    digest = hashlib.sha256()
    left = size
    with device.open("rb", buffering=0) as file:
        while left:
            chunk = file.read(min(_CHUNK, left))
            if not chunk:
                break
            digest.update(chunk)
            left -= len(chunk)
            step.update(size - left, of=size)
    return digest.hexdigest()

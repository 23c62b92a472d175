"""Reading a whole root image through its verification, to find what has gone bad before somebody needs it."""

from __future__ import annotations

import errno
import mmap
import os
from dataclasses import dataclass
from pathlib import Path

from zeroth.progress import Step
from zeroth.system.size import MIB

__all__ = ["BLOCK", "Scrubbed", "scrub"]

BLOCK = 4096
"""Bytes that one hash vouches for."""
_CHUNK = int(MIB)


@dataclass(frozen=True)
class Scrubbed:
    """What was found.

    :ivar size: bytes that were read.
    :ivar bad: where blocks begin that do not fit their hashes or cannot be read, in bytes.
    """

    size: int
    bad: tuple[int, ...]


def scrub(device: Path, step: Step) -> Scrubbed:
    """Read every block of a device. An error in one does not keep the others from being read.

    Reading goes around the page cache where the device allows it: what is in memory says nothing of the disk, and a
    host's memory is for its guests.

    :raises OSError: when the device cannot be opened.
    """
    handle = _open(device)
    bad: list[int] = []
    try:
        size = os.lseek(handle, 0, os.SEEK_END)
        # Page-aligned memory, as direct reading wants.
        with mmap.mmap(-1, _CHUNK) as buffer:
            for start in range(0, size, _CHUNK):
                length = min(_CHUNK, size - start)
                if not _readable(handle, buffer, start, length):
                    blocks = range(start, start + length, BLOCK)
                    bad += [at for at in blocks if not _readable(handle, buffer, at, min(BLOCK, size - at))]
                step.update(start + length, of=size)
    finally:
        os.close(handle)
    return Scrubbed(size, tuple(bad))


def _open(device: Path) -> int:
    try:
        return os.open(device, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECT)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return os.open(device, os.O_RDONLY | os.O_CLOEXEC)


def _readable(handle: int, buffer: mmap.mmap, start: int, length: int) -> bool:
    view = memoryview(buffer)[:length]
    try:
        return os.preadv(handle, [view], start) == length
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return False
    finally:
        view.release()

"""Disks of lab machines: sparse files, overlays, volumes that carry an answer."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from tests.lab.tools import tools
from zeroth.system.run import run
from zeroth.system.size import MIB, Size

__all__ = [
    "ANSWER_LABEL",
    "blank",
    "copy",
    "describe",
    "digest",
    "fat_data",
    "fat_volume",
    "flash",
    "holds",
    "overlay",
    "raw",
]

ANSWER_LABEL = "ZEROTH-CFG"
_FAT_SIZE = Size(8 * MIB)


def blank(path: Path, size: Size) -> Path:
    """An empty raw disk that takes no room."""
    with path.open("wb") as file:
        file.truncate(size)
    return path


def copy(source: Path, target: Path) -> Path:
    """A copy that keeps holes."""
    run(["cp", "--sparse=always", "--reflink=auto", source, target])
    return target


def overlay(base: Path, target: Path, base_format: str) -> Path:
    """A qcow2 disk that holds only what differs from ``base``, which must not change any more.

    It knows its base by a relative name, so that both may be moved together.
    """
    name = os.path.relpath(base.resolve(), target.parent.resolve())
    tools().run("qemu-img", "create", "-q", "-f", "qcow2", "-F", base_format, "-b", name, target)
    return target


def raw(source: Path, target: Path) -> Path:
    """What an overlay and its bases show, as a raw disk."""
    tools().run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", source, target)
    return target


def flash(target: Path) -> Path:
    """OVMF's empty variables as a qcow2 file."""
    tools().run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", tools().variables, target)
    return target


def fat_volume(path: Path, label: str, files: Mapping[str, str | bytes]) -> Path:
    """A FAT file system, without a partition table, labelled and holding ``files`` (name to content)."""
    blank(path, _FAT_SIZE)
    # Without a fixed serial number equal answers would make unequal volumes.
    tools().run("mformat", "-i", path, "-v", label, "-N", "5e704d00", "-F", "-c", "1", "::")
    for name, content in files.items():
        source = path.with_suffix(f".{name}")
        source.write_bytes(content.encode() if isinstance(content, str) else content)
        os.utime(source, (0, 0))
        tools().run("mcopy", "-m", "-i", path, source, f"::{name}")
        source.unlink()
    return path


def fat_data(path: Path, name: str, content: bytes) -> None:
    """Make a whole disk a FAT file system that holds one file: somebody's data.

    :param name: with the folders that it is in.
    """
    sectors = path.stat().st_size // 512
    tools().run("mformat", "-i", path, "-v", "DATA", "-F", "-h", "255", "-s", "63", "-T", str(sectors), "::")
    source = path.with_suffix(".data")
    source.write_bytes(content)
    for folder in reversed(PurePosixPath(name).parents[:-1]):
        tools().run("mmd", "-i", path, f"::{folder}")
    tools().run("mcopy", "-i", path, source, f"::{name}")
    source.unlink()


def digest(path: Path) -> str:
    """The SHA-256 of what a raw disk holds and where, in hexadecimal.

    Holes are skipped, so that a mostly empty disk takes no time; a write of zeros into one counts as a change too.
    """
    found = hashlib.sha256()
    begun = None
    with path.open("rb") as file:
        for at, size, chunk in _pieces(file):
            if begun != at:
                found.update(b"%d+%d:" % (at, size))
            begun = at + len(chunk)
            found.update(chunk)
        found.update(b"%d" % os.fstat(file.fileno()).st_size)
    return found.hexdigest()


def holds(path: Path, words: bytes) -> bool:
    """Whether these bytes stand anywhere on a raw disk."""
    before, end = b"", 0
    with path.open("rb") as file:
        for at, _, chunk in _pieces(file):
            text = (before if at == end else b"") + chunk
            if words in text:
                return True
            before, end = text[1 - len(words) :], at + len(chunk)
    return False


def _pieces(file: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    """Where, of how much in one piece, and what: all of a sparse file but its holes."""
    size, at = os.fstat(file.fileno()).st_size, 0
    while at < size:
        try:
            start = os.lseek(file.fileno(), at, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            break
        at = os.lseek(file.fileno(), start, os.SEEK_HOLE)
        file.seek(start)
        while chunk := file.read(min(at - start, 1 << 20)):
            yield start, at - start, chunk
            start += len(chunk)


def describe(path: Path, base_format: str) -> str:
    """One line about a disk for the record of a failed scenario."""
    if not path.exists():
        return f"{path}: missing"
    held = Size(path.stat().st_blocks * 512).approx()
    return f"{path}: {base_format}, {Size(path.stat().st_size).approx()} long, holds {held}"

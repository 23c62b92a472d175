"""Power cuts: what a disk held at a moment, from QEMU's log of every write to it.

Killing QEMU keeps every write the guest made, flushed or not, so it proves nothing about power cuts. QEMU's block
driver ``blklogwrites`` records writes and flushes in the format of the kernel's dm-log-writes. Replaying the log up to
a flush gives what a disk with a volatile cache is bound to hold at that moment; :func:`replay` can add any of the
writes that were under way, which such a disk may or may not have kept.

Format: Linux drivers/md/dm-log-writes.c and QEMU block/blklogwrites.c. Little endian; a super block, then entries,
each padded to the log's sector size and followed by its data, unless it is a discard.
"""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path
from typing import BinaryIO

__all__ = ["Entry", "Flag", "WriteLog", "boundaries", "points", "replay", "walk"]

MAGIC = 0x6A736677736872
VERSION = 1
SUPER = struct.Struct("<QQQL")
"""Magic, version, number of entries, sector size."""
ENTRY = struct.Struct("<QQQQ")
"""First sector, number of sectors, flags, length of the data (of marks only)."""
_COPY = 1 << 20


class Flag(IntFlag):
    """What an entry is besides a write."""

    FLUSH = 1
    FUA = 2
    DISCARD = 4
    MARK = 8


@dataclass(frozen=True)
class Entry:
    """One request.

    :ivar offset: where on the disk, bytes.
    :ivar length: how much of the disk, bytes.
    :ivar data_at: where its data begins in the log, bytes.
    """

    number: int
    flags: Flag
    offset: int
    length: int
    data_at: int

    @property
    def is_flush(self) -> bool:
        """Whether all earlier completed writes are durable after it."""
        return Flag.FLUSH in self.flags

    @property
    def has_data(self) -> bool:
        """Whether it wrote something."""
        return self.length > 0 and not self.flags & (Flag.DISCARD | Flag.MARK)


class WriteLog:
    """A log of writes.

    :raises ValueError: when the file is not one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            head = file.read(SUPER.size)
        if len(head) < SUPER.size:
            raise ValueError(f"{path} is too short for a log of writes")
        magic, version, self.count, self.sector = SUPER.unpack(head)
        if magic != MAGIC:
            raise ValueError(f"{path} is no log of writes (magic {magic:#x})")
        if version != VERSION:
            raise ValueError(f"{path} is a log of writes of version {version}, not {VERSION}")
        if self.sector < 512 or self.sector & (self.sector - 1):
            raise ValueError(f"{path} has sectors of {self.sector} bytes")

    def entries(self) -> Iterator[Entry]:
        """Every entry, in order. A log cut off in the middle of an entry ends before it."""
        size = self.path.stat().st_size
        at = self.sector
        with self.path.open("rb") as file:
            for number in range(self.count):
                file.seek(at)
                head = file.read(ENTRY.size)
                if len(head) < ENTRY.size:
                    return
                sector, sectors, raw_flags, data_len = ENTRY.unpack(head)
                flags = Flag(raw_flags)
                data_at = at + self.sector
                length = data_len if Flag.MARK in flags else sectors * self.sector
                entry = Entry(number, flags, sector * self.sector, length, data_at)
                stored = 0 if Flag.DISCARD in flags else -(-length // self.sector) * self.sector
                if data_at + stored > size:
                    return
                yield entry
                at = data_at + stored


def boundaries(log: WriteLog) -> list[int]:
    """Numbers of the flushes before which something was written since the flush before."""
    found, dirty = [], False
    for entry in log.entries():
        dirty = dirty or entry.has_data
        if entry.is_flush and dirty:
            found.append(entry.number)
            dirty = False
    return found


def points(log: WriteLog, count: int, *, first: int = 0) -> list[int]:
    """``count`` flush boundaries spread evenly over the log, neither the first nor the last where there are enough.

    :param first: leave out the entries before this one.

    :raises ValueError: when the log has fewer boundaries than that.
    """
    found = [number for number in boundaries(log) if number >= first]
    if len(found) < count:
        raise ValueError(f"{log.path} has {len(found)} flushes after writes, {count} are wanted")
    if len(found) < count + 2:
        return found[:count]
    return [found[round((index + 1) * (len(found) - 1) / (count + 1))] for index in range(count)]


def replay(log: WriteLog, target: Path, until: int, *, stray: random.Random | None = None) -> int:
    """Write onto ``target`` (a raw disk as it was before the log began) what it held at the flush ``until``.

    :param stray: when given, each write between that flush and the next is applied or lost by a throw of this coin.
    :returns: how many writes were applied.

    A discard leaves the old content: a disk may do that, and it is the harder case for its reader.
    """
    applied = 0
    handle = os.open(target, os.O_WRONLY)
    try:
        with log.path.open("rb") as source:
            for entry in log.entries():
                if entry.number > until:
                    if stray is None or entry.is_flush:
                        break
                    if stray.random() < 0.5:
                        continue
                if entry.has_data:
                    _copy(source, entry, handle)
                    applied += 1
    finally:
        os.close(handle)
    return applied


def walk(log: WriteLog, target: Path) -> Iterator[Entry]:
    """Write onto ``target`` what it held at one flush after the other: those of :func:`boundaries`, in turn.

    The disk may be looked at meanwhile; whatever is written to it by others has to be taken back.
    """
    stops = set(boundaries(log))
    with log.path.open("rb") as source, target.open("r+b", buffering=0) as disk:
        for entry in log.entries():
            if entry.has_data:
                _copy(source, entry, disk.fileno())
            if entry.number in stops:
                yield entry


def _copy(source: BinaryIO, entry: Entry, handle: int) -> None:
    source.seek(entry.data_at)
    done = 0
    while done < entry.length:
        chunk = source.read(min(_COPY, entry.length - done))
        os.pwrite(handle, chunk, entry.offset + done)
        done += len(chunk)

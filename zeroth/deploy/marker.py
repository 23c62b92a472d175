"""The mark that an installation in progress leaves on its disk: the head of the journal.

It is the first thing that is written to a disk and the last that is removed. It lies at a fixed place that every
partition table of ours leaves alone (the last 4 KiB of the BIOS boot partition, before 2 MiB), and it fits in one
sector, which a disk writes whole or not at all. So a power cut at any moment leaves a disk on which it can be told

- that nothing was begun (no mark),
- that an installation of a certain answer was begun and may begin again (``installing``), or
- that all data is in place and only the boot loaders are missing (``finishing``), which never touches data again.

The mark counts only together with a table that has the disk GUID of its installation, so that it dies when something
else takes the disk.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from pydantic import ValidationError

from zeroth.system.facts import MarkerFacts
from zeroth.system.size import MIB

__all__ = ["MARKER_OFFSET", "MARKER_SIZE", "clear_marker", "parse_marker", "read_marker", "write_marker"]

MARKER_SIZE = 4096
MARKER_OFFSET = 2 * MIB - MARKER_SIZE
_MAGIC = "zeroth-install"
_SECTOR = 512


def parse_marker(block: bytes) -> MarkerFacts | None:
    """The mark in a block read from :data:`MARKER_OFFSET`; None when there is none."""
    text = block[:_SECTOR].rstrip(b"\0")
    if not text.startswith(b"{"):
        return None
    try:
        data = json.loads(text)
        if not isinstance(data, dict) or data.pop("magic", None) != _MAGIC:
            return None
        return MarkerFacts.model_validate(data)
    except (ValueError, ValidationError, RecursionError):
        return None


def read_marker(disk: Path) -> MarkerFacts | None:
    """The mark on a disk; None when there is none.

    :raises OSError: when the disk cannot be read.
    """
    with disk.open("rb", buffering=0) as file:
        file.seek(MARKER_OFFSET)
        return parse_marker(file.read(MARKER_SIZE) or b"")


def write_marker(disk: Path, marker: MarkerFacts) -> None:
    """Put the mark on a disk, durably.

    :raises OSError: when the disk cannot be written.
    """
    text = json.dumps({"magic": _MAGIC, **marker.model_dump(mode="json")}).encode()
    assert len(text) <= _SECTOR
    _write(disk, text.ljust(MARKER_SIZE, b"\0"))


def clear_marker(disk: Path) -> None:
    """Remove the mark, durably: the installation is finished.

    :raises OSError: when the disk cannot be written.
    """
    _write(disk, bytes(MARKER_SIZE))


def _write(disk: Path, block: bytes) -> None:
    handle = os.open(disk, os.O_WRONLY)
    try:
        os.pwrite(handle, block, MARKER_OFFSET)
        os.fsync(handle)
    finally:
        os.close(handle)

"""Parts of the medium, and damaged ones."""

from __future__ import annotations

import os
from pathlib import Path

from tests.lab import disks
from tests.lab.paths import ISO
from tests.lab.tools import tools
from zeroth.cli import cli, run_command

__all__ = ["damaged", "embedded", "extract"]


def extract(path: str, folder: Path) -> Path:
    """A copy of a file of the medium, in ``folder``, under its own name.

    :param path: on the medium: ``/zeroth/vmlinuz``.
    """
    target = folder / Path(path).name
    tools().run("xorriso", "-osirrox", "on", "-indev", ISO, "-extract", path, target)
    target.chmod(0o644)
    return target


def embedded(target: Path, *options: str | Path) -> Path:
    """A copy of the medium made by ``zeroth iso embed`` with these options."""
    words = ["iso", "embed", str(ISO), *map(str, options), "-o", str(target)]
    code = run_command(cli, "zeroth", words)
    if code:
        raise AssertionError(f"zeroth {' '.join(words)} ended with {code}")
    return target


def damaged(name: str, target: Path) -> Path:
    """A copy of the medium in which one byte in the middle of ``/zeroth/NAME`` is another."""
    listing = tools().run("xorriso", "-indev", ISO, "-find", f"/zeroth/{name}", "-exec", "report_lba", "--").stdout
    # File data lba:  0 ,  36 ,  180000 ,  368000000 , '/zeroth/root.squashfs'
    row = next(line for line in listing.splitlines() if line.startswith("File data lba:"))
    _, start, blocks, _, _ = (word.strip() for word in row.split(":", 1)[1].split(","))
    place = (int(start) + int(blocks) // 2) * 2048
    disks.copy(ISO, target)
    handle = os.open(target, os.O_RDWR)
    try:
        byte = os.pread(handle, 1, place)
        os.pwrite(handle, bytes([byte[0] ^ 0x55]), place)
    finally:
        os.close(handle)
    return target

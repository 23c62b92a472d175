"""Partitions of a lab disk as devices of this machine, and what is done to them from outside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.install import Target
from zeroth.deploy.esp import Esp
from zeroth.deploy.layout import Part, make_layout
from zeroth.system.run import run

__all__ = ["copy_from", "copy_inside", "flip", "opened"]


@contextmanager
def opened(target: Target, part: Part) -> Iterator[Path]:
    """One of the disk's partitions as a device of this machine; the disk is raw, and its machine off."""
    path = target.disk.path
    place = make_layout(path.stat().st_size, 512)[part]
    words = ["--offset", str(place.start), "--sizelimit", str(place.size)]
    device = run(["losetup", "--find", "--show", *words, path]).stdout.strip()
    try:
        yield Path(device)
    finally:
        run(["losetup", "--detach", device])


def flip(device: Path, place: int) -> None:
    """Make one bit another."""
    with device.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1]))


def copy_from(esp: Esp, source: str, copy: Path) -> Path:
    """Copy a file out of an ESP."""
    run(["mcopy", "-n", "-o", "-i", esp.device, f"::{source}", copy], env={"MTOOLS_SKIP_CHECK": "1"})
    return copy


def copy_inside(esp: Esp, source: str, target: str, work: Path) -> None:
    """Copy a file from one place of an ESP to another."""
    esp.put(copy_from(esp, source, work / "copied"), target, esp.sha256(source))

"""Block devices: names of partitions, locking, flushing, mounting."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zeroth.errors import ExitCode, UserError
from zeroth.system.run import run

__all__ = ["MAPPER", "device_size", "exclusive", "flush", "is_map", "mounted", "partition_path",
           "wait_for_partition"]  # fmt: skip

MAPPER = Path("/dev/mapper")
"""Where device mapper's devices have their names."""
_POLL = 0.1


def is_map(disk: Path) -> bool:
    """Whether a disk is device mapper's (one over several paths): its partitions are not the kernel's own."""
    return disk.parent == MAPPER


def partition_path(disk: Path, number: int) -> Path:
    """The kernel's name of a partition: ``/dev/sda3``, ``/dev/nvme0n1p3``; a map's: ``/dev/mapper/x-part3``."""
    if is_map(disk):
        return disk.with_name(f"{disk.name}-part{number}")
    separator = "p" if disk.name[-1:].isdigit() else ""
    return disk.with_name(f"{disk.name}{separator}{number}")


def device_size(device: Path) -> int:
    """Bytes that a block device (or file) holds.

    :raises OSError: when it cannot be opened.
    """
    handle = os.open(device, os.O_RDONLY)
    try:
        return os.lseek(handle, 0, os.SEEK_END)
    finally:
        os.close(handle)


def wait_for_partition(device: Path, size: int, *, seconds: float = 30.0) -> None:
    """Wait until the kernel shows a new partition.

    :param size: the size in bytes that it must have, so that an old partition of the same name is not taken for it.
    :raises UserError: when it does not come.
    """
    end = time.monotonic() + seconds
    while not (device.is_block_device() and device_size(device) == size):
        if time.monotonic() > end:
            raise UserError(
                f"the kernel does not show the new partition {device}",
                "Is something else using the disk? Start the installation again.",
                code=ExitCode.MACHINE,
            )
        time.sleep(_POLL)


@contextmanager
def exclusive(disk: Path, *, seconds: float = 30.0) -> Iterator[None]:
    """Hold the advisory lock that keeps udev from probing and re-reading the disk while it is changed.

    The rules are systemd's "Locking Block Device Access": a BSD lock on the whole disk.

    :raises UserError: when another program holds it.
    """
    handle = os.open(disk, os.O_RDONLY | os.O_CLOEXEC)
    try:
        end = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    message = f"another program keeps {disk} locked"
                    raise UserError(message, "Is a second installer running?", code=ExitCode.MACHINE) from None
                time.sleep(_POLL)
        yield
    finally:
        os.close(handle)


def flush(device: Path) -> None:
    """Make what was written to a device durable, and forget its cache: what is read next is what the device holds."""
    handle = os.open(device, os.O_RDONLY)
    try:
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(handle)


@contextmanager
def mounted(device: Path, where: Path, *, options: str = "nodev,nosuid,noexec") -> Iterator[Path]:
    """Mount an ext4 file system for the time of the block; unmounting makes its content durable.

    :param where: made when it does not exist.
    """
    where.mkdir(parents=True, exist_ok=True)
    run(["mount", "-t", "ext4", "-o", options, device, where])
    try:
        yield where
    finally:
        run(["umount", where])

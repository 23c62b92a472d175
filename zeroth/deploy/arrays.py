"""The md arrays of a host on two disks, and the partition table that both disks get.

Partitions that the disks hold together (:data:`zeroth.deploy.layout.MIRRORED`) are mirrored one by one, so that each
disk has the whole layout and boots alone. docs/decisions/0022-mirror.md says how, and why nothing is copied.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from zeroth.deploy.layout import (
    ARRAY_HEAD,
    MIRRORED,
    InstallId,
    Layout,
    Part,
    SrDisk,
    sfdisk_script,
    sr_disk_script,
)
from zeroth.system.block import flush, is_map, partition_path, wait_for_partition
from zeroth.system.facts import DiskFacts
from zeroth.system.mdraid import array_path, assemble, create_array, stop_array
from zeroth.system.multipath import drop_partitions, map_partitions
from zeroth.system.run import run

__all__ = [
    "DEVICES",
    "array_device",
    "assembled",
    "make_arrays",
    "opened_part",
    "wipe",
    "write_sr_table",
    "write_table",
]

DEVICES = Path("/dev")


def array_device(part: Part, devices: Path = DEVICES) -> Path:
    """The node of the array that mirrors a partition: the array has the partition's number."""
    return array_path(part, devices)


@contextmanager
def make_arrays(disks: Sequence[Path], identity: InstallId, devices: Path = DEVICES) -> Iterator[None]:
    """Make all arrays anew on disks that have their partitions; they run for the time of the block.

    :param disks: two, or one that is to get its second later.
    :raises CommandFailed: when mdadm or the kernel refuses.
    """
    with ExitStack() as running:
        for part in MIRRORED:
            members = [partition_path(disk, part) for disk in disks]
            device = array_device(part, devices)
            create_array(device, identity.array_uuid(part), part.label, members, head=ARRAY_HEAD)
            running.callback(stop_array, device)
        yield


@contextmanager
def assembled(
    disks: Sequence[Path],
    identity: InstallId,
    parts: Sequence[Part],
    devices: Path = DEVICES,
    *,
    read_only: bool = False,
) -> Iterator[None]:
    """Start arrays that are on these disks, for the time of the block.

    :param read_only: nothing is written to the disks, not even that an array was started.
    :raises CommandFailed: when one of them is not there.
    """
    with ExitStack() as running:
        for part in parts:
            device = array_device(part, devices)
            members = [partition_path(disk, part) for disk in disks]
            assemble(device, identity.array_uuid(part), members, read_only=read_only)
            running.callback(stop_array, device)
        yield


@contextmanager
def opened_part(disks: Sequence[Path], identity: InstallId, part: Part, devices: Path = DEVICES) -> Iterator[Path]:
    """The device of a part of an installation that does not run, for the time of the block.

    :raises CommandFailed: when its array is not there.
    """
    if not identity.mirror or part not in MIRRORED:
        yield partition_path(disks[0], part)
        return
    with assembled(disks, identity, (part,), devices):
        yield array_device(part, devices)


def wipe(disk: DiskFacts, keep: Part | None = None) -> None:
    """Remove what is recognised on a disk and its partitions.

    :param keep: a partition that stays; then the table, which says where it is, stays as well.
    """
    for part in reversed(disk.partitions):
        if Path(part.path).is_block_device() and part.number != keep:
            run(["wipefs", "--all", part.path])
            flush(Path(part.path))
    if is_map(Path(disk.path)):
        # They would keep the map busy; the kernel's own partitions do not.
        drop_partitions(Path(disk.path))
    if keep is None:
        run(["wipefs", "--all", disk.path])
        flush(Path(disk.path))


def write_table(disk: Path, layout: Layout, identity: InstallId, leg: int) -> None:
    """Write a disk's partition table, and wait until the kernel shows its partitions.

    In a partition that is kept nothing is written.

    :raises UserError: when it does not.
    """
    keeps = any(partition.uuid for partition in layout.partitions)
    _write_table(disk, sfdisk_script(layout, identity, leg), wiping=not keeps)
    for partition in layout.partitions:
        device = partition_path(disk, partition.part)
        wait_for_partition(device, partition.size)
        if keeps and not partition.uuid:
            # What sfdisk does by itself for new partitions, but for the one that is kept.
            run(["wipefs", "--all", device])
            flush(device)


def write_sr_table(disk: Path, place: SrDisk, identity: InstallId, number: int) -> None:
    """The same for a further disk of the local storage repository, counted from 1.

    :raises UserError: when the kernel does not show its partition.
    """
    _write_table(disk, sr_disk_script(place, identity, number), wiping=True)
    wait_for_partition(partition_path(disk, 1), place.size)


def _write_table(disk: Path, script: str, *, wiping: bool) -> None:
    when = "always" if wiping else "never"
    words: list[str | Path] = ["sfdisk", "--quiet", "--wipe", when, "--wipe-partitions", when]
    if is_map(disk):
        # The kernel itself makes no partitions of a map.
        drop_partitions(disk)
        words += ["--no-reread", "--no-tell-kernel"]
    run([*words, disk], input=script)
    flush(disk)
    if is_map(disk):
        map_partitions(disk)

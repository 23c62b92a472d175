"""Disks that are seen over several paths, through multipath-tools: the only place that knows of it.

Above the paths device mapper has one map, named by the disk's WWID, and above the map kpartx has its partitions:
``/dev/mapper/WWID``, ``/dev/mapper/WWID-part5``. Nothing is joined but what was named in a list that is empty at each
start (multipath.conf(5), ``find_multipaths strict``), so disks of guests stay as they are.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from zeroth.errors import ExitCode, UserError
from zeroth.system.block import MAPPER, flush, is_map, partition_path
from zeroth.system.run import run

__all__ = ["NAMED", "Joined", "RunningMap", "SeenDisk", "drop_partitions", "is_joined", "is_wwid", "join",
           "map_partitions", "map_path", "on_a_path", "open_map", "running_maps", "wwid_of"]  # fmt: skip

NAMED = Path("/run/zeroth/multipath/wwids")
"""Which disks are joined; ``/etc/multipath`` is a link to its folder, which the initrd makes."""

_SYS = Path("/sys/class/block")
_MAP, _PARTITION = "mpath-", re.compile(r"part[0-9]+-mpath-")
# What scsi_id makes of page 0x83 where a disk has an identity that is unique in the world: 3 and an NAA of 8 or 16
# bytes, 2 and an EUI-64 of 8 to 16. Anything else is a vendor's text, which cheap disks share.
_WWID = re.compile(r"3([0-9a-f]{16}|[0-9a-f]{32})|2([0-9a-f]{16}|[0-9a-f]{24}|[0-9a-f]{32})")
_FORGET = 0x1261  # BLKFLSBUF, linux/fs.h
_TIMEOUT = 120.0
_PATIENCE, _POLL = 15.0, 0.2


@dataclass(frozen=True)
class SeenDisk:
    """One disk as the kernel has it: a disk, or one path of several to one.

    :ivar name: the kernel's: ``sda``.
    :ivar size: bytes.
    :ivar wwid: as of :func:`wwid_of`.
    :ivar serial: its serial number: careless copies of virtual disks have one WWID.
    """

    name: str
    size: int
    wwid: str = ""
    serial: str = ""


@dataclass(frozen=True)
class RunningMap:
    """A map that runs.

    :ivar folder: its directory in sysfs.
    :ivar paths: the kernel's names of the paths that it has.
    """

    wwid: str
    folder: Path
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Joined:
    """What belongs together.

    :ivar wwid: empty for a disk with one path and no map, which is a disk like any other.
    """

    members: tuple[SeenDisk, ...]
    wwid: str = ""
    running: RunningMap | None = None


class _Disk(Protocol):
    """A disk; see :class:`zeroth.system.facts.DiskFacts`."""

    @property
    def path(self) -> str:
        """The node that it is used by."""

    @property
    def wwid(self) -> str:
        """Of a disk over several paths."""

    @property
    def paths(self) -> Sequence[str]:
        """Their nodes."""


def wwid_of(name: str, udev: Mapping[str, str]) -> str:
    """By what multipath knows a disk (udev's ID_SERIAL); empty for one that is never joined.

    Only SCSI disks that have an identity of their own are: NVMe's paths the kernel joins itself, and a serial number
    alone is none.

    :param udev: its properties.
    """
    serial = udev.get("ID_SERIAL", "")
    scsi = name.startswith("sd") and udev.get("ID_BUS") == "scsi"
    return serial if scsi and is_wwid(serial) else ""


def is_wwid(text: str) -> bool:
    """Whether this is a WWID that disks are joined by."""
    return _WWID.fullmatch(text) is not None


def join(disks: Sequence[SeenDisk], maps: Iterable[RunningMap] = ()) -> tuple[Joined, ...]:
    """Two or more with the same WWID, serial number and size are one disk, as is whatever a map has; no others are.

    :returns: each disk in one of them, in the order of their first.
    """
    by_wwid = {one.wwid: one for one in maps}
    used = {path: one for one in by_wwid.values() for path in one.paths}
    groups: dict[tuple[str, str, int] | str, list[SeenDisk]] = {}
    for disk in disks:
        running = used.get(disk.name) or by_wwid.get(disk.wwid)
        same = (disk.wwid, disk.serial, disk.size) if disk.wwid else f"/{disk.name}"
        groups.setdefault(running.wwid if running else same, []).append(disk)
    found = []
    for key, members in groups.items():
        running = by_wwid.get(key) if isinstance(key, str) else None
        wwid = running.wwid if running else members[0].wwid if len(members) > 1 else ""
        found.append(Joined(tuple(members), wwid, running))
    return tuple(found)


def running_maps(sys: Path = _SYS) -> tuple[RunningMap, ...]:
    """The maps that device mapper has now."""
    found = []
    for folder in sorted(sys.glob("dm-*")):
        uuid = _text(folder / "dm/uuid")
        if uuid.startswith(_MAP):
            paths = tuple(sorted(path.name for path in folder.glob("slaves/*")))
            found.append(RunningMap(uuid.removeprefix(_MAP), folder, paths))
    return tuple(found)


def is_joined(folder: Path) -> bool:
    """Whether a device is a map or a partition of one: no use of the disk, but the disk itself.

    :param folder: its directory in sysfs.
    """
    uuid = _text(folder / "dm/uuid")
    return uuid.startswith(_MAP) or _PARTITION.match(uuid) is not None


def map_path(wwid: str) -> Path:
    """The node of a disk's map."""
    return MAPPER / wwid


def open_map(disk: _Disk, numbers: Sequence[int] = (), named: Path | None = None) -> None:
    """Make the map of a disk and its partitions, where they are not there; nothing for a disk with one path.

    Nothing is written to the disk.

    :param numbers: of the partitions that it has.
    :param named: which disks are joined; :data:`NAMED` without.
    :raises UserError: when the map does not come.
    """
    if not disk.paths:
        return
    node = Path(disk.path)
    if not node.is_block_device():
        _name(disk.wwid, named or NAMED)
        run(["modprobe", "--quiet", "dm-multipath"], ok=(0, 1))
        said = run(["multipath", "-v1"], ok=(0, 1), timeout=_TIMEOUT)
        run(["udevadm", "settle", "--timeout=30"], ok=(0, 1))
        if not node.is_block_device():
            why = (said.stderr or said.stdout).strip().splitlines()[-1:]
            raise UserError(
                f"{', '.join(disk.paths)} cannot be joined to one disk" + "".join(f": {line}" for line in why),
                "Is one of them in use? `multipath -v3` tells more.", code=ExitCode.MACHINE,
            )  # fmt: skip
    if not all(partition_path(node, number).is_block_device() for number in numbers):
        map_partitions(node)


def _name(wwid: str, named: Path) -> None:
    """Add a disk to those that are joined."""
    line = f"/{wwid}/\n"
    named.parent.mkdir(parents=True, exist_ok=True)
    with named.open("a+", encoding="ascii") as file:
        file.seek(0)
        if line not in file.readlines():
            file.write(line)


def map_partitions(disk: Path) -> None:
    """Have kpartx make the partitions of a map, as its table says; they are there when this returns.

    :raises CommandFailed: when kpartx or the kernel refuses.
    """
    run(["kpartx", "-a", "-s", "-p", "-part", disk], timeout=_TIMEOUT)


def drop_partitions(disk: Path) -> None:
    """Remove the partitions of a map; what is on the disk stays.

    :raises UserError: while one is in use.
    """
    end = time.monotonic() + _PATIENCE
    while True:
        # udev looks into each that was written to, for a moment, and is in the way.
        said = run(["kpartx", "-d", "-s", "-p", "-part", disk], ok=(0, 1), timeout=_TIMEOUT)
        left = sorted(path.name for path in disk.parent.glob(f"{disk.name}-part*"))
        if not left:
            return
        if time.monotonic() > end:
            raise UserError(f"{', '.join(left)} cannot be removed: {said.stderr.strip() or 'in use'}",
                            "Is something else using the disk?", code=ExitCode.MACHINE)  # fmt: skip
        time.sleep(_POLL)


def on_a_path(disk: _Disk, do: Callable[[Path], None]) -> None:
    """Have a program that knows no maps work on a disk: on the first path that takes it.

    Path and map each have a cache of their own: before and after, both forget theirs.

    :param do: gets the node of a path; of a disk with one path the disk's.
    :raises UserError: what it raised on the last path.
    """
    node = Path(disk.path)
    if not is_map(node):
        do(node)
        return
    last: UserError | OSError | None = None
    for path in map(Path, disk.paths):
        try:
            for device in (node, path):
                _forget(device)
            do(path)
            for device in (path, node):
                _forget(device)
        except (UserError, OSError) as error:
            # A standby path of an array, or one that was lost meanwhile.
            last = error
        else:
            return
    if isinstance(last, UserError):
        raise last
    raise UserError(f"no path to {disk.path} works: {last or 'it has none'}", code=ExitCode.MACHINE)


def _forget(device: Path) -> None:
    flush(device)
    handle = os.open(device, os.O_RDONLY)
    try:
        fcntl.ioctl(handle, _FORGET)
    finally:
        os.close(handle)


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""

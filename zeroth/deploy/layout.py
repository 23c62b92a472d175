"""The partitions of a zeroth disk: pure arithmetic, from a disk's size to byte ranges.

One layout for BIOS and UEFI, for 512 and 4096 byte sectors. Everything starts on a MiB. Between 16 and 24 GiB the two
slots, state and log shrink in proportion (docs/reference/disk-layout.md has the formula as users see it); the ESP does
not, and the local storage repository gets what is left, never less than about 3 GiB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final
from uuid import UUID, uuid5

from zeroth.errors import UserError
from zeroth.system.size import GIB, MIB, Size

__all__ = [
    "ARRAY_HEAD",
    "FULL_DISK",
    "MINIMUM_DISK",
    "MINIMUM_SR_DISK",
    "MIRRORED",
    "MOST_SR_DISKS",
    "SR_DISK_START",
    "TYPE_GUIDS",
    "InstallId",
    "Layout",
    "Part",
    "Partition",
    "SrDisk",
    "make_layout",
    "make_layout_before",
    "mirror_size",
    "sfdisk_script",
    "sr_disk_script",
]

MINIMUM_DISK: Final = Size(16 * GIB)
FULL_DISK: Final = Size(24 * GIB)
_SECTOR_SIZES: Final = (512, 4096)


class Part(IntEnum):
    """Partition numbers; also their order on the disk."""

    BIOS = 1
    ESP = 2
    SLOT_A = 3
    SLOT_B = 4
    STATE = 5
    LOG = 6
    SR = 7

    @property
    def label(self) -> str:
        """The partition label. For people: nothing is found by it."""
        return _LABELS[self]


_LABELS: Final = {
    Part.BIOS: "zeroth-bios",
    Part.ESP: "zeroth-esp",
    Part.SLOT_A: "zeroth-a",
    Part.SLOT_B: "zeroth-b",
    Part.STATE: "zeroth-state",
    Part.LOG: "zeroth-log",
    Part.SR: "zeroth-sr",
}
# BIOS boot, ESP and Linux LVM are the well-known types (UEFI specification, table 5.7, and the GRUB manual). The
# others are our own on purpose: systemd's automatic discovery and other installers must not take them for theirs.
TYPE_GUIDS: Final = {
    Part.BIOS: UUID("21686148-6449-6e6f-744e-656564454649"),
    Part.ESP: UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b"),
    Part.SLOT_A: UUID("7a65726f-7468-4d61-8001-736c6f740001"),
    Part.SLOT_B: UUID("7a65726f-7468-4d61-8001-736c6f740001"),
    Part.STATE: UUID("7a65726f-7468-4d61-8001-737461746501"),
    Part.LOG: UUID("7a65726f-7468-4d61-8001-6c6f67000001"),
    Part.SR: UUID("e6d6d379-f507-44c2-a23c-238f2a3df928"),
}
# (at 16 GiB, at 24 GiB and up)
_SHRINKING: Final = {
    Part.SLOT_A: (3 * GIB, 4 * GIB),
    Part.SLOT_B: (3 * GIB, 4 * GIB),
    Part.STATE: (4 * GIB, 8 * GIB),
    Part.LOG: (2 * GIB, 4 * GIB),
}
_FIXED: Final = {Part.BIOS: MIB, Part.ESP: GIB}
MIRRORED: Final = (Part.SLOT_A, Part.SLOT_B, Part.STATE, Part.LOG, Part.SR)
"""What two disks hold together, as md arrays; the others are each disk's own."""
ARRAY_HEAD: Final = int(MIB)
"""What md keeps for itself at the start of a mirrored partition, in bytes: its metadata and its bitmap."""
_MOST_LEGS: Final = 64
MOST_SR_DISKS: Final = 64
MINIMUM_SR_DISK: Final = Size(GIB)
"""What a disk of less is, is no disk to keep guests' disks on."""
SR_DISK_START: Final = 2 * MIB
"""Where the partition of a further disk of the local storage repository starts: behind the installer's mark."""


@dataclass(frozen=True)
class Partition:
    """One partition of the layout; ``start`` and ``size`` in bytes, whole MiB but for one that is kept.

    :ivar uuid: the PARTUUID of one that is kept from an earlier installation; empty for one that gets a new one.
    """

    part: Part
    start: int
    size: int
    uuid: str = ""

    @property
    def end(self) -> int:
        """The first byte after it."""
        return self.start + self.size


@dataclass(frozen=True)
class Layout:
    """All partitions of one disk, in order."""

    disk_size: int
    sector_size: int
    partitions: tuple[Partition, ...]

    def __getitem__(self, part: Part) -> Partition:
        return self.partitions[part - 1]


@dataclass(frozen=True)
class SrDisk:
    """A further disk of the local storage repository: one partition, in which its physical volume lies. Bytes."""

    disk_size: int
    sector_size: int

    @property
    def start(self) -> int:
        """The first byte of the partition."""
        return int(SR_DISK_START)

    @property
    def size(self) -> int:
        """Its bytes; the last MiB of the disk is left to the second copy of the table."""
        return int((self.disk_size // MIB - 1) * MIB - SR_DISK_START)


@dataclass(frozen=True)
class InstallId:
    """One installation's identity, from which every GUID on its disks is derived; a fresh random one for each.

    A mirror has legs: the disks that it was installed on are 1 and 2, and one that takes the place of another gets the
    next number, so that no two disks ever have the same GUIDs.

    :ivar mirror: it lies on two disks.
    """

    value: UUID
    mirror: bool = False

    @property
    def disk_guid(self) -> str:
        """The GPT's disk GUID of the first disk."""
        return self.leg_guid(1)

    def leg_guid(self, leg: int) -> str:
        """The GPT's disk GUID of a leg."""
        return str(uuid5(self.value, f"disk{_suffix(leg)}"))

    def leg_of(self, disk_guid: str) -> int:
        """Which leg a disk is; 0 when it is none of this installation."""
        return next((leg for leg in range(1, _MOST_LEGS + 1) if self.leg_guid(leg) == disk_guid), 0)

    def partition_uuid(self, part: Part, leg: int = 1) -> str:
        """A partition's PARTUUID."""
        return str(uuid5(self.value, f"partition-{int(part)}{_suffix(leg)}"))

    def uuid_of(self, partition: Partition, leg: int = 1) -> str:
        """The PARTUUID that a partition of a layout gets, or keeps."""
        return partition.uuid or self.partition_uuid(partition.part, leg)

    def sr_disk_guid(self, number: int) -> str:
        """The GPT's disk GUID of a further disk of the local storage repository, counted from 1."""
        return str(uuid5(self.value, f"sr-disk-{number}"))

    def sr_disk_of(self, disk_guid: str) -> int:
        """Which of the local storage repository's further disks a disk is; 0 when it is none of this installation."""
        return next((one for one in range(1, MOST_SR_DISKS + 1) if self.sr_disk_guid(one) == disk_guid), 0)

    def sr_partition_uuid(self, number: int) -> str:
        """The PARTUUID of the one partition of such a disk."""
        return str(uuid5(self.value, f"sr-partition-{number}"))

    @property
    def sr_uuid(self) -> str:
        """The UUID of the local storage repository, where one is made."""
        return str(uuid5(self.value, "local-sr"))

    def filesystem_uuid(self, part: Part, leg: int = 1) -> str:
        """The UUID of the file system on a partition, or on the array of a mirrored one."""
        return str(uuid5(self.value, f"filesystem-{int(part)}{_suffix(leg)}"))

    def array_uuid(self, part: Part) -> str:
        """The UUID of the md array of a mirrored partition, as mdadm writes it."""
        digits = uuid5(self.value, f"array-{int(part)}").hex
        return ":".join(digits[at : at + 8] for at in range(0, 32, 8))

    def source(self, part: Part) -> str:
        """By what a boot entry names a partition: ``PARTUUID=...``, or ``MD_UUID=...`` of a mirrored one."""
        if self.mirror and part in MIRRORED:
            return f"MD_UUID={self.array_uuid(part)}"
        return f"PARTUUID={self.partition_uuid(part)}"


def _suffix(leg: int) -> str:
    return f"-leg-{leg}" if leg > 1 else ""


def mirror_size(*disk_sizes: int) -> int:
    """The bytes that each disk of a mirror is laid out as if it had: of the smallest, in whole GiB.

    Disks that are sold as equally large differ by some MiB, and one of them has to take the place of another later.
    """
    return min(disk_sizes) // GIB * GIB


def make_layout(disk_size: int, sector_size: int = 512) -> Layout:
    """Lay out a disk of ``disk_size`` bytes with logical sectors of ``sector_size`` bytes.

    :raises UserError: when the disk is below :data:`MINIMUM_DISK`, or has sectors that GPT on Linux does not know.
    """
    if sector_size not in _SECTOR_SIZES:
        raise UserError(
            f"sectors of {sector_size} bytes are not supported", "Use a disk with 512 or 4096 byte sectors."
        )
    if disk_size < MINIMUM_DISK:
        raise UserError(
            f"the disk is too small: {Size(disk_size).approx()}, and {MINIMUM_DISK} are needed",
            "Use a larger disk.",
        )
    partitions = []
    start = int(MIB)
    for part in Part:
        if part is Part.SR:
            # The last MiB is left to the second copy of the table (33 sectors).
            size = (disk_size // MIB - 1) * MIB - start
        else:
            size = _FIXED[part] if part in _FIXED else _shrunk(*_SHRINKING[part], disk_size)
        partitions.append(Partition(part, start, int(size)))
        start += size
    return Layout(disk_size, sector_size, tuple(partitions))


def make_layout_before(disk_size: int, sector_size: int, kept: Partition) -> Layout:
    """Lay out a disk around a local storage repository that stays where it is.

    The system's partitions shrink as on a disk that is so small that they end where the kept one starts. What whole
    MiB leave over, or an earlier layout had more, goes to the log.

    :raises UserError: when there is too little room in front of it.
    """
    regular = make_layout(disk_size, sector_size)
    if regular[Part.SR].start == kept.start:
        front = regular.partitions[:-1]
    else:
        least = make_layout(MINIMUM_DISK, sector_size)[Part.SR].start
        if kept.start < least:
            raise UserError(
                f"the local storage repository starts at {kept.start // MIB} MiB, and this version needs "
                f"{least // MIB} MiB in front of it",
                "Move its content elsewhere and install without keeping it.",
            )
        alike = min(FULL_DISK, MINIMUM_DISK + kept.start - least)
        *others, log = make_layout(alike, sector_size).partitions[:-1]
        front = (*others, Partition(Part.LOG, log.start, kept.start // MIB * MIB - log.start))
    return Layout(disk_size, sector_size, (*front, kept))


def _shrunk(least: int, full: int, disk_size: int) -> int:
    over = min(disk_size, FULL_DISK) - MINIMUM_DISK
    return least + (full - least) * over // (FULL_DISK - MINIMUM_DISK) // MIB * MIB


def sfdisk_script(layout: Layout, identity: InstallId, leg: int = 1) -> str:
    """The layout as a script for sfdisk's standard input."""
    entries = [(p.part, p.start, p.size, identity.uuid_of(p, leg)) for p in layout.partitions]
    return _script(layout.sector_size, identity.leg_guid(leg), entries)


def sr_disk_script(disk: SrDisk, identity: InstallId, number: int) -> str:
    """The same for a further disk of the local storage repository, counted from 1."""
    entry = (Part.SR, disk.start, disk.size, identity.sr_partition_uuid(number))
    return _script(disk.sector_size, identity.sr_disk_guid(number), [entry])


def _script(sector: int, guid: str, entries: Sequence[tuple[Part, int, int, str]]) -> str:
    lines: Sequence[str] = [
        "label: gpt",
        f"label-id: {guid}",
        "unit: sectors",
        f"first-lba: {MIB // sector}",
        "",
        *(
            f"start={start // sector}, size={size // sector}, type={TYPE_GUIDS[part]}, "
            f'uuid={uuid}, name="{part.label}"'
            for part, start, size, uuid in entries
        ),
    ]
    return "\n".join(lines) + "\n"

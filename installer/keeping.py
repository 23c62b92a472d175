"""Whether the local storage repository of an earlier installation can stay on its disk. Pure.

It is the partition 7 of a disk with zeroth's partitions, and a member of an LVM volume group. Where a run that kept it
was cut off, the mark on the disk says where it lies, even when the partition table is gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from zeroth.deploy.layout import TYPE_GUIDS, Part, Partition
from zeroth.errors import UserError
from zeroth.system.facts import DiskFacts, KeptFacts, PartitionFacts, Signature
from zeroth.system.size import Size

__all__ = ["KeptSr", "bare_table", "holds", "kept_sr"]

_HINT = (
    "Leave out disk.keep_sr (kickstart: localsr --keep) to make a new repository, or choose the disk that has one "
    "(disk.select)."
)
_BY_ID = "/dev/disk/by-id/"


@dataclass(frozen=True)
class KeptSr:
    """What stays.

    :ivar group: the volume group; empty where the kernel does not show the partition, because its table was cut off.
    :ivar volumes: the logical volumes in it.
    :ivar others: devices on other disks that belong to it, as first boot finds them: ``PARTUUID=...``, or a path.
    """

    start: int
    size: int
    uuid: str
    group: str = ""
    group_uuid: str = ""
    volumes: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def facts(self) -> KeptFacts:
        """For the mark on the disk."""
        return KeptFacts(start=self.start, size=self.size, uuid=self.uuid)

    @property
    def partition(self) -> Partition:
        """For the layout."""
        return Partition(Part.SR, self.start, self.size, self.uuid)

    @property
    def summary(self) -> str:
        """For people: which group, what is in it."""
        what = f"volume group {self.group}" if self.group else "as the interrupted installation found it"
        inside = f" with {_listed(self.volumes)}" if self.volumes else " without volumes" if self.group else ""
        more = f", which goes on on {len(self.others)} more" if self.others else ""
        return f"partition {int(Part.SR)}, {Size(self.size).approx()}: {what}{inside}{more}"

    def as_json(self) -> dict[str, object]:
        """For ``--json``."""
        return {
            "partition": int(Part.SR),
            "start": self.start,
            "size": self.size,
            "uuid": self.uuid,
            "volume_group": self.group or None,
            "volume_group_uuid": self.group_uuid or None,
            "volumes": list(self.volumes),
            "other_devices": list(self.others),
        }


def kept_sr(disk: DiskFacts, disks: Sequence[DiskFacts]) -> KeptSr:
    """What of a disk is to stay.

    :param disks: all disks of the machine: the volume group may lie on several.
    :raises UserError: when there is none, with what was found instead.
    """
    marked = disk.zeroth.marker.sr if disk.zeroth and disk.zeroth.marker else None
    if marked and (bare_table(disk) or holds(disk, marked)):
        found = _sr(disk)
        sign = _member(found) if found else None
        return _kept(disk, disks, marked, sign)
    part = _recognised(disk)
    sign = _member(part)
    if sign is None:
        what = ", ".join(one.type for one in part.signatures) or "nothing that is known"
        raise _refused(disk, f"its partition {int(Part.SR)} ({part.label}) carries {what}, not an LVM volume group")
    if not sign.group:
        raise _refused(disk, f"the volume group on its partition {int(Part.SR)} ({part.label}) cannot be read")
    return _kept(disk, disks, KeptFacts(start=part.start, size=part.size, uuid=part.uuid), sign)


def bare_table(disk: DiskFacts) -> bool:
    """Whether a disk has no partition table, or no more of one than its protective part: it was being written."""
    half = all(sign.type in ("PMBR", "gpt", "dos") for sign in disk.signatures)
    return half and (not disk.table or (disk.table == "dos" and all(part.type == "ee" for part in disk.partitions)))


def holds(disk: DiskFacts, kept: KeptFacts) -> bool:
    """Whether a disk's table has exactly this partition as its local storage repository."""
    part = _sr(disk)
    return part is not None and (part.start, part.size, part.uuid) == (kept.start, kept.size, kept.uuid)


def _kept(disk: DiskFacts, disks: Sequence[DiskFacts], place: KeptFacts, sign: Signature | None) -> KeptSr:
    sign = sign or Signature(type="", offset=0)
    others = tuple(sorted(_others(disk, disks, sign.group_uuid)))
    if sign.group_members > 1 + len(others):
        raise _refused(
            disk,
            f"the volume group {sign.group} lies on {sign.group_members} devices, and {1 + len(others)} of them are "
            "in this machine",
            "Attach the others, or take them out of the group on the old host (vgreduce).",
        )
    return KeptSr(place.start, place.size, place.uuid, sign.group, sign.group_uuid, sign.volumes, others)


def _others(disk: DiskFacts, disks: Sequence[DiskFacts], group: str) -> Iterator[str]:
    """The rest of a volume group."""
    for other in disks if group else ():
        if any(sign.group_uuid == group for sign in other.signatures):
            # A whole disk has no UUID of its own that stands in a table.
            names = sorted(link for link in other.links if link.startswith(_BY_ID))
            yield next((name for name in names if "/wwn-" in name), names[0] if names else other.path)
        for part in other.partitions:
            same = any(sign.group_uuid == group for sign in part.signatures)
            if same and (other.path, part.number) != (disk.path, Part.SR):
                yield f"PARTUUID={part.uuid}"


def _recognised(disk: DiskFacts) -> PartitionFacts:
    """The partition, on a disk that has zeroth's partitions and no others."""
    labels = {part.number: part.label for part in disk.partitions}
    if disk.table != "gpt" or labels != {int(part): part.label for part in Part}:
        carries = "; ".join(disk.contents) or "nothing"
        raise _refused(disk, f"it does not have the partitions of a zeroth host. It carries: {carries}")
    part = _sr(disk)
    if part is None or part.type != str(TYPE_GUIDS[Part.SR]):
        raise _refused(disk, f"its partition {int(Part.SR)} is not of the type Linux LVM")
    return part


def _sr(disk: DiskFacts) -> PartitionFacts | None:
    named = (part for part in disk.partitions if (part.number, part.label) == (Part.SR, Part.SR.label))
    return next(named, None)


def _member(part: PartitionFacts) -> Signature | None:
    """The part's signature as a member of a volume group; None when it is something else, or that as well."""
    types = {sign.type for sign in part.signatures}
    return part.signatures[0] if types == {"LVM2_member"} else None


def _refused(disk: DiskFacts, why: str, hint: str = _HINT) -> UserError:
    name = Path(disk.path).name
    message = f"there is no local storage repository on {disk.path} that can be kept (disk.keep_sr): {why}"
    return UserError(message, hint, where=name)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"{len(names)} volume{'s' if len(names) > 1 else ''} ({shown})"

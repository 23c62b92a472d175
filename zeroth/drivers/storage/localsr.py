"""The local storage repository: a volume group (LVM) on the partitions that the installer made or kept for it.

Domain 0 uses no LVM device but those in its devices file (lvmdevices(8)), which names them by what the disk says of
itself, not by where it is attached. So what belongs to the repository is put there, and nothing else is looked at.

The repository's UUID is a tag of the volume group: it goes where the group goes, also to a host installed anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from zeroth.deploy.localsr import GROUP, LocalSrRecord
from zeroth.errors import ExitCode, UserError
from zeroth.system.run import Completed

__all__ = ["Action", "Member", "Observed", "apply_local_sr", "found_record", "observe_local_sr", "plan_local_sr"]

TAG = "zeroth-sr="
_PARTUUID = "PARTUUID="
_BY_PARTUUID = "disk/by-partuuid"

Runner = Callable[[Sequence[str | os.PathLike[str]]], Completed]


@dataclass(frozen=True)
class Member:
    """A physical volume.

    :ivar group: its volume group; empty while it is in none.
    :ivar missing: how many physical volumes the group is short of.
    """

    device: str
    group: str = ""
    group_uuid: str = ""
    tags: tuple[str, ...] = ()
    missing: int = 0


@dataclass(frozen=True)
class Observed:
    """What is there.

    :ivar devices: the node of each device of the record, in its order; empty for one that is not there.
    :ivar members: those that are physical volumes.
    """

    devices: tuple[str, ...]
    members: tuple[Member, ...]

    @property
    def groups(self) -> tuple[Member, ...]:
        """One member of every volume group."""
        return tuple({one.group_uuid: one for one in self.members if one.group}.values())


@dataclass(frozen=True)
class Action:
    """One command.

    :ivar title: what it does, for people.
    """

    title: str
    argv: tuple[str, ...]


def observe_local_sr(record: LocalSrRecord, run: Runner, devices: Path = Path("/dev")) -> Observed:
    """Look at the record's devices. Nothing is changed.

    :param devices: the folder of device nodes.
    :raises CommandFailed: when LVM refuses.
    """
    nodes = tuple(_node(name, devices) for name in record.devices)
    found = [node for node in nodes if node]
    return Observed(nodes, _members(found, run) if found else ())


def plan_local_sr(record: LocalSrRecord, observed: Observed) -> tuple[Action, ...]:
    """Decide. Nothing is done when all is as it should be, but for noting the devices, which may be done again.

    :raises UserError: when the devices hold something else than the record says.
    """
    _check_there(record, observed)
    used = tuple(Action(f"use {node}", ("lvm", "lvmdevices", "--yes", "--adddev", node)) for node in observed.devices)
    groups = observed.groups
    if record.kept:
        return (*used, *_adopted(record, observed))
    if not groups:
        make = ("vgcreate", "--addtag", f"{TAG}{record.uuid}", GROUP, *observed.devices)
        # First made, then noted: a volume group comes to be at once, whatever was written before.
        return (Action(f"make the volume group {GROUP}", make), *used)
    if len(groups) > 1 or f"{TAG}{record.uuid}" not in groups[0].tags:
        names = " and ".join(one.group for one in groups)
        raise UserError(
            f"the volume group {names} lies where the local storage repository should be made",
            "It is left as it is. See `pvs` with --devices.",
            code=ExitCode.MACHINE,
        )
    inside = {one.device for one in observed.members if one.group}
    more = [node for node in observed.devices if node not in inside]
    grow = Action(f"put {', '.join(more)} into it", ("vgextend", groups[0].group, *more))
    return (*used, *([grow] if more else []))


def apply_local_sr(action: Action, run: Runner) -> None:
    """Do one action.

    :raises CommandFailed: when LVM refuses. It asks before it erases anything, and gets no answer.
    """
    run(action.argv)


def found_record(record: LocalSrRecord, observed: Observed) -> LocalSrRecord:
    """The record with what was found, or made: name and UUID of the volume group, the repository's own UUID."""
    group = _own(record, observed)
    tagged = next((tag.removeprefix(TAG) for tag in group.tags if tag.startswith(TAG)), record.uuid)
    return record.model_copy(update={"uuid": tagged, "group": group.group, "group_uuid": group.group_uuid})


def _adopted(record: LocalSrRecord, observed: Observed) -> list[Action]:
    group = _own(record, observed)
    if group.missing:
        raise UserError(
            f"the volume group {group.group} that was kept is short of {group.missing} physical volumes",
            "Attach their disks, add them with `lvmdevices --adddev`, and run `zeroth firstboot run` again.",
            code=ExitCode.MACHINE,
        )
    tagged = any(tag.startswith(TAG) for tag in group.tags)
    tag = Action("give it a UUID", ("vgchange", "--addtag", f"{TAG}{record.uuid}", group.group))
    show = Action("show its volumes", ("vgchange", "--activate", "ay", group.group))
    return [*([] if tagged else [tag]), show]


def _own(record: LocalSrRecord, observed: Observed) -> Member:
    wanted = [one for one in observed.groups if record.group_uuid in ("", one.group_uuid)]
    if len(wanted) != 1:
        raise UserError(
            "the volume group of the local storage repository cannot be found on "
            f"{', '.join(node or name for name, node in zip(record.devices, observed.devices, strict=True))}",
            "Nothing was written there. See `pvs` with --devices, and `vgcfgrestore`.",
            code=ExitCode.MACHINE,
        )
    return wanted[0]


def _check_there(record: LocalSrRecord, observed: Observed) -> None:
    absent = [name for name, node in zip(record.devices, observed.devices, strict=True) if not node]
    if absent:
        raise UserError(
            f"{', '.join(absent)} of the local storage repository cannot be found",
            "Attach the disk, and run `zeroth firstboot run` again.",
            code=ExitCode.MACHINE,
        )


def _node(name: str, devices: Path) -> str:
    """The kernel's own name of a device; empty when it is not there."""
    place = devices / _BY_PARTUUID / name.removeprefix(_PARTUUID) if name.startswith(_PARTUUID) else Path(name)
    return str(place.resolve()) if place.exists() else ""


def _members(nodes: Sequence[str], run: Runner) -> tuple[Member, ...]:
    columns = "pv_name,vg_name,vg_uuid,vg_tags,vg_missing_pv_count"
    told = run(["pvs", "--devices", ",".join(nodes), "--reportformat", "json", "--options", columns]).stdout
    try:
        rows = json.loads(told)["report"][0]["pv"]
        return tuple(
            Member(row["pv_name"], row["vg_name"], row["vg_uuid"], tuple(filter(None, row["vg_tags"].split(","))),
                   int(row["vg_missing_pv_count"] or 0))
            for row in rows
        )  # fmt: skip
    except (ValueError, LookupError, TypeError) as error:
        raise UserError(f"LVM's report cannot be understood: {error}", code=ExitCode.MACHINE) from None

"""What is on a disk, read from the disk itself, and whether something uses it.

The content is probed anew each time (wipefs, sfdisk, debugfs, all read-only) and not taken from udev's database, which
may be older than the disk.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from zeroth.deploy.layout import ARRAY_HEAD, TYPE_GUIDS, Part
from zeroth.deploy.marker import read_marker
from zeroth.system.facts import AppliedFacts, PartitionFacts, Signature, ZerothFacts
from zeroth.system.multipath import is_joined
from zeroth.system.run import CommandFailed, run

__all__ = ["Content", "Usage", "probe_content", "probe_signatures", "read_usage"]

_MAX_APPLIED = 1 << 16
_TIMEOUT = 60.0


@dataclass(frozen=True)
class Content:
    """What a disk carries. ``partitions`` are without ``in_use``."""

    table: str = ""
    table_uuid: str = ""
    signatures: tuple[Signature, ...] = ()
    partitions: tuple[PartitionFacts, ...] = ()
    zeroth: ZerothFacts | None = None
    unreadable: str = ""


def probe_content(disk: Path) -> Content:
    """Read the partition table, all signatures and signs of zeroth. That a disk cannot be read is a fact too."""
    try:
        signatures = probe_signatures(disk)
        table = _table(disk)
        partitions = tuple(_partitions(table))
        return Content(
            table=table.get("label", ""),
            table_uuid=str(table.get("id", "")).lower() if table.get("label") == "gpt" else "",
            signatures=signatures,
            partitions=partitions,
            zeroth=_zeroth(disk, partitions),
        )
    except (CommandFailed, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error).splitlines()[-1].rpartition(": ")[2]
        return Content(unreadable=reason or "input/output error")


def probe_signatures(device: Path) -> tuple[Signature, ...]:
    """All signatures that libblkid knows on a device, in the order of their offsets.

    :raises CommandFailed: when the device cannot be read.
    """
    output = run(["wipefs", "--no-act", "--json", device], timeout=_TIMEOUT).stdout
    if not output.strip():
        return ()
    found = [
        Signature(
            type=item["type"], offset=int(item["offset"], 16), label=item["label"] or "", uuid=item["uuid"] or ""
        )
        for item in json.loads(output)["signatures"]
    ]
    group = _volume_group(device) if any(sign.type == "LVM2_member" for sign in found) else {}
    if group:
        found = [sign.model_copy(update=group) if sign.type == "LVM2_member" else sign for sign in found]
    return tuple(sorted(found, key=lambda signature: signature.offset))


def _volume_group(device: Path) -> dict[str, object]:
    """The volume group that an LVM member belongs to, as the fields of a signature; empty when it cannot be told.

    LVM is shown this one device, past the devices file that keeps it away from guests' disks; nothing is written.
    """
    alone: list[str | Path] = ["--readonly", "--nolocking", "--devices", device, "--reportformat", "json"]
    try:
        told = run(["pvs", *alone, "--options", "vg_name,vg_uuid,pv_count", device], timeout=_TIMEOUT).stdout
        group = json.loads(told)["report"][0]["pv"][0]
        if not group["vg_name"]:
            return {}
        told = run(["lvs", *alone, "--options", "lv_name", group["vg_name"]], timeout=_TIMEOUT).stdout
        volumes = tuple(row["lv_name"] for row in json.loads(told)["report"][0]["lv"])
    except (CommandFailed, ValueError, LookupError):
        # LVM is not installed, or its metadata is damaged.
        return {}
    return {
        "group": group["vg_name"],
        "group_uuid": group["vg_uuid"],
        "group_members": int(group["pv_count"]),
        "volumes": volumes,
    }


def _table(disk: Path) -> dict[str, Any]:
    # Status 1 is also that of a disk without a table; what cannot be read was found by wipefs before.
    done = run(["sfdisk", "--json", disk], ok=(0, 1), timeout=_TIMEOUT)
    if done.status or not done.stdout.strip():
        return {}
    table: dict[str, Any] = json.loads(done.stdout)["partitiontable"]
    return table


def _partitions(table: dict[str, Any]) -> Iterator[PartitionFacts]:
    sector = int(table.get("sectorsize", 512))
    for index, item in enumerate(table.get("partitions", ()), 1):
        node = str(item["node"])
        digits = node[len(node.rstrip("0123456789")) :]
        # A table can name partitions that the kernel did not take (too large for the disk, say).
        signatures = probe_signatures(Path(node)) if Path(node).is_block_device() else ()
        yield PartitionFacts(
            number=int(digits or index),
            path=node,
            start=int(item["start"]) * sector,
            size=int(item["size"]) * sector,
            label=str(item.get("name", "")),
            uuid=str(item.get("uuid", "")).lower(),
            type=str(item["type"]).lower(),
            signatures=signatures,
        )


def _zeroth(disk: Path, partitions: tuple[PartitionFacts, ...]) -> ZerothFacts | None:
    marker = read_marker(disk)
    state_type = str(TYPE_GUIDS[Part.STATE])
    state = next((p.path for p in partitions if p.number == Part.STATE and p.type == state_type), "")
    if not marker and not state:
        return None
    return ZerothFacts(state=state, marker=marker, applied=_applied(Path(state)) if state else None)


def _applied(state: Path) -> AppliedFacts | None:
    """Read without mounting: mounting, even read-only, would replay the file system's journal and so write."""
    if not state.is_block_device():
        return None
    mirrored = any(sign.type == "linux_raid_member" for sign in probe_signatures(state))
    place = f"{state}?offset={ARRAY_HEAD}" if mirrored else str(state)
    done = run(["debugfs", "-R", "cat /install/applied.json", place], ok=range(256), timeout=_TIMEOUT)
    if done.status or not done.stdout or len(done.stdout) > _MAX_APPLIED:
        return None
    try:
        data = json.loads(done.stdout)
        return AppliedFacts.model_validate({key: data.get(key, "") for key in AppliedFacts.model_fields})
    except (ValueError, ValidationError, AttributeError):
        return None


@dataclass(frozen=True)
class Usage:
    """What the kernel uses now, by device number (``8:1``)."""

    by_device: dict[str, tuple[str, ...]]
    holders: dict[str, tuple[str, ...]]
    medium: str = ""

    def of(self, number: str) -> tuple[str, ...]:
        """Why a device is busy; empty when it is free."""
        return (*self.by_device.get(number, ()), *(f"part of {name}" for name in self.holders.get(number, ())))


def read_usage(medium: Path) -> Usage:
    """Look at mounts, swap and stacked devices.

    :param medium: where the installation medium is mounted, if it is.
    """
    uses: dict[str, tuple[str, ...]] = {}
    medium_device = ""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        number, where = fields[2], fields[4].encode().decode("unicode_escape")
        source = fields[fields.index("-") + 2]
        if number.startswith("0:"):
            # File systems of several devices (btrfs) have a number of their own; go by the name.
            number = _number(Path(source)) if source.startswith("/dev/") else number
        uses[number] = (*uses.get(number, ()), f"mounted on {where}")
        if where == str(medium):
            medium_device = number
    for line in Path("/proc/swaps").read_text().splitlines()[1:]:
        number = _number(Path(line.split()[0]))
        uses[number] = (*uses.get(number, ()), "used as swap")
    holders: dict[str, tuple[str, ...]] = {}
    for link in Path("/sys/class/block").glob("*/holders/*"):
        if is_joined(link):
            continue
        number = (link.parents[1] / "dev").read_text().strip()
        holders[number] = (*holders.get(number, ()), link.name)
    return Usage(uses, holders, medium_device)


def _number(device: Path) -> str:
    try:
        raw = device.stat().st_rdev
    except OSError:
        return ""
    return f"{os.major(raw)}:{os.minor(raw)}"

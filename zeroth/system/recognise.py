"""What the signatures on a disk amount to: another system, guests' disks, a member of something larger. Pure.

For people, who are asked whether it may be erased: ``LVM2_member`` says little, ``guests' disks of a XenServer`` does.
Nothing is decided from it: whatever is on a disk needs consent, recognised or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Protocol

__all__ = ["Carrier", "Sign", "systems"]

# xapi-project/sm: LVM SRs are called VG_XenStorage-UUID (lvutil), local ext SRs XSLocalEXT-UUID (EXTSR).
_XEN_STORAGE = re.compile(r"(VG_XenStorage|XSLocalEXT)-[0-9a-f-]{36}")
# xenserver/host-installer: file systems are labelled root-XXXXXX, logs-XXXXXX with one random suffix an installation.
_XEN_LABEL = re.compile(r"(root|logs|swap|BOOT)-([a-z]{6})")
_MICROSOFT_RESERVED = "e3c9e316-0b5c-4db8-817d-f92df00215ae"
_VMFS_TYPES = {"aa31e02a-400f-11db-9590-000c2911d1b8", "9d275380-40ad-11db-bf97-000c2911d1b8"}
_GROUPS = {"pve": "Proxmox VE"}


class Sign(Protocol):
    """A signature; see :class:`zeroth.system.facts.Signature`."""

    @property
    def type(self) -> str:
        """libblkid's name."""

    @property
    def label(self) -> str:
        """Label, name of an array or pool."""

    @property
    def group(self) -> str:
        """The volume group of an LVM member."""


class Carrier(Protocol):
    """A partition; see :class:`zeroth.system.facts.PartitionFacts`."""

    @property
    def type(self) -> str:
        """Type GUID, or the DOS type in hexadecimal."""

    @property
    def signatures(self) -> Sequence[Sign]:
        """What is in it."""


def systems(signatures: Sequence[Sign], partitions: Sequence[Carrier]) -> tuple[str, ...]:
    """What is recognised, one phrase each, no phrase twice.

    :param signatures: of the disk as a whole.
    """
    signs = [*signatures, *(sign for part in partitions for sign in part.signatures)]
    return tuple(dict.fromkeys([*_hosts(signs, partitions), *_members(signs)]))


def _hosts(signs: Sequence[Sign], partitions: Sequence[Carrier]) -> Iterator[str]:
    labels = [match for sign in signs if (match := _XEN_LABEL.fullmatch(sign.label))]
    for suffix in dict.fromkeys(match[2] for match in labels):
        if {"root", "logs"} <= {match[1] for match in labels if match[2] == suffix}:
            yield "a XenServer or XCP-ng host"
    if any(part.type == _MICROSOFT_RESERVED for part in partitions):
        yield "Windows"
    if any(part.type in _VMFS_TYPES for part in partitions):
        yield "VMware ESXi"
    for sign in signs:
        if sign.group in _GROUPS:
            yield _GROUPS[sign.group]


def _members(signs: Sequence[Sign]) -> Iterator[str]:
    for sign in signs:
        name = f" {sign.label}" if sign.label else ""
        match sign.type:
            case "LVM2_member" if _XEN_STORAGE.fullmatch(sign.group):
                yield f"guests' disks of a XenServer or XCP-ng host (volume group {sign.group})"
            case "LVM2_member" if sign.group:
                yield f"part of the volume group {sign.group}"
            case "linux_raid_member":
                yield f"part of the md array{name}" if name else "part of an md array"
            case "zfs_member":
                yield f"part of the ZFS pool{name}" if name else "part of a ZFS pool"
            case "ddf_raid_member" | "isw_raid_member":
                yield "part of a RAID set of the firmware"
            case "drbd":
                yield "a DRBD device"
            case "ceph_bluestore":
                yield "a Ceph OSD"
            case "crypto_LUKS":
                yield "an encrypted volume (LUKS)"

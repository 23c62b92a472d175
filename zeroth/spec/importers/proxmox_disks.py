"""The disks of a Proxmox VE answer."""

from __future__ import annotations

from zeroth.spec.importers.draft import Draft
from zeroth.spec.importers.toml_words import Table
from zeroth.spec.problems import Span

__all__ = ["import_disks"]

# udev's properties and the terms of our selectors; ID_SERIAL is model and serial number, as in /dev/disk/by-id.
_TERMS = {"ID_SERIAL": "id=*{}", "ID_SERIAL_SHORT": "serial={}", "ID_SCSI_SERIAL": "serial={}", "ID_WWN": "wwn={}",
          "ID_WWN_WITH_EXTENSION": "wwn={}", "ID_MODEL": "model={}", "ID_BUS": "transport={}"}  # fmt: skip
_LEVELS = ("raid0", "raid1", "raid10", "raidz-1", "raidz-2", "raidz-3")
_NO_SUCH = "The system is a read-only image on partitions of its own; guests' disks are on LVM."
_SIZES = "Partitions have the sizes of the published layout; the rest of the disk is for guests."
_CONSENT = (
    "The consent to erase is not carried over, since another disk might fit: give it (disk.wipe) when you have looked."
)


def import_disks(table: Table) -> None:
    """``[disk-setup]``."""
    draft = table.draft
    system = table.text("filesystem", "ext4", "xfs", "zfs", "btrfs")
    if not table.has("filesystem"):
        hint = "It is ext4, xfs, zfs or btrfs."
        draft.wrong("disk-setup.filesystem is missing", hint, table.where, "disk")
    level = _details(table, system)
    if system and system != "ext4":
        draft.left_out(f"disk-setup.filesystem: {system}", _NO_SUCH, table.place("filesystem"))
    match = table.text("filter-match", "any", "all")
    listed = table.has("disk-list")
    disks, patterns = table.texts("disk-list"), table.patterns("filter")
    if listed == table.has("filter"):
        message = "disk-list and filter are both given" if listed else "neither disk-list nor filter is given"
        draft.wrong(f"disk-setup: {message}", "Give one of the two.", table.place("filter"), "disk")
    elif system is None:
        pass
    elif listed:
        _listed(table, disks, system, level)
    elif patterns:
        _filtered(table, patterns, match, level)
    elif not patterns:
        draft.wrong("disk-setup.filter holds no pattern", "As in filter.ID_SERIAL = \"*S3Z*\"", table.place("filter"),
                    "disk")  # fmt: skip
    table.finish()


def _details(table: Table, system: str | None) -> str:
    """The tables of the file systems; the RAID level, where the one that is used has one."""
    level = ""
    for name, keys in (
        ("zfs", ("ashift", "arc-max", "checksum", "compress", "copies", "hdsize")),
        ("lvm", ("hdsize", "swapsize", "maxroot", "maxvz", "minfree")),
        ("btrfs", ("hdsize", "compress")),
    ):
        inner = table.table(name)
        used = name == system or (name == "lvm" and system in ("ext4", "xfs"))
        if inner is None:
            if used and name != "lvm" and not table.has(name):
                hint = f'As in [disk-setup.{name}] with raid = "raid1".'
                table.draft.wrong(f"[disk-setup.{name}] is missing", hint, table.where, "disk")
            continue
        for key in keys:
            inner.drop(key, _SIZES if key in ("hdsize", "swapsize", "maxroot", "maxvz", "minfree") else _NO_SUCH)
        if name != "lvm":
            raid = inner.text("raid", *(_LEVELS if name == "zfs" else _LEVELS[:3]))
            if used:
                level = raid or ""
                if not inner.has("raid"):
                    hint = 'As in raid = "raid1".'
                    table.draft.wrong(f"disk-setup.{name}.raid is missing", hint, inner.where, "disk")
        inner.finish()
        if not used and system:
            hint = f"The file system is {system}: leave it out."
            table.draft.wrong(f"[disk-setup.{name}] does not belong here", hint, inner.where)
    return level


def _listed(table: Table, names: list[str], system: str, level: str) -> None:
    draft, where = table.draft, table.place("disk-list")
    disks = [name if name.startswith("/") else f"/dev/{name}" for name in names]
    if not disks or "" in names:
        draft.wrong("disk-setup.disk-list names no disk", 'As in disk-list = ["sda"]', where, "disk")
        return
    if len(set(disks)) < len(disks):
        draft.wrong("disk-setup.disk-list names a disk twice", "Leave out one of the two.", where, "disk")
        return
    least = {"raid1": 2, "raid10": 4, "raidz-1": 3, "raidz-2": 4, "raidz-3": 5}.get(level, 1)
    if len(disks) < least:
        draft.wrong(f"{level} needs {least} disks, {len(disks)} are named", "Name more, or take raid1.", where, "disk")
        return
    if not level and len(disks) > 1:
        draft.wrong(f"{system} takes one disk, {len(disks)} are named", "Name one.", where, "disk")
        return
    draft.put(("disk", "select"), disks[0], table.place("disk-list", 0))
    draft.put(("disk", "wipe"), True, where)
    for index, disk in enumerate(disks):
        if not disk.startswith("/dev/disk/"):
            hint = "Better: a path below /dev/disk/by-id, or serial= in the converted answer."
            message = f"{disk} may be another disk at the next start of the machine"
            draft.warn(message, hint, table.place("disk-list", index))
    _leveled(draft, level, where)
    if level in ("", "raid0"):
        for index, disk in enumerate(disks[1:], 1):
            draft.append(("disk", "sr_disks"), disk, table.place("disk-list", index))
        return
    draft.put(("disk", "mirror_with"), disks[1], table.place("disk-list", 1))
    for index, disk in enumerate(disks[2:], 2):
        why = "It is not touched. storage (type local) makes a repository of it."
        draft.left_out(f"the disk {disk} of {level}", why, table.place("disk-list", index))


def _leveled(draft: Draft, level: str, where: Span) -> None:
    """One disk, or a mirror of two; what was asked for besides is listed."""
    if level in ("", "raid0"):
        if level:
            why = "The system is on the first disk; the others go into the local storage repository."
            draft.left_out("raid0: the system spread over disks", why, where)
        return
    draft.put(("disk", "layout"), "mirror", where)
    if level != "raid1":
        draft.left_out(f"{level} has no counterpart", "The system is mirrored on the first two disks.", where)


def _filtered(table: Table, patterns: dict[str, str], match: str | None, level: str) -> None:
    """Patterns on udev's properties.

    Proxmox takes any disk that fits any of the patterns (the first one, for ext4 and xfs), heeds ``all`` for ZFS and
    Btrfs only, and even then lets a disk through that has no such property.
    """
    draft, where = table.draft, table.place("filter")
    terms, lost = [], []
    for key, pattern in patterns.items():
        place = table.place("filter", key)
        if key in ("DEVNAME", "DEVLINKS") and pattern.startswith("/dev/") and not set(pattern) & set("*?["):
            terms.append(pattern)
        elif key in _TERMS and pattern and "&" not in pattern:
            terms.append(_TERMS[key].format(pattern).replace("**", "*"))
        else:
            lost.append(key)
            why = f"Disks are chosen by serial, wwn, id, model, transport and size. {_CONSENT}"
            draft.left_out(f"the pattern {key} = {pattern!r} for the disk", why, place)
    _leveled(draft, level, where)
    if not terms:
        hint = "Choose by ID_SERIAL, ID_SERIAL_SHORT, ID_WWN, ID_MODEL or ID_BUS."
        draft.wrong("no pattern of disk-setup.filter can be carried over", hint, where, "disk")
        return
    if match == "all" or len(terms) == 1:
        draft.put(("disk", "select"), " & ".join(terms), where)
        if len(patterns) > 1:
            hint = "Proxmox heeds this for zfs and btrfs only, and lets disks without the property through."
            draft.warn("a disk must fit all patterns", hint, where)
    else:
        draft.put(("disk", "select"), terms[0], where)
        for term in terms[1:]:
            draft.append(("disk", "alternatives"), term, where)
        message = "the patterns are tried one after the other, and exactly one disk must fit"
        draft.warn(message, "Proxmox takes the first disk that fits any of them.", where)
    if not lost:
        draft.put(("disk", "wipe"), True, where)

"""The disks of a XenServer answer."""

from __future__ import annotations

import re

from zeroth.spec.importers.xml_tree import Element
from zeroth.spec.importers.xml_words import XmlAnswer

__all__ = ["disk_selector", "import_disks"]

_KERNEL_NAME = re.compile(r"/dev/(sd[a-z]+|hd[a-z]|vd[a-z]+|xvd[a-z]+|nvme[0-9]+n[0-9]+)")
_SR_TYPES = {"lvm": "lvm", "ext": "ext4"}


def import_disks(answer: XmlAnswer, mode: str) -> None:
    """Disk, mirror and local storage repository.

    :param mode: ``fresh`` or ``reinstall``.
    """
    draft = answer.draft
    arrays = answer.every("raid")
    primary = answer.first("primary-disk")
    for element in answer.every("initial-partitions"):
        answer.drop(element, "Documented, but no installer of XenServer or XCP-ng reads it.")
    if primary is None:
        hint = "As in <primary-disk>/dev/disk/by-id/...</primary-disk>"
        draft.wrong("there is no <primary-disk>", hint, answer.root.where, "disk")
        _drop_all(answer, arrays)
        _guest_disks(answer, [], None)
        return
    own = _target(answer, primary, arrays)
    keeps = _preserved(answer, primary)
    _local_sr(answer, primary, own)
    if mode == "reinstall":
        why = (
            "The consent to erase the disk is not carried over, since XenServer would have kept a backup of the old "
            "system. Give it (disk.wipe) when there is nothing to keep."
        )
        mode_place = answer.root.attributes["mode"].where
        draft.left_out('mode="reinstall": the backup of the old system', why, mode_place)
    if own and mode == "fresh" and not keeps:
        # XenServer's installer erases the disk that is named, without another word.
        draft.put(("disk", "wipe"), True, primary.inside)


def disk_selector(text: str) -> str:
    """The selector for what XenServer calls a disk: a path, or a kernel name."""
    return text if text.startswith("/") else f"/dev/{text}"


def _target(answer: XmlAnswer, primary: Element, arrays: list[Element]) -> list[str]:
    """The disks that are installed on, as selectors; none when they cannot be had."""
    draft = answer.draft
    software, where = answer.flag(primary, "swraid", default=False)
    text = answer.text(primary)
    if not text:
        draft.wrong("<primary-disk> is empty", "Name the disk.", primary.where, "disk")
        return []
    if text.startswith("iscsi:"):
        message = "an iSCSI disk is not set up by an answer here (RFC 4173)"
        hint = "Have the firmware start the machine from it: it then is a disk like others, which the answer names."
        draft.wrong(message, hint, primary.inside, "disk")
        _drop_all(answer, arrays)
        return []
    if where and software:
        _drop_all(answer, arrays)
        return _mirror(answer, [part.strip() for part in text.split(",")], primary)
    for array in arrays:
        device = answer.attribute(array, "device")
        if device is None or not device.value:
            draft.wrong("<raid> has no device", 'As in <raid device="md127">', array.where, "disk")
        elif _array_name(device.value) == _array_name(text) and not draft.data.get("disk"):
            members = [child for child in answer.every("disk") if child in array.children]
            _drop_all(answer, [other for other in arrays if other is not array])
            return _mirror(answer, [answer.text(member) for member in members], array)
    for array in arrays:
        answer.drop(array, "It is not the primary disk.")
    if "," in text:
        hint = 'For a mirror, write swraid="true"; else name one disk.'
        draft.wrong("<primary-disk> names several disks", hint, primary.inside, "disk")
        return []
    select = disk_selector(text)
    draft.put(("disk", "select"), select, primary.inside)
    _warn_of_kernel_name(answer, select, primary)
    return [select]


def _mirror(answer: XmlAnswer, names: list[str], element: Element) -> list[str]:
    draft = answer.draft
    present = [disk_selector(name) for name in names if name and name != "missing"]
    missing = names.count("missing")
    if len(names) < 2 or "" in names or missing > 1 or not present:
        hint = "A mirror has two disks; one of them may be `missing`."
        draft.wrong(f"<{element.name}> does not name the two disks of a mirror", hint, element.inside, "disk")
        return []
    draft.put(("disk", "layout"), "mirror", element.inside)
    draft.put(("disk", "select"), present[0], element.inside)
    draft.put(("disk", "mirror_with"), present[1] if len(present) > 1 else "missing", element.inside)
    for name in present[2:]:
        draft.left_out(f"the third disk of a mirror, {name}", "A mirror has two disks.", element.inside)
    for name in present[:2]:
        _warn_of_kernel_name(answer, name, element)
    return present[:2]


def _preserved(answer: XmlAnswer, primary: Element) -> bool:
    """Whether the file asks that something on the disk stays."""
    found = answer.attribute(primary, "preserve-first-partition")
    if found is None or found.value.lower() in ("false", "no"):
        return False
    if found.value == "if-utility":
        why = "A DELLUTILITY partition at the beginning of the disk is erased with the rest."
        answer.draft.left_out("preserve-first-partition: keeping a utility partition", why, found.where)
        return False
    if found.value.lower() in ("true", "yes"):
        why = (
            "The whole disk is used. The consent to erase it is therefore not carried over: give it (disk.wipe) when "
            "there is nothing to keep."
        )
        answer.draft.left_out("preserve-first-partition: keeping a partition", why, found.where)
        return True
    hint = "One of true, false, if-utility."
    answer.draft.wrong(f"preserve-first-partition={found.value!r} is unknown", hint, found.where)
    return True


def _local_sr(answer: XmlAnswer, primary: Element, own: list[str]) -> None:
    draft = answer.draft
    at_end, where = answer.flag(primary, "sr-at-end", default=True)
    if where and not at_end:
        draft.left_out("sr-at-end: the storage repository before the system", "It comes after it.", where)
    kind = answer.attribute(primary, "fs-type")
    if kind and kind.value == "ext3":
        draft.left_out(
            "fs-type: ext3", "The state is kept on ext4; the system itself is a read-only image.", kind.where
        )
    elif kind and kind.value != "ext4":
        draft.wrong(f"fs-type={kind.value!r} is unknown", "One of ext3, ext4.", kind.where)
    kept, where = answer.flag(primary, "guest-storage", "gueststorage", default=True)
    if where and not kept:
        draft.put(("disk", "local_sr"), "none", where)
    sr_format = _sr_type(answer, as_own=kept)
    _guest_disks(answer, own, None if kept else sr_format)


def _sr_type(answer: XmlAnswer, *, as_own: bool) -> str:
    found = answer.attribute(answer.root, "sr-type", "srtype")
    if found is None:
        return "lvm"
    if found.value not in _SR_TYPES:
        why = "The local storage repository gets LVM."
        answer.draft.left_out(f"sr-type={found.value!r} has no counterpart", why, found.where)
        return "lvm"
    if as_own:
        answer.draft.put(("disk", "local_sr"), _SR_TYPES[found.value], found.where)
    return _SR_TYPES[found.value]


def _guest_disks(answer: XmlAnswer, own: list[str], apart: str | None) -> None:
    """Further disks, with the rest of the primary disk in one repository, or in one apart from it.

    :param own: the disks that are installed on; naming them again says nothing new.
    :param apart: how the repository is made when the primary disk has no part in it.
    """
    draft = answer.draft
    answer.every("guest-disks")
    disks: list[tuple[str, Element]] = []
    for element in answer.every("guest-disk"):
        text = answer.text(element)
        if text.startswith("iscsi:") or not text:
            draft.left_out(
                f"the guest disk {text!r} has no counterpart", "Name a disk of the machine.", element.inside
            )
        elif disk_selector(text) not in own:
            disks.append((disk_selector(text), element))
    for select, element in disks:
        _warn_of_kernel_name(answer, select, element)
        if apart is None:
            draft.append(("disk", "sr_disks"), select, element.inside)
    if disks and apart is not None:
        storage = {"type": "local", "name": "Local storage", "format": apart, "default": True, "wipe": True,
                   "disks": [select for select, _ in disks]}  # fmt: skip
        draft.append(("storage",), storage, disks[0][1].inside)
        for index, (_, element) in enumerate(disks):
            draft.mark(("storage", 0, "disks", index), element.inside)


def _drop_all(answer: XmlAnswer, arrays: list[Element]) -> None:
    for array in arrays:
        answer.drop(array, "Only the array that is the primary disk is made.")


def _array_name(text: str) -> str:
    return text.removeprefix("/dev/").removeprefix("md/")


def _warn_of_kernel_name(answer: XmlAnswer, select: str, element: Element) -> None:
    if _KERNEL_NAME.fullmatch(select):
        hint = "Better: a path below /dev/disk/by-id, or serial= in the converted answer."
        answer.draft.warn(f"{select} may be another disk at the next start of the machine", hint, element.inside)

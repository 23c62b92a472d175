"""Three-way merging of account files: passwd, group and their like, record by record.

Lines would not do: the image's system users and the host's own people stand in the same files, and their order means
nothing. A record is told by its name; ids of system users are the same in every image (00-zeroth-ids.conf).
"""

from __future__ import annotations

from collections.abc import Mapping

from zeroth.errors import ExitCode, UserError

__all__ = ["ACCOUNT_FILES", "merge_accounts"]

ACCOUNT_FILES = frozenset({"passwd", "group", "shadow", "gshadow", "subuid", "subgid"})
"""Names in /etc."""
_WITH_IDS = frozenset({"passwd", "group"})
_MEMBERS = {"group": 3, "gshadow": 3}
"""The field that lists members."""


def merge_accounts(name: str, base: str, ours: str, theirs: str) -> str:
    """The file with what the host changed since ``base`` and what the image changed.

    Where both changed a record, the host's own stays; lists of members are merged. New records of the image come last.

    :param name: one of :data:`ACCOUNT_FILES`.
    :raises UserError: when a new account of the image has an id that another account of the host has.
    """
    old, own, new = _records(base), _records(ours), _records(theirs)
    merged: dict[str, str] = {}
    for key in [*own, *(key for key in new if key not in own)]:
        record = _merged(name, old.get(key), own.get(key), new.get(key))
        if record is not None:
            merged[key] = record
    if name in _WITH_IDS:
        _check_ids(name, merged, own)
    return "".join(f"{record}\n" for record in merged.values())


def _merged(name: str, old: str | None, own: str | None, new: str | None) -> str | None:
    if own == old:
        return new
    if new in (old, own):
        return own
    if own is None or new is None:
        # Removed on one side and changed on the other: what the host did counts.
        return own
    place = _MEMBERS.get(name)
    if place is None:
        return own
    return _with_members(place, old or "", own, new)


def _with_members(place: int, old: str, own: str, new: str) -> str:
    """The host's record, with the members that the image added and without those that it took away."""
    before, mine, yours = (_members(record, place) for record in (old, own, new))
    gone = [member for member in before if member not in yours]
    members = [member for member in mine if member not in gone]
    members += [member for member in yours if member not in before and member not in members]
    fields = own.split(":")
    return ":".join([*fields[:place], ",".join(members), *fields[place + 1 :]]) if len(fields) > place else own


def _members(record: str, place: int) -> list[str]:
    fields = record.split(":")
    return [member for member in fields[place].split(",") if member] if len(fields) > place else []


def _check_ids(name: str, merged: Mapping[str, str], own: Mapping[str, str]) -> None:
    """Two accounts with one id would own each other's files. Those that the host had before are its own business."""
    holders = {_id(record): key for key, record in merged.items() if key in own}
    for key, record in merged.items():
        holder = holders.setdefault(_id(record), key)
        if key not in own and holder != key:
            raise UserError(
                f"the new image has {key} with the id {_id(record)}, which {holder} of this host has",
                f"Give {holder} another id (usermod, groupmod), then apply the upgrade again.",
                where=f"/etc/{name}",
                code=ExitCode.MACHINE,
            )


def _id(record: str) -> str:
    fields = record.split(":")
    return fields[2] if len(fields) > 2 else ""


def _records(text: str) -> dict[str, str]:
    return {line.partition(":")[0]: line for line in text.splitlines() if line.strip()}

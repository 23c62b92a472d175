"""Gives system users and groups the fixed ids of a sysusers.d file, in the account files and on every file.

Maintainer scripts take the next free id, so ids depend on the packages and their order; `/var` and `/etc` of an
installed host outlive an image and must not. Run in the tree, with Debian's own Python and nothing else::

    static_ids.py /usr/lib/sysusers.d/00-zeroth-ids.conf
"""

from __future__ import annotations

import os
import shlex
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FIRST_DYNAMIC = 100
"""Ids from here on are given by maintainer scripts (adduser) or sysusers; those below are Debian's fixed ones."""
LAST_DYNAMIC = 999
DEBIAN_FIXED = {"users"}
"""Names with an id in that range that base-passwd fixes."""
SKIPPED = ("proc", "sys", "dev", "run", "tmp")
"""Top folders of the tree that hold no files of the image."""


@dataclass(frozen=True)
class Ids:
    """Fixed ids by name, of users and of groups."""

    users: dict[str, int]
    groups: dict[str, int]


def parse(text: str) -> Ids:
    """Read the ``u NAME UID[:GID]`` and ``g NAME GID`` lines of a sysusers.d file.

    A user line without a group id makes a group of the same name and id, as in sysusers.d(5).

    :raises ValueError: a line is of another kind, or an id stands twice.
    """
    users: dict[str, int] = {}
    groups: dict[str, int] = {}
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        if len(words) < 3 or words[0] not in ("u", "u!", "g"):
            raise ValueError(f"not a line with a fixed id: {line}")
        kind, name, ids = words[:3]
        user, _, group = ids.partition(":")
        if kind == "g":
            groups[name] = int(user)
        else:
            users[name] = int(user)
            if not group:
                groups[name] = int(user)
    for table in (users, groups):
        if len(set(table.values())) != len(table):
            raise ValueError("an id is given twice")
    return Ids(users, groups)


def renumbering(current: dict[str, int], fixed: dict[str, int], what: str) -> dict[int, int]:
    """Old id to new id, for the names in ``current``.

    :raises ValueError: a dynamic id has no fixed one, or a fixed one belongs to somebody else.
    """
    loose = sorted(
        n for n, i in current.items() if FIRST_DYNAMIC <= i <= LAST_DYNAMIC and n not in fixed and n != "users"
    )
    if loose:
        raise ValueError(
            f"system {what}s without a fixed id, give each a line in 00-zeroth-ids.conf, or under system_ids in your "
            f"zeroth-image.yaml: {', '.join(loose)}"
        )
    kept = {i: n for n, i in current.items() if n not in fixed}
    for name, new in fixed.items():
        if name in current and new in kept:
            raise ValueError(f"the fixed id {new} of {what} {name} belongs to {kept[new]}")
    return {current[name]: new for name, new in fixed.items() if name in current and current[name] != new}


def _ids_of(path: Path) -> dict[str, int]:
    return {line.split(":")[0]: int(line.split(":")[2]) for line in path.read_text().splitlines() if line}


def rewrite(text: str, columns: dict[int, dict[int, int]]) -> str:
    """An account file with the numbers in some columns (from 0) replaced by their mapping."""
    lines = []
    for line in text.splitlines():
        fields = line.split(":")
        for column, mapping in columns.items():
            number = int(fields[column])
            fields[column] = str(mapping.get(number, number))
        lines.append(":".join(fields))
    return "\n".join(lines) + "\n"


def _files(root: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(root):
        if Path(folder) == root:
            names[:] = [name for name in names if name not in SKIPPED]
        for name in [*names, *files]:
            yield Path(folder, name)


def chown_tree(root: Path, users: dict[int, int], groups: dict[int, int]) -> int:
    """Give every file of the tree its new owners; returns how many changed. Keeps set-id bits, which chown clears."""
    changed = 0
    for path in _files(root):
        found = path.lstat()
        uid, gid = users.get(found.st_uid, found.st_uid), groups.get(found.st_gid, found.st_gid)
        if (uid, gid) == (found.st_uid, found.st_gid):
            continue
        os.chown(path, uid, gid, follow_symlinks=False)
        if not stat.S_ISLNK(found.st_mode):
            path.chmod(stat.S_IMODE(found.st_mode))
        changed += 1
    return changed


def main(tables: list[Path], root: Path = Path("/")) -> None:
    """Renumber the tree at ``root`` after the tables."""
    ids = parse("\n".join(table.read_text() for table in tables))
    passwd, group = root / "etc/passwd", root / "etc/group"
    users = renumbering(_ids_of(passwd), ids.users, "user")
    groups = renumbering(_ids_of(group), ids.groups, "group")
    passwd.write_text(rewrite(passwd.read_text(), {2: users, 3: groups}))
    group.write_text(rewrite(group.read_text(), {2: groups}))
    changed = chown_tree(root, users, groups)
    print(f"renumbered {len(users)} users and {len(groups)} groups, {changed} files")


if __name__ == "__main__":
    try:
        main([Path(name) for name in sys.argv[1:]])
    except ValueError as error:
        sys.exit(f"static_ids: {error}")

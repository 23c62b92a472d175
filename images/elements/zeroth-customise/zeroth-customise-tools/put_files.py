"""Puts files into a tree, at places that links of the tree cannot lead out of.

Run in the tree, or beside one (``--root``), with Python alone::

    put_files.py FOLDER

``FOLDER/plan.json`` is a list of objects with ``target``, ``mode``, ``owner`` (user or user:group) and ``content``,
the name of a file in FOLDER.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
import shutil
import sys
from pathlib import Path

MOST_LINKS = 40
"""As the kernel has it."""
FORBIDDEN = ("boot", "dev", "proc", "run", "sys", "tmp", "var/lib/dpkg", "usr/lib/sysimage")
"""Places below which nothing is written, however a path leads there."""


def inside(root: Path, target: str) -> Path:
    """Where the folder of a target really is, its links followed as if ``root`` were the root.

    Folders that are missing are made (0755).

    :raises ValueError: a link goes in circles, something on the way is no folder, or the way ends where nothing may be
        written.
    """
    waiting = [part for part in reversed(Path(target).parent.parts) if part != "/"]
    place: list[str] = []
    links = 0
    while waiting:
        part = waiting.pop()
        if part == "..":
            place = place[:-1]
            continue
        here = root.joinpath(*place, part)
        if here.is_symlink():
            links += 1
            if links > MOST_LINKS:
                raise ValueError(f"{target}: links go in circles at /{'/'.join([*place, part])}")
            leads = here.readlink()
            if leads.is_absolute():
                place = []
            waiting.extend(step for step in reversed(leads.parts) if step != "/")
            continue
        if here.exists() and not here.is_dir():
            raise ValueError(f"{target}: /{'/'.join([*place, part])} is no folder")
        place.append(part)
        refuse("/".join(place), target)
        if not here.exists():
            here.mkdir()
            here.chmod(0o755)
    return root.joinpath(*place)


def refuse(place: str, target: str) -> None:
    """Check that something may be written at ``place``, relative to the root.

    :raises ValueError: it may not.
    """
    if any(place == name or place.startswith(f"{name}/") for name in FORBIDDEN):
        raise ValueError(f"{target}: a link of the tree leads it to /{place}, where nothing can be put")


def owner_ids(owner: str) -> tuple[int, int]:
    """User and group id of ``user`` or ``user:group``.

    :raises ValueError: there is none of that name.
    """
    user, _, group = owner.partition(":")
    if user == "root" and group in ("", "root"):
        return 0, 0
    try:
        found = pwd.getpwnam(user)
        return found.pw_uid, grp.getgrnam(group).gr_gid if group else found.pw_gid
    except KeyError:
        raise ValueError(f"there is no {owner}") from None


def put(root: Path, row: dict[str, object], content: Path) -> Path:
    """Put one file; what lies there, be it a link, is replaced and never written through. Returns where it is.

    :raises ValueError: as :func:`inside` does, or a folder lies there.
    """
    target = str(row["target"])
    folder = inside(root, target)
    final = folder / Path(target).name
    refuse(str(final.relative_to(root)), target)
    if final.is_dir() and not final.is_symlink():
        raise ValueError(f"{target}: a folder lies there")
    draft = folder / f".{final.name}.zeroth-new"
    shutil.copyfile(content, draft, follow_symlinks=False)
    uid, gid = owner_ids(str(row["owner"]))
    if os.geteuid() == 0:
        os.chown(draft, uid, gid)
    draft.chmod(int(str(row["mode"])))
    draft.replace(final)
    return final


def main(folder: Path, root: Path = Path("/")) -> None:
    """Put every file of the plan in ``folder`` into the tree at ``root``."""
    rows = json.loads((folder / "plan.json").read_text())
    for row in rows:
        put(root, row, folder / row["content"])
    print(f"{len(rows)} files")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), Path(sys.argv[3] if sys.argv[2:3] == ["--root"] else "/"))
    except (OSError, ValueError) as error:
        sys.exit(f"put_files: {error}")

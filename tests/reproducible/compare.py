"""The first file in which two folders differ."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from zeroth.system.files import sha256_file

__all__ = ["first_difference"]


def first_difference(one: Path, two: Path, *, latest: int = sys.maxsize) -> str:
    """Where two folders differ first, in the order of their names, and in what; empty when they are the same.

    Compared are names, kinds, modes, owners, times of files, links' targets and contents. Times of folders are not:
    they follow what was done in them, and the finished tree has one time for them all.

    :param latest: seconds since 1970; what is younger counts as made then, as packing takes it.
    """
    names = sorted({*_below(one), *_below(two)})
    for name in names:
        paths = one / name, two / name
        missing = [path for path in paths if not os.path.lexists(path)]
        if missing:
            return f"{name}: only in {paths[0].parent if missing[0] == paths[1] else paths[1].parent}"
        what = _different(*paths, latest)
        if what:
            return f"{name}: {what}"
    return ""


def _below(folder: Path) -> Iterator[str]:
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            yield os.path.relpath(os.path.join(root, name), folder)  # noqa: PTH118 - Path would take a minute for a tree


def _different(one: Path, two: Path, latest: int) -> str:
    stats = one.lstat(), two.lstat()
    told = [_told(it) for it in stats]
    for what, value in told[0].items():
        if told[1][what] != value:
            return f"{what} {value} and {told[1][what]}"
    if stat.S_ISLNK(stats[0].st_mode):
        targets = one.readlink(), two.readlink()
        return "" if targets[0] == targets[1] else f"a link to {targets[0]} and to {targets[1]}"
    if not stat.S_ISREG(stats[0].st_mode):
        return ""
    if stats[0].st_size != stats[1].st_size:
        return f"{stats[0].st_size} and {stats[1].st_size} bytes"
    if sha256_file(one) != sha256_file(two):
        return "the content"
    times = [min(int(it.st_mtime), latest) for it in stats]
    if times[0] != times[1]:
        return f"time {times[0]} and {times[1]}"
    return ""


def _told(found: os.stat_result) -> dict[str, str]:
    return {
        "kind": stat.filemode(found.st_mode)[0],
        "mode": oct(stat.S_IMODE(found.st_mode)),
        "owner": f"{found.st_uid}:{found.st_gid}",
    }

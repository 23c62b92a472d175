"""Lists what one folder has beside or other than another, a name a line, sorted: ``new_files.py BEFORE AFTER``.

Run in the tree, with Debian's own Python and nothing else.
"""

from __future__ import annotations

import filecmp
import os
import sys
from collections.abc import Iterator
from pathlib import Path


def new_files(before: Path, after: Path) -> Iterator[str]:
    """Paths below ``after``, as ``./name``, that ``before`` lacks or has with another content, sorted by their bytes.

    Modes and owners do not count; a folder counts as new only where there was none.
    """
    found = [path.relative_to(after) for path in after.rglob("*")]
    for path in sorted(found, key=lambda path: os.fsencode(f"./{path}")):
        if not _same(before / path, after / path):
            yield f"./{path}"


def _same(old: Path, new: Path) -> bool:
    if new.is_symlink():
        return old.is_symlink() and old.readlink() == new.readlink()
    if new.is_dir():
        return old.is_dir()
    return old.is_file() and filecmp.cmp(old, new, shallow=False)


if __name__ == "__main__":
    for line in new_files(Path(sys.argv[1]), Path(sys.argv[2])):
        print(line)

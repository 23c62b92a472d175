"""How large the medium is, and what makes it so."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from images.build import planned
from images.cache import Store
from images.config import BuildConfig, checkout
from tests.bench.figures import Figures
from tests.lab.paths import ISO
from zeroth.errors import UserError
from zeroth.system.size import MIB

__all__ = ["built_tree", "package_sizes", "size_figures"]

LARGEST = 10


def size_figures() -> list[Figures]:
    """The medium's parts, and the largest packages of the tree that the image was made from.

    :raises UserError: when nothing was built.
    """
    if not ISO.exists():
        raise UserError("there is no image to measure", "Run `make iso` first.")
    netboot = ISO.parent / "netboot"
    parts = [(path.name, path.stat().st_size / MIB) for path in sorted(netboot.iterdir()) if path.is_file()]
    rows = [("the ISO", ISO.stat().st_size / MIB), *sorted(parts, key=lambda part: -part[1])]
    found = sorted(package_sizes(built_tree()).items(), key=lambda item: -item[1])
    largest = [(name, size / MIB) for name, size in found[:LARGEST]]
    total = sum(size for _, size in found) / MIB
    return [
        Figures("iso", "Size", ("file", "MiB"), tuple(rows)),
        Figures("packages", f"The {LARGEST} largest of {len(found)} packages", ("package", "MiB in the tree"),
                (*largest, ("all packages", total)), "Before compression, without the files that the build left out."),
    ]  # fmt: skip


def package_sizes(tree: Path) -> dict[str, int]:
    """Bytes that each package's own files hold in a tree, from dpkg's lists of them."""
    found = {}
    for listing in (tree / "usr/lib/sysimage/dpkg/info").glob("*.list"):
        size = 0
        for line in listing.read_text().splitlines():
            try:
                status = os.lstat(tree / line.lstrip("/"))
            except (FileNotFoundError, NotADirectoryError):
                continue
            if stat.S_ISREG(status.st_mode):
                size += status.st_size
        found[listing.name.removesuffix(".list").partition(":")[0]] = size
    return found


def built_tree() -> Path:
    """The finished tree of the image in ``dist/``, or the newest that there is.

    :raises UserError: when none is left.
    """
    config = BuildConfig(checkout(), firmware=True)
    store = Store(config.cache)
    for item in planned(config):
        found = store.get("tree", item.step.key) if item.step.name == "tree" else None
        if found:
            return found / "tree"
    trees = sorted((config.cache / "objects").glob("tree-*/out/tree"), key=lambda path: path.stat().st_mtime)
    if not trees:
        raise UserError("the tree that the image was made from is gone", "Run `make iso` first.")
    return trees[-1]

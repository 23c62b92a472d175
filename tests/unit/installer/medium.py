"""A medium for tests: any bytes as its files, with the checksums and the tree of hashes that a real one has."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from zeroth.deploy.verity import ROOT_TREE, RootTree, write_root_tree

__all__ = ["TREE", "write_medium"]

TREE = RootTree(root_hash="ef" * 32, hash_offset=8192)


def write_medium(medium: Path, files: Mapping[str, bytes], version: str, prefix: str = "") -> Path:
    """Write a medium below the folder ``medium``; returns the folder.

    :param prefix: in front of each name in the list of checksums.
    """
    folder = medium / "zeroth"
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    write_root_tree(folder / ROOT_TREE, TREE)
    listed = {**files, ROOT_TREE: (folder / ROOT_TREE).read_bytes()}
    lines = (f"{hashlib.sha256(data).hexdigest()}  {prefix}{name}\n" for name, data in listed.items())
    (folder / "SHA256SUMS").write_text("".join(lines))
    (folder / "manifest.json").write_text(f'{{"version": "{version}"}}')
    return medium

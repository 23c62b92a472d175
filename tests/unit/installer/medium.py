"""A medium for tests: any bytes as its files, with the checksums and the tree of hashes that a real one has."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from zeroth.deploy.verity import ROOT_TREE, RootTree, write_root_tree
from zeroth.system.size import MIB

__all__ = ["TREE", "install_medium", "write_medium"]

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


def install_medium(medium: Path, root: int) -> Path:
    """A medium of random bytes that an installation can be made from; returns the folder.

    :param root: bytes of its root image.
    """
    sizes = {"root.squashfs": root, "xen.gz": MIB, "vmlinuz": 999_999, "initrd.img": 77}
    write_medium(medium, {name: os.urandom(size) for name, size in sizes.items()}, "0.1.0")
    (medium / "zeroth" / "grubx64.efi").write_bytes(os.urandom(100_000))
    return medium

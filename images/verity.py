"""The tree of hashes of a root image, behind its data in the same file."""

from __future__ import annotations

import uuid
from pathlib import Path

from images.tools import ToolsTree
from zeroth.deploy.verity import RootTree
from zeroth.system.files import sha256_file

__all__ = ["add_hash_tree"]

# Any fixed value: what makes the ids of images differ is the digest of their data.
_IDS = uuid.UUID("7a65726f-7468-4d61-8001-766572697479")


def add_hash_tree(image: Path, *, tools: ToolsTree) -> RootTree:
    """Append the dm-verity superblock and tree to an image; the same bytes for the same image.

    The salt is the digest of the data: nothing is gained by a random one, since the image is public, and the result
    would differ from build to build. The format is that of cryptsetup's ``veritysetup``, version 1, SHA-256.

    :param image: of whole blocks of 4096 bytes.
    """
    size = image.stat().st_size
    digest = sha256_file(image)
    found = image.with_suffix(".roothash")
    tools.run(
        ["veritysetup", "format", "--hash=sha256", "--data-block-size=4096", "--hash-block-size=4096",
         f"--salt={digest}", f"--uuid={uuid.uuid5(_IDS, digest)}", f"--data-blocks={size // 4096}",
         f"--hash-offset={size}", f"--root-hash-file={found}", image, image],
        show=[image.parent],
    )  # fmt: skip
    tree = RootTree(root_hash=found.read_text().strip(), hash_offset=size)
    found.unlink()
    return tree

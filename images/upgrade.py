"""The upgrade file of a build."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from images.config import ARCHITECTURE, BuildConfig
from images.pack import ROOT_NAME
from zeroth.deploy.verity import ROOT_TREE, read_root_tree
from zeroth.deploy.zup import write_upgrade
from zeroth.deploy.zup_header import Header, Kind, Payload
from zeroth.keys.signing import SecretKey
from zeroth.system.files import sha256_file

__all__ = ["ROOT_IMAGE", "make_upgrade", "upgrade_name"]

MANIFEST, ROOT_IMAGE = "manifest.json", ROOT_NAME
_KINDS = {MANIFEST: Kind.MANIFEST, ROOT_IMAGE: Kind.ROOT}


def upgrade_name(version: str) -> str:
    """What the upgrade file of a version is called."""
    return f"zeroth-{version}.zup"


def make_upgrade(
    out: Path,
    files: Mapping[str, Path],
    config: BuildConfig,
    keys: Sequence[SecretKey],
    progress: Callable[[float], None],
) -> None:
    """Write an upgrade file.

    :param files: manifest, root image with its tree, and boot files, by the names that they have on a medium.
    :param keys: it is signed with them; none leaves it unsigned, and hosts will not take it.
    """
    tree = read_root_tree(files[ROOT_TREE])
    order = sorted(files.keys() - {ROOT_TREE}, key=lambda name: (list(Kind).index(_KINDS.get(name, Kind.BOOT)), name))
    payloads = tuple(
        Payload(name=name, kind=_KINDS.get(name, Kind.BOOT), size=files[name].stat().st_size,
                sha256=sha256_file(files[name]))
        for name in order
    )  # fmt: skip
    header = Header(
        version=config.version, architecture=ARCHITECTURE, profile=config.profile.value, payloads=payloads, tree=tree,
    )  # fmt: skip
    with out.open("wb") as file:
        write_upgrade(file, header, files, keys, progress)

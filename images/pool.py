"""Packages downloaded by earlier builds."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from images.index import PackageIndex
from zeroth.system.files import sha256_file

__all__ = ["PackagePool"]


class PackagePool:
    """Packages downloaded by earlier builds; handed out only when their hash is the one that Debian signed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def offer(self, index: PackageIndex, into: Path) -> int:
        """Link into ``into`` the packages that the index knows; returns how many. Others are removed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        into.mkdir(parents=True)
        offered = 0
        for path in sorted(self.folder.glob("*.deb")):
            if index.archives.get(path.name) == sha256_file(path):
                _link_or_copy(path, into / path.name)
                offered += 1
            else:
                path.unlink()
        return offered

    def keep(self, folder: Path) -> None:
        """Take over the packages in a folder of apt's."""
        for path in folder.glob("*.deb"):
            if not (self.folder / path.name).exists():
                with suppress(FileExistsError):
                    _link_or_copy(path, self.folder / path.name)


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)

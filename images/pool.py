"""Packages downloaded by earlier builds."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from images.index import Archive, PackageIndex
from zeroth.errors import ExitCode, UserError
from zeroth.system.files import sha256_file
from zeroth.system.size import Size

__all__ = ["PackagePool", "need_here"]


_KEPT = 90 * 24 * 3600
"""Seconds that a package stays which no index knows any more: snapshots and other checkouts may."""


class PackagePool:
    """Packages downloaded by earlier builds; handed out only when their hash is the one that Debian signed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def offer(self, index: PackageIndex, into: Path) -> int:
        """Link into ``into`` the packages that the index knows; returns how many. Damaged and old ones are removed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        into.mkdir(parents=True)
        offered = 0
        for path in sorted(self.folder.glob("*.deb")):
            signed = index.archives.get(path.name)
            if signed is None:
                if path.stat().st_mtime < time.time() - _KEPT:
                    path.unlink()
            elif signed == sha256_file(path):
                _link_or_copy(path, into / path.name)
                offered += 1
            else:
                path.unlink()
        return offered

    def missing(self, index: PackageIndex, archives: Iterable[Archive]) -> list[Archive]:
        """Those of the package files that are not here whole, as Debian signed them."""
        return [
            archive
            for archive in archives
            if not (path := self.folder / archive.file).is_file()
            or index.archives.get(archive.file) != sha256_file(path)
        ]

    def keep(self, folder: Path) -> None:
        """Take over the packages in a folder of apt's."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in folder.glob("*.deb"):
            if not (self.folder / path.name).exists():
                with suppress(FileExistsError):
                    _link_or_copy(path, self.folder / path.name)
            os.utime(self.folder / path.name)


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)


def need_here(missing: Sequence[Archive], wanted: int) -> None:
    """Check that no package file has to be fetched, when nobody may be asked.

    :param wanted: how many are needed in all.
    :raises UserError: naming those that are not here.
    """
    if missing:
        names = "\n  ".join(sorted(archive.file for archive in missing)[:12])
        size = Size(sum(archive.size for archive in missing))
        raise UserError(
            f"--offline, and {len(missing)} of {wanted} packages ({size.approx()}) are not here:\n  {names}",
            "Build once without --offline, or name a mirror on this machine: --mirror file:/srv/debian",
            code=ExitCode.MACHINE,
        )

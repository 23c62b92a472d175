"""Package lists: one package a line, ``#`` starts a comment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from zeroth.errors import UserError

__all__ = ["LEFT_OUT", "PACKAGE_NAME", "SERVER_FIRMWARE", "UNREAD", "PackageList", "firmware_sets", "read_list"]

SERVER_FIRMWARE = "server"
"""The set of firmware that release images have."""


# Debian Policy 5.6.1: lower case letters, digits, plus, minus, full stop; two or more, first alphanumeric.
PACKAGE_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")

UNREAD = ("bug", "doc", "gnome/help", "groff", "info", "iso-codes", "linda", "lintian", "locale", "man")
"""Folders of /usr/share with documentation and translations that nobody reads on a host."""
LEFT_OUT = (
    *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in UNREAD),
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    "--dpkgopt=path-include=/usr/share/locale/locale.alias",
)
"""Options of mmdebstrap that leave them out; licences stay."""


@dataclass(frozen=True)
class PackageList:
    """Names of packages, sorted, with the line that each stands in.

    :param lines: (name, ``file:line``) of every package.
    """

    lines: tuple[tuple[str, str], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names alone."""
        return tuple(name for name, _ in self.lines)

    def __add__(self, other: PackageList) -> PackageList:
        """Both lists; a package named in both counts once."""
        return PackageList(tuple(sorted({**dict(other.lines), **dict(self.lines)}.items())))


def read_list(path: Path) -> PackageList:
    """Read a package list.

    :raises UserError: for a line that is no package name, a package named twice, or a missing file.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot read the package list: {error.strerror}", where=str(path)) from None
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        name, where = line.partition("#")[0].strip(), f"{path}:{number}"
        if not name:
            continue
        if not PACKAGE_NAME.fullmatch(name):
            raise UserError(
                f"{name!r} is not a package name", "Write one package a line; # starts a comment.", where=where
            )
        if name in found:
            raise UserError(f"{name} is named twice; first in {found[name]}", "Remove one of the two.", where=where)
        found[name] = where
    return PackageList(tuple(sorted(found.items())))


def firmware_sets(packages: Path) -> dict[str, Path]:
    """The package list of each set of firmware, by the set's name.

    :param packages: the folder of the lists; ``firmware-NAME.list`` holds the set NAME.
    """
    return {path.stem.removeprefix("firmware-"): path for path in sorted(packages.glob("firmware-*.list"))}

"""Extensions of the image: what packages add to a finished tree, as one verified image for systemd-sysext(8).

apt decides which packages are missing beside those of the tree, and fetches them; their files are unpacked, and no
script of theirs runs. Only /usr and /opt count: the rest of a host is not part of its image.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from debian.deb822 import Deb822, PkgRelation

from images.config import ARCHITECTURE
from images.index import PackageIndex
from images.manifest import DATABASE, installed_packages
from images.pack import squash
from images.packages import UNREAD, PackageList
from images.pool import PackagePool, need_here
from images.tools import ToolsTree
from images.verity import add_hash_tree
from zeroth.deploy.extension import EXTENSION_NAME, Extension
from zeroth.errors import UserError
from zeroth.system.files import sha256_file
from zeroth.system.run import CommandFailed, run

__all__ = ["Made", "Wanted", "make_extension"]

_KEPT = ("usr", "opt")
# Names that Debian 13 has as links into /usr.
_MERGED = ("bin", "sbin", "lib", "lib64")
_SCRIPTS = ("preinst", "postinst")


@dataclass(frozen=True)
class Wanted:
    """What an extension shall hold.

    :ivar packages: names, as the command line gave them.
    :ivar debs: package files.
    """

    name: str
    packages: tuple[str, ...]
    debs: tuple[Path, ...] = ()

    def check(self, index: PackageIndex) -> None:
        """Check what can be checked before anything is done.

        :raises UserError: for a name that is none, a package that does not exist, or nothing to put in.
        """
        if not re.fullmatch(EXTENSION_NAME, self.name):
            raise UserError(
                f"{self.name[:60]!r} is no name for an extension", "Use a-z, 0-9, - and . (40 characters at most)."
            )
        if not self.packages and not self.debs:
            raise UserError("the extension would be empty", "Name packages: --package NAME or --deb FILE.")
        index.check(PackageList(tuple((name, "--package") for name in self.packages)))


@dataclass(frozen=True)
class Made:
    """An image, and what is told of it.

    :ivar notes: what does not work as it would after an installation of the packages.
    """

    image: Path
    extension: Extension
    notes: tuple[str, ...]


def make_extension(
    wanted: Wanted,
    tree: Path,
    *,
    index: PackageIndex,
    pool: PackagePool,
    tools: ToolsTree,
    version: str,
    epoch: int,
    work: Path,
    alone: bool = False,
    progress: Callable[[float], None] = lambda _: None,
) -> Made:
    """Make an extension of a finished tree; the same bytes for the same packages.

    :param version: of the image that the tree becomes.
    :param work: an empty folder.
    :param alone: nobody may be asked for packages.
    :raises UserError: when the packages do not fit the tree.
    """
    base = {name: facts["version"] for name, facts in installed_packages(tree).items()}
    debs = _fetch(wanted, tree / DATABASE / "status", base, index, pool, work / "archives", alone=alone)
    content = work / "content"
    notes: list[str] = []
    added: dict[str, str] = {}
    needs: dict[str, str] = {}
    for at, deb in enumerate(debs):
        control = Deb822(run(["dpkg-deb", "--field", deb]).stdout)
        added[control["Package"]] = str(control["Version"])
        needs |= {name: base[name] for name in _depends(control) if name in base}
        notes += _unpack(deb, control["Package"], content, work / "one")
        progress(0.8 * (at + 1) / len(debs))
    _check_files(content, tree)
    units = (content / "usr/lib/systemd/system").is_dir()
    _release(content / "usr/lib/extension-release.d" / f"extension-release.{wanted.name}", tree, version, units=units)
    image = work / "image"
    squash(content, image, tools=tools, level=15, epoch=epoch)
    hashes = add_hash_tree(image, tools=tools)
    progress(1.0)
    extension = Extension(
        name=wanted.name, version=version, architecture=ARCHITECTURE, packages=added, needs=needs,
        size=image.stat().st_size, sha256=sha256_file(image), tree=hashes,
    )  # fmt: skip
    return Made(image, extension, tuple(notes))


def _fetch(
    wanted: Wanted,
    status: Path,
    base: dict[str, str],
    index: PackageIndex,
    pool: PackagePool,
    folder: Path,
    *,
    alone: bool,
) -> list[Path]:
    """The package files that are missing beside the tree's packages, in an order of names."""
    words = [*wanted.packages, *(str(deb.absolute()) for deb in wanted.debs)]
    archives = index.added(words, status)
    names = [archive.file.split("_")[0] for archive in archives]
    newer = [f"{name} {base[name]}" for name in names if name in base]
    if newer:
        raise UserError(
            f"these packages need newer ones of the image itself: {', '.join(newer)}",
            "Build the image with --update first, and the extension for that one.",
        )
    if not archives and not wanted.debs:
        raise UserError(f"the image has {', '.join(wanted.packages)} already", "There is nothing to add.")
    folder.mkdir(parents=True)
    missing = pool.missing(index, archives)
    if alone:
        need_here(missing, len(archives))
    if missing:
        index.download(missing, folder)
        pool.keep(folder)
    return sorted([*(pool.folder / archive.file for archive in archives), *wanted.debs], key=lambda path: path.name)


def _depends(control: Deb822) -> Iterable[str]:
    """Names of the packages that one may depend on, alternatives too."""
    for field in (name for name in ("Pre-Depends", "Depends") if control.get(name)):
        for alternatives in PkgRelation.parse_relations(control[field]):
            yield from (str(one["name"]) for one in alternatives)


def _unpack(deb: Path, name: str, content: Path, scratch: Path) -> list[str]:
    """Unpack a package's files into ``content``; returns what is left out of it."""
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        run(["dpkg-deb", "--raw-extract", deb, scratch])
    except CommandFailed:
        raise UserError("this package file cannot be unpacked", "Get it again.", where=str(deb)) from None
    scripts = [script for script in _SCRIPTS if (scratch / "DEBIAN" / script).is_file()]
    shutil.rmtree(scratch / "DEBIAN")
    for folder in _MERGED:
        if (scratch / folder).is_dir() and not (scratch / folder).is_symlink():
            _merge(scratch / folder, scratch / "usr" / folder)
            shutil.rmtree(scratch / folder)
    notes = []
    outside = sorted(
        f"/{path.relative_to(scratch)}" for path in scratch.rglob("*")
        if path.relative_to(scratch).parts[0] not in _KEPT and (path.is_symlink() or not path.is_dir())
    )  # fmt: skip
    if outside:
        more = f" and {len(outside) - 5} more" if len(outside) > 5 else ""
        notes.append(f"{name}: left out, since it is not in /usr or /opt: {', '.join(outside[:5])}{more}")
    if scripts:
        notes.append(f"{name}: its {' and '.join(scripts)} will not run: users, alternatives and caches are not made")
    for folder in (folder for folder in _KEPT if (scratch / folder).is_dir()):
        _merge(scratch / folder, content / folder)
    _drop_unread(content / "usr" / "share")
    return notes


def _merge(source: Path, target: Path) -> None:
    """Copy what is in a folder into another, with owners and times."""
    target.mkdir(parents=True, exist_ok=True)
    run(["cp", "-a", "--", f"{source}/.", target])


def _drop_unread(share: Path) -> None:
    """Take out what images leave out, too; licences stay."""
    for name in UNREAD:
        folder = share / name
        for path in sorted(folder.rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()):
                    path.rmdir()
            elif not (name == "doc" and path.name == "copyright"):
                path.unlink()
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _check_files(content: Path, tree: Path) -> None:
    """Nothing of the image may be hidden by the extension.

    :raises UserError: naming the files that both have.
    """
    both = sorted(
        f"/{path.relative_to(content)}" for path in content.rglob("*")
        if (path.is_symlink() or not path.is_dir()) and os.path.lexists(tree / path.relative_to(content))
    )  # fmt: skip
    if both:
        more = f"\n  and {len(both) - 8} more" if len(both) > 8 else ""
        raise UserError(
            "these files are in the image, too:\n  " + "\n  ".join(both[:8]) + more,
            "An extension adds to an image. To replace something of it, build an image of your own: --customise FILE.",
        )


def _release(path: Path, tree: Path, version: str, *, units: bool) -> None:
    """Which image systemd-sysext(8) may put it over, and whether it makes systemd look at its units."""
    host = dict(
        line.split("=", 1) for line in (tree / "usr/lib/os-release").read_text().splitlines() if "=" in line
    )  # fmt: skip
    path.parent.mkdir(parents=True)
    reload = "EXTENSION_RELOAD_MANAGER=1\n" if units else ""
    path.write_text(f"ID={host['ID']}\nVERSION_ID={host['VERSION_ID']}\nSYSEXT_LEVEL={version}\n{reload}")

"""Debian trees: one mmdebstrap transaction for a list of packages, and the packages kept for the next one."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from images.config import ARCHITECTURE, SUITE
from images.index import PackageIndex
from images.isolate import isolated
from images.meter import Meter, explained
from images.pool import PackagePool
from zeroth.system.run import CommandFailed, run

__all__ = ["bootstrap"]

_MEETING = "/media"
"""An empty folder of every Debian system."""


def bootstrap(
    packages: Sequence[str],
    target: Path,
    *,
    index: PackageIndex,
    pool: PackagePool,
    epoch: int,
    work: Path,
    variant: str = "apt",
    options: Sequence[str] = (),
    debs: Mapping[str, Path] | None = None,
    preferences: str = "",
    log: Callable[[str], None],
    progress: Callable[[float], None],
) -> None:
    """Install packages, without their recommendations, into the empty folder ``target``.

    The result names no mirror and holds no setting of the build host.

    :param variant: mmdebstrap's: ``apt``, or ``essential`` for a tree that is never changed.
    :param options: more of mmdebstrap's options.
    :param debs: package files that are installed with them, by the name that they get.
    :param preferences: apt's for this transaction (apt_preferences(5)).
    :param work: a folder for temporary files, on the file system of ``target`` and the pool.
    :param log: gets every line that mmdebstrap prints.
    :param progress: gets the fraction done, as far as apt tells.
    """
    offered, fresh = work / "offered", work / "fresh"
    reused = pool.offer(index, offered)
    log(f"{reused} packages are here from earlier builds")
    fresh.mkdir()
    sources = work / "sources.list"
    sources.write_text(index.sources)
    lists, old, new = (shlex.quote(os.fspath(path)) for path in (index.lists, offered, fresh))
    cache = '"$1"/var/cache/apt/archives'
    own = _own_packages(work / "own", debs or {}, preferences)
    argv = [
        "mmdebstrap", "--mode=root", f"--variant={variant}", f"--architectures={ARCHITECTURE}",
        f"--include={','.join(packages)}", "--skip=essential/unlink,check/empty,update", "--verbose",
        *(f"--aptopt={option}" for option in index.options),
        "--dpkgopt=force-unsafe-io",
        f'--setup-hook=mkdir -p {cache} "$1"/var/lib/apt/lists/partial',
        f'--setup-hook=cp -aL {lists}/*_* "$1"/var/lib/apt/lists/',
        f"--setup-hook=cp -al {old}/. {cache}/ 2>/dev/null || cp -a {old}/. {cache}/",
        *(["--hook-dir=/usr/share/mmdebstrap/hooks/file-mirror-automount"] if " file:" in index.sources else []),
        *options, *own,
        f"--customize-hook=cp -al {cache}/*.deb {new}/ 2>/dev/null || cp -a {cache}/*.deb {new}/",
        # Settings of the build host, and its mirrors.
        '--customize-hook=rm -f "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/etc/dpkg/dpkg.cfg.d/99mmdebstrap',
        '--customize-hook=rm -f "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/*',
        '--customize-hook=: >"$1"/etc/resolv.conf; rm -f "$1"/etc/hostname',
        SUITE, os.fspath(target), os.fspath(sources),
    ]  # fmt: skip
    meter = Meter(progress)

    def on_line(line: str) -> None:
        log(line)
        meter.read(line)

    try:
        run(
            isolated(_with_own(argv, work / "own") if debs else argv),
            env={"SOURCE_DATE_EPOCH": str(epoch), "TMPDIR": os.fspath(work)},
            on_line=on_line,
        )
    except CommandFailed as error:
        raise explained(error) from None
    pool.keep(fresh)


def _own_packages(folder: Path, debs: Mapping[str, Path], preferences: str) -> list[str]:
    """mmdebstrap's options for package files, copied to ``folder``, and for apt's preferences."""
    folder.mkdir()
    options = []
    if preferences:
        (folder / "preferences").write_text(preferences)
        kept = '"$1"/etc/apt/preferences.d/zeroth-own'
        source = shlex.quote(os.fspath(folder / "preferences"))
        options += [f'--setup-hook=mkdir -p "$1"/etc/apt/preferences.d && cp {source} {kept}',
                    f"--customize-hook=rm {kept}"]  # fmt: skip
    if debs:
        for name, path in debs.items():
            shutil.copyfile(path, folder / name)
        # Their names have to be the same outside and inside: see _with_own.
        options += [f"--include={_MEETING}/{name}" for name in sorted(debs)]
        options += [f'--setup-hook=mkdir -p "$1"{_MEETING} && cp {_MEETING}/*.deb "$1"{_MEETING}/',
                    f'--customize-hook=rm "$1"{_MEETING}/*.deb']  # fmt: skip
    return options


def _with_own(argv: Sequence[str], folder: Path) -> list[str]:
    """The command with ``folder`` mounted where it has the same name in the tree; seen by the command alone."""
    return ["sh", "-c", f'mount --bind "$1" {_MEETING} && shift && exec "$@"', "sh", os.fspath(folder), *argv]

"""Debian trees: one mmdebstrap transaction for a list of packages, and the packages kept for the next one."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from images.config import ARCHITECTURE, SUITE
from images.index import PackageIndex
from images.isolate import isolated
from images.meter import Meter, explained
from images.pool import PackagePool
from zeroth.system.run import CommandFailed, run

__all__ = ["bootstrap"]


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
    log: Callable[[str], None],
    progress: Callable[[float], None],
) -> None:
    """Install packages, without their recommendations, into the empty folder ``target``.

    The result names no mirror and holds no setting of the build host.

    :param variant: mmdebstrap's: ``apt``, or ``essential`` for a tree that is never changed.
    :param options: more of mmdebstrap's options.
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
    argv = [
        "mmdebstrap", "--mode=root", f"--variant={variant}", f"--architectures={ARCHITECTURE}",
        f"--include={','.join(packages)}", "--skip=essential/unlink,check/empty", "--verbose",
        *(f"--aptopt={option}" for option in index.options),
        "--dpkgopt=force-unsafe-io",
        f'--setup-hook=mkdir -p {cache} "$1"/var/lib/apt/lists/partial',
        f'--setup-hook=cp -a {lists}/*_* "$1"/var/lib/apt/lists/',
        f"--setup-hook=cp -al {old}/. {cache}/ 2>/dev/null || cp -a {old}/. {cache}/",
        *(["--hook-dir=/usr/share/mmdebstrap/hooks/file-mirror-automount"] if " file:" in index.sources else []),
        *options,
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
        run(isolated(argv), env={"SOURCE_DATE_EPOCH": str(epoch), "TMPDIR": os.fspath(work)}, on_line=on_line)
    except CommandFailed as error:
        raise explained(error) from None
    pool.keep(fresh)

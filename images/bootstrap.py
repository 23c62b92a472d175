"""Debian trees: one mmdebstrap transaction for a list of packages, and the packages kept for the next one."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from images.config import ARCHITECTURE, SUITE
from images.index import PackageIndex
from images.isolate import isolated
from images.log import LOG_HINT
from zeroth.errors import ExitCode, UserError
from zeroth.system.files import sha256_file
from zeroth.system.run import CommandFailed, run

__all__ = ["PackagePool", "bootstrap"]

_TROUBLE = re.compile(r"E: |Err:|dpkg: error|dpkg-deb: error|.*No space left|.*unmet dependencies| [\w.+-]+ : Depends")
_COUNT = re.compile(r"(\d+) newly installed")
_STAGES = (("Get:", 0.3), ("Unpacking ", 0.35), ("Setting up ", 0.35))


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
    meter = _Meter(progress)

    def on_line(line: str) -> None:
        log(line)
        meter.read(line)

    try:
        run(isolated(argv), env={"SOURCE_DATE_EPOCH": str(epoch), "TMPDIR": os.fspath(work)}, on_line=on_line)
    except CommandFailed as error:
        raise _explained(error) from None
    pool.keep(fresh)


def _explained(error: CommandFailed) -> UserError:
    """What went wrong, out of all that apt, dpkg and mmdebstrap printed."""
    lines = error.completed.stdout.splitlines()
    said = [line for line in lines if _TROUBLE.match(line)] or lines[-6:]
    if any("Failed to fetch" in line for line in said):
        hint = "The mirror changed or failed meanwhile: try again, or name another mirror with --mirror URL."
    elif any("No space left" in line for line in lines):
        hint = "The disk is full: free some space, or run `zeroth image clean`."
    else:
        hint = LOG_HINT
    why = "" if error.completed.status > 0 else " (it was killed)"
    shown = "".join(f"\n  {line}" for line in dict.fromkeys(said[-8:]))
    return UserError(f"mmdebstrap could not install the packages{why}:{shown}", hint, code=ExitCode.MACHINE)


class _Meter:
    """Reads how far apt is from what it prints."""

    def __init__(self, progress: Callable[[float], None]) -> None:
        self._progress = progress
        self._total = 0
        self._done = dict.fromkeys((start for start, _ in _STAGES), 0)

    def read(self, line: str) -> None:
        count = _COUNT.search(line)
        if count:
            # The essential set comes first, the rest later: the total grows once.
            self._total += int(count[1])
            return
        for start, _ in _STAGES:
            if line.startswith(start) and self._total:
                self._done[start] += 1
                self._progress(self._fraction())
                return

    def _fraction(self) -> float:
        # A package that needs no download counts as downloaded once it is unpacked.
        got = max(self._done["Get:"], self._done["Unpacking "])
        done = {**self._done, "Get:": got}
        return min(0.99, sum(share * min(1.0, done[start] / self._total) for start, share in _STAGES))


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)

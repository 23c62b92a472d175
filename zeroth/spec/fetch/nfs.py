"""An answer from an NFS server: its folder is mounted for a moment, read-only."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from zeroth.errors import UserError
from zeroth.keys.signing import SIGNATURE_SUFFIX
from zeroth.spec.answer import SIZE_LIMIT
from zeroth.spec.fetch.found import Found, failed, unreachable
from zeroth.system.run import CommandFailed, run

__all__ = ["fetch_nfs", "mounted_export"]

# Of one server that does not answer, mount would wait for two minutes; a soft mount gives up (10 s, twice).
_OPTIONS = "ro,nosuid,nodev,noexec,nolock,soft,timeo=100,retrans=1,retry=0"
_LONGEST = 60.0
# Not 4.2: its reading of sparse files (READ_PLUS) gives garbage where Linux 6.12 meets a Ganesha server of Debian 12.
_VERSIONS = ("4.1", "4.0", "3")


@contextmanager
def mounted_export(export: str) -> Iterator[Path]:
    """``SERVER:/PATH``, mounted read-only at a new folder for the time of the block.

    :raises CommandFailed: it cannot be mounted.
    """
    with tempfile.TemporaryDirectory(prefix="zeroth-answer-") as name:
        _mount(export, name)
        try:
            yield Path(name)
        finally:
            # Lazily: a server that went away must not hold up the installation.
            run(["umount", "-l", name])


def _mount(export: str, folder: str) -> None:
    for version in _VERSIONS:
        try:
            run(["mount", "-t", "nfs", "-o", f"{_OPTIONS},vers={version}", export, folder], timeout=_LONGEST)
        except CommandFailed as error:
            if version == _VERSIONS[-1] or "not supported" not in error.completed.stderr:
                raise
        else:
            return


def fetch_nfs(
    url: str, *, mounted: Callable[[str], AbstractContextManager[Path]] = mounted_export, signature: bool = False
) -> Found:
    """Fetch ``nfs://SERVER/FOLDER/FILE``: FOLDER is what the server exports, or a folder below it.

    :param mounted: mounts an export.
    :param signature: read what lies beside the answer as ``.minisig`` too, if there is such.
    :raises Unreachable: it cannot be mounted, or read.
    :raises UserError: there is no such file.
    """
    try:
        parts = urlsplit(url)
        server = parts.hostname
    except ValueError:
        server = None
    path = PurePosixPath(unquote(parts.path)) if server else PurePosixPath()
    if not server or server.startswith("-") or not path.is_absolute() or not path.name or ".." in path.parts:
        raise UserError("the address of the answer is malformed", "As in nfs://192.0.2.1/srv/answers/host1.ks")
    host = f"[{server}]" if ":" in server else server
    try:
        with mounted(f"{host}:{path.parent}") as folder:
            data = _read(url, folder, path.name)
            if data is None:
                raise failed(url, f"there is no {path.name} in {path.parent}")
            beside = (_read(url, folder, path.name + SIGNATURE_SUFFIX) or b"") if signature else b""
    except CommandFailed as error:
        if error.completed.status == 127:
            raise
        said = error.completed.stderr.strip().splitlines() or [error.message]
        raise unreachable(url, said[-1]) from None
    return Found(data, path.name, url, beside.decode(errors="replace"))


def _read(url: str, folder: Path, name: str) -> bytes | None:
    """At most a little more than an answer may have; None where there is no such file. Links are not followed."""
    target = folder / name
    try:
        if target.is_symlink() or not target.is_file():
            return None
        with target.open("rb") as file:
            return file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise unreachable(url, error.strerror or type(error).__name__) from None

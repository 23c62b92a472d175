"""Which packages a build takes: the newest, those of a date, or those that are here already.

Archives of snapshots keep a folder for each time that they looked at the archive, ``YYYYMMDDTHHMMSSZ`` in UTC, below
the address of the archive, and the same for the security archive. Over HTTP they answer any time with the last
snapshot before it; in a folder of this machine it is looked for. A repository that is frozen as a whole serves too:
in both cases the signed Release files tell whether the packages are of that date.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from images.releases import release_files
from images.snapshot import Snapshot
from images.sources import AptSource, Mirrors, mirrors_from
from zeroth.errors import ExitCode, UserError

__all__ = ["check_dates", "is_local", "mirrors_for"]

_FOLDER = re.compile(r"\d{8}T\d{6}Z")


def is_local(address: str) -> bool:
    """Whether a mirror's address leads nowhere but to this machine."""
    parts = urlsplit(address)
    if parts.scheme in {"file", "copy"}:
        return True
    host = parts.hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def mirrors_for(
    sources: Iterable[AptSource], mirror: str, snapshot: Snapshot | None = None, *, offline: bool = False
) -> Mirrors | None:
    """The mirrors that a build may ask; None when it may ask none, and takes what is here.

    :param sources: the machine's own.
    :param mirror: an address that the user named, or nothing.
    :raises UserError: when what the user asks for does not fit together.
    """
    if offline and mirror and not is_local(mirror):
        raise UserError(
            f"--offline, and {mirror} is not on this machine",
            "Name a mirror on this machine (file:/srv/debian, http://127.0.0.1/debian), or none: then what earlier "
            "builds fetched is used.",
        )
    if snapshot is not None:
        if mirror:
            return _dated(mirrors_from((), mirror), snapshot)
        if not offline:
            raise UserError(
                "packages of a date come from a mirror that keeps snapshots, and none is named",
                "Name it: --snapshot 2026-01-31 --mirror http://snapshots.example/archive/debian",
            )
        return None
    if not offline:
        return mirrors_from(sources, mirror)
    if mirror:
        return mirrors_from((), mirror)
    here = [replace(source, uris=tuple(filter(is_local, source.uris))) for source in sources]
    try:
        return mirrors_from(here)
    except UserError:
        return None


def check_dates(lists: Path, snapshot: Snapshot) -> None:
    """Check that signed indices are those of a snapshot: made before it, and not outdated then.

    :param lists: in the form of ``/var/lib/apt/lists``.
    :raises UserError: naming the suites that are not.
    """
    wrong = []
    for _, said in release_files(lists):
        suite = str(said.get("Codename", said.get("Suite", "?")))
        made, until = _time(str(said.get("Date", ""))), _time(str(said.get("Valid-Until", "")))
        if made is None:
            wrong.append(f"{suite}: its Release file bears no date")
        elif made > snapshot.moment:
            wrong.append(f"{suite}: made on {made.isoformat()}, after it")
        elif until is not None and until < snapshot.moment:
            wrong.append(f"{suite}: made on {made.isoformat()}, and outdated since {until.isoformat()}")
    if wrong:
        raise UserError(
            f"the mirror has no packages as of {snapshot}:\n  " + "\n  ".join(sorted(wrong)),
            "Name a mirror that keeps snapshots, or the date of the one that it holds.",
            code=ExitCode.MACHINE,
        )


def _dated(mirrors: Mirrors, snapshot: Snapshot) -> Mirrors:
    archive, security = (
        tuple(way for address in some for way in (*_folders(address, snapshot), address))
        for some in (mirrors.archive, mirrors.security)
    )
    return replace(mirrors, archive=archive, security=security)


def _folders(address: str, snapshot: Snapshot) -> tuple[str, ...]:
    """Where an archive of snapshots has this one."""
    parts = urlsplit(address)
    if parts.scheme not in {"file", "copy"}:
        return (f"{address}/{snapshot.stamp}",)
    folder = Path(unquote(parts.path))
    names = [path.name for path in folder.iterdir() if _FOLDER.fullmatch(path.name)] if folder.is_dir() else []
    before = [name for name in names if name <= snapshot.stamp]
    if names and not before:
        raise UserError(
            f"the first snapshot there is {min(names)}, after {snapshot.stamp}", "Name a later date.", where=address
        )
    return (f"{address}/{max(before)}",) if before else ()


def _time(text: str) -> datetime | None:
    """A time in a Release file, such as ``Sat, 10 Jan 2026 09:00:00 UTC``."""
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

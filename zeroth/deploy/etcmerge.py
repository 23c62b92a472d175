"""Three-way merging of /etc at an upgrade: the old image's, what the host changed, the new image's.

What the host changed is the upper folder of the overlay on /etc; a file that is not in it follows the image by itself.
So only the upper folder is walked, and what it holds is left, dropped or replaced:

- a file that the host did not change after all, or made what the new image has, is dropped: it follows the image;
- one that the image did not change stays as it is;
- where both changed a text, ``diff3`` merges them; account files are merged by their records
  (:mod:`zeroth.deploy.accounts`);
- where that fails the host's own file stays, and the image's lies beside it as ``NAME.zeroth-new``.

Removed files are device nodes 0:0, replaced folders have an attribute; see the kernel's documentation of overlayfs.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from zeroth.deploy.accounts import ACCOUNT_FILES, merge_accounts
from zeroth.system.run import run

__all__ = ["BESIDE", "MADE", "Entry", "Kind", "Merged", "Outcome", "decide", "merge_etc", "merge_text", "read_entry"]

BESIDE = ".zeroth-new"
MADE = frozenset({".updated", ".pwd.lock", "ld.so.cache", *(f"{name}-" for name in ACCOUNT_FILES)})
"""Directly in /etc: what programs make by themselves, from the image or as a copy."""


class Kind(StrEnum):
    """What lies at a path."""

    ABSENT = "absent"
    FILE = "file"
    LINK = "link"
    FOLDER = "folder"
    OTHER = "other"


@dataclass(frozen=True)
class Entry:
    """What lies at a path, as far as merging goes.

    :ivar data: a file's content, a link's target.
    :ivar access: permission bits, user id, group id; of a link nothing.
    """

    kind: Kind = Kind.ABSENT
    data: bytes = b""
    access: tuple[int, int, int] = (0, 0, 0)


class Outcome(StrEnum):
    """What became of something that the host had changed."""

    FOLLOWS = "follows the image"
    KEPT = "kept"
    MERGED = "merged"
    CONFLICT = "conflict"


@dataclass(frozen=True)
class Merged:
    """One path in /etc that had been changed.

    :ivar why: for people, where there is something to say.
    """

    path: str
    outcome: Outcome
    why: str = ""

    def as_json(self) -> dict[str, str]:
        """For reports."""
        return {"path": self.path, "outcome": self.outcome.value, "why": self.why}


def decide(base: Entry, ours: Entry, theirs: Entry) -> tuple[Outcome, Entry]:
    """What an upgrade makes of a path: pure, without merging contents.

    :returns: the outcome, and what shall be there. ``MERGED`` with the host's own data says that both sides changed
        the text: it is to be merged.
    """
    if ours in (theirs, base):
        return Outcome.FOLLOWS, theirs
    if theirs == base:
        return Outcome.KEPT, ours
    if {base.kind, ours.kind, theirs.kind} <= {Kind.FILE} or {base.kind, ours.kind, theirs.kind} <= {Kind.FOLDER}:
        access = theirs.access if ours.access == base.access else ours.access
        return Outcome.MERGED, replace(theirs if ours.data == base.data else ours, access=access)
    return Outcome.CONFLICT, ours


def merge_text(base: Path, ours: Path, theirs: Path) -> str | None:
    """The text with both sides' changes, by diff3; None where they overlap, or where one is no text of whole lines."""
    if not all(_is_text(path.read_bytes()) for path in (base, ours, theirs)):
        return None
    done = run(["diff3", "--merge", "--show-overlap", ours, base, theirs], ok=(0, 1))
    return done.stdout if done.status == 0 else None


def merge_etc(base: Path, theirs: Path, upper: Path) -> tuple[Merged, ...]:
    """Merge in place.

    :param base: /etc of the image that the host ran.
    :param theirs: /etc of the image that it will run.
    :param upper: the upper folder of the overlay; changed.
    :returns: what was found in it, by path. Folders are told of only where the new image has something else.
    :raises UserError: when the accounts of the new image do not go together with those of the host.
    """
    return tuple(_Merger(upper).folder("", base, theirs))


class _Merger:
    def __init__(self, upper: Path) -> None:
        self._upper = upper

    def folder(self, path: str, base: Path | None, theirs: Path | None) -> Iterator[Merged]:
        """Merge what lies in a folder of the upper side.

        :param base: the same folder of the old image; None when it is no folder there.
        """
        here = self._upper / path
        for name in sorted(entry.name for entry in os.scandir(here)):
            place = f"{path}/{name}" if path else name
            if name.endswith(BESIDE) or (not path and name in MADE):
                # Made by us or by programs, and out of date now.
                _remove(here / name)
                continue
            old, new = _below(base, name), _below(theirs, name)
            if read_entry(here / name).kind is Kind.FOLDER:
                yield from self.folder(place, _folder(old), _folder(new))
                theirs_now = read_entry(new)
                self._close(here / name, read_entry(old), theirs_now)
                if theirs_now.kind not in (Kind.FOLDER, Kind.ABSENT):
                    why = f"it is a {theirs_now.kind} in the new image; your own folder is kept"
                    yield Merged(place, Outcome.CONFLICT, why)
            else:
                yield self._file(place, here / name, old, new)

    def _close(self, here: Path, old: Entry, new: Entry) -> None:
        """A folder whose content was merged: its permissions, or nothing where it only mirrors the image's."""
        outcome, wanted = decide(old, read_entry(here), new)
        follows = outcome is Outcome.FOLLOWS and new.kind is Kind.FOLDER
        if follows and not _opaque(here) and not any(here.iterdir()):
            here.rmdir()
        elif wanted.kind is Kind.FOLDER:
            _set_access(here, wanted)

    def _file(self, path: str, here: Path, old: Path | None, new: Path | None) -> Merged:
        base, ours, theirs = read_entry(old), read_entry(here), read_entry(new)
        outcome, wanted = decide(base, ours, theirs)
        if outcome is Outcome.FOLLOWS:
            _remove(here)
            return Merged(path, outcome)
        if outcome is Outcome.KEPT:
            return Merged(path, outcome)
        if outcome is Outcome.CONFLICT:
            return _conflict(path, here, ours, new, theirs)
        assert old is not None
        assert new is not None
        if wanted.data == ours.data and theirs.data not in (base.data, ours.data):
            text = self._both_changed(path, old, here, new)
            if text is None:
                return _conflict(path, here, ours, new, theirs)
            wanted = replace(wanted, data=text.encode(errors="surrogateescape"))
        if wanted == theirs:
            _remove(here)
            return Merged(path, Outcome.FOLLOWS)
        here.write_bytes(wanted.data)
        _set_access(here, wanted)
        return Merged(path, Outcome.MERGED)

    def _both_changed(self, path: str, old: Path, here: Path, new: Path) -> str | None:
        if path in ACCOUNT_FILES:
            texts = [side.read_bytes().decode(errors="surrogateescape") for side in (old, here, new)]
            return merge_accounts(path, *texts)
        return merge_text(old, here, new)


def _is_text(data: bytes) -> bool:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    return "\0" not in text and (not text or text.endswith("\n"))


def _conflict(path: str, here: Path, ours: Entry, new: Path | None, theirs: Entry) -> Merged:
    if theirs.kind is Kind.ABSENT or new is None:
        return Merged(path, Outcome.CONFLICT, "the new image has it no more; your own is kept")
    if ours.kind is Kind.ABSENT:
        return Merged(path, Outcome.CONFLICT, "you removed it, and the new image has another one; it stays removed")
    if theirs.kind is Kind.FOLDER:
        return Merged(path, Outcome.CONFLICT, "it is a folder in the new image; your own is kept")
    beside = here.with_name(here.name + BESIDE)
    shutil.copy2(new, beside, follow_symlinks=False)
    os.chown(beside, theirs.access[1], theirs.access[2], follow_symlinks=False)
    return Merged(path, Outcome.CONFLICT, f"your own is kept, the new image's is {path}{BESIDE}")


def read_entry(path: Path | None) -> Entry:
    """What lies at a path; links are not followed. A removal of the overlay's is an absence."""
    if path is None:
        return Entry()
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return Entry()
    access = (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)
    if stat.S_ISLNK(found.st_mode):
        return Entry(Kind.LINK, os.fsencode(path.readlink()))
    if stat.S_ISREG(found.st_mode):
        return Entry(Kind.FILE, path.read_bytes(), access)
    if stat.S_ISDIR(found.st_mode):
        return Entry(Kind.FOLDER, b"", access)
    if stat.S_ISCHR(found.st_mode) and found.st_rdev == 0:
        return Entry()
    return Entry(Kind.OTHER, f"{found.st_mode} {found.st_rdev}".encode(), access)


def _below(folder: Path | None, name: str) -> Path | None:
    return folder / name if folder is not None else None


def _folder(path: Path | None) -> Path | None:
    """A folder itself, no link to one: what lies behind a link is not at this path."""
    return path if path is not None and path.is_dir() and not path.is_symlink() else None


def _opaque(folder: Path) -> bool:
    with suppress(OSError):
        return os.getxattr(folder, "trusted.overlay.opaque", follow_symlinks=False) == b"y"
    return False


def _set_access(path: Path, entry: Entry) -> None:
    mode, user, group = entry.access
    os.chown(path, user, group, follow_symlinks=False)
    path.chmod(mode)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()

"""The door through which the steps change the machine, for which tests can stand in and cut the power anywhere."""

from __future__ import annotations

import grp
import os
import pwd
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from zeroth.errors import ExitCode, UserError
from zeroth.system.files import atomic_write, fsync_directory
from zeroth.system.run import Completed, run

__all__ = ["LiveSystem", "System"]


class System(Protocol):
    """Everything that a step may do to the machine."""

    def run(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        stdin: str | None = None,
        ok: Sequence[int] = (0,),
        secrets: Sequence[str] = (),
    ) -> Completed:
        """Run a command; see :func:`zeroth.system.run.run`."""

    def write(self, path: Path, data: str | bytes, *, mode: int = 0o644, group: str = "") -> None:
        """Replace a file, all or nothing, and only if it differs."""

    def link(self, path: Path, target: str) -> None:
        """Make a symbolic link, or turn it round."""

    def remove(self, path: Path) -> None:
        """Remove a file, if it is there."""

    def give(self, path: Path, user: str) -> None:
        """Make a file the user's and his group's."""

    def set_hostname(self, name: str) -> None:
        """Name the running kernel."""


class LiveSystem:
    """The machine itself."""

    def run(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        stdin: str | None = None,
        ok: Sequence[int] = (0,),
        secrets: Sequence[str] = (),
    ) -> Completed:
        """Run a command, for five minutes at most."""
        return run(argv, input=stdin, ok=ok, redact=secrets, timeout=300)

    def write(self, path: Path, data: str | bytes, *, mode: int = 0o644, group: str = "") -> None:
        """Replace a file, all or nothing, and only if its content, mode or group differ."""
        raw = data.encode() if isinstance(data, str) else data
        gid = self.group_id(group) if group else os.getegid()
        try:
            old = path.lstat()
            same = path.read_bytes() == raw and old.st_mode & 0o7777 == mode and old.st_gid == gid
        except OSError:
            same = False
        if same:
            return
        # The mode that others profit from is given only when the group is right.
        atomic_write(path, raw, mode=mode & ~0o077 if group else mode)
        if group:
            os.chown(path, -1, gid)
            path.chmod(mode)

    def link(self, path: Path, target: str) -> None:
        """Make a symbolic link under another name and move it over the old one."""
        if path.is_symlink() and str(path.readlink()) == target:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        new.unlink(missing_ok=True)
        new.symlink_to(target)
        new.replace(path)
        fsync_directory(path.parent)

    def remove(self, path: Path) -> None:
        """Remove a file, durably."""
        if path.exists() or path.is_symlink():
            path.unlink()
            fsync_directory(path.parent)

    def give(self, path: Path, user: str) -> None:
        """Make a file (not what a link in its place points to) the user's and his group's."""
        os.chown(path, self.user_id(user), self.group_id(user), follow_symlinks=False)

    def set_hostname(self, name: str) -> None:
        """Name the running kernel."""
        if socket.gethostname() != name:
            socket.sethostname(name)

    def user_id(self, name: str) -> int:
        """The id of a system user.

        :raises UserError: when the image has no such user.
        """
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            raise _absent("user", name) from None

    def group_id(self, name: str) -> int:
        """The id of a system group.

        :raises UserError: when the image has no such group.
        """
        try:
            return grp.getgrnam(name).gr_gid
        except KeyError:
            raise _absent("group", name) from None


def _absent(kind: str, name: str) -> UserError:
    return UserError(
        f"this image has no {kind} {name!r}",
        f"The image is damaged or incomplete (systemd-sysusers makes the {kind}): install again.",
        code=ExitCode.MACHINE,
    )

"""The tools tree: packing tools, boot loaders and QEMU of Debian 13, whatever release the build host runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from images.isolate import in_root
from zeroth.system.run import Completed, run

__all__ = ["ToolsTree"]


@dataclass(frozen=True)
class ToolsTree:
    """A tree that commands run in, read-only.

    :param folder: holds ``tree``, and ``root``, an empty folder to mount on.
    """

    folder: Path

    def path(self, inside: str) -> Path:
        """Where a file of the tree lies on this machine: ``path("usr/share/OVMF/OVMF_CODE_4M.fd")``."""
        return self.folder / "tree" / inside.lstrip("/")

    def argv(
        self, command: Sequence[str | os.PathLike[str]], *, show: Sequence[Path] = (), cwd: Path | None = None
    ) -> list[str]:
        """What to start to run a command of the tree. Its process is the command's own, so signals reach it.

        ``/dev``, ``/proc``, ``/sys`` and the network are the machine's, ``/tmp`` is empty.

        :param show: folders and files of this machine that the command reads or writes, at their own absolute paths.
        :param cwd: its working folder, inside one of those shown.
        """
        return in_root(self.folder / "tree", self.folder / "root", command, show=show, cwd=cwd)

    def run(
        self,
        command: Sequence[str | os.PathLike[str]],
        *,
        show: Sequence[Path] = (),
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> Completed:
        """Run a command of the tree to its end; see :meth:`argv` and :func:`zeroth.system.run.run`."""
        path = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        return run(self.argv(command, show=show, cwd=cwd), env={**path, **(env or {})}, on_line=on_line)

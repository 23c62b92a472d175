"""Commands in namespaces of their own: whatever they mount or start ends with them, however they end."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

__all__ = ["in_root", "isolated"]

_UNSHARE = ("unshare", "--mount", "--propagation", "private")

# $1: the tree; $2: an empty folder to mount on; $3: working folder; $4: number of paths to show; then the paths, then
# the command. The new root is an overlay whose writable layer is in memory: paths can be shown anywhere, and the tree
# stays untouched. Relative names, because overlayfs splits its options at commas and colons.
_ENTER = r"""
set -eu
tree=$1 place=$2 cwd=$3 count=$4; shift 4
mount -t tmpfs -o mode=0755 zeroth-tools "$place"
cd "$place"
mkdir lower upper work new
mount --bind "$tree" lower
mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work zeroth-tools new
for name in dev proc sys; do mount --rbind "/$name" "new/$name"; done
mount -t tmpfs -o mode=1777 zeroth-tools new/tmp
while [ "$count" -gt 0 ]; do
  if [ -d "$1" ]; then mkdir -p "new$1"; else mkdir -p "new${1%/*}"; : >"new$1"; fi
  mount --rbind "$1" "new$1"
  shift; count=$((count - 1))
done
exec chroot new /usr/bin/env -C "$cwd" -- "$@"
"""


def isolated(command: Sequence[str | os.PathLike[str]]) -> list[str]:
    """The command in its own mount and process namespaces: when it ends, or its parent does, nothing of it is left.

    Start it from a thread that outlives it: the kernel takes the end of the starting thread for the parent's.
    """
    words = [os.fspath(word) for word in command]
    return [
        "setpriv",
        "--pdeathsig",
        "KILL",
        *_UNSHARE,
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "--",
        *words,
    ]


def in_root(
    tree: Path,
    place: Path,
    command: Sequence[str | os.PathLike[str]],
    *,
    show: Sequence[Path] = (),
    cwd: Path | None = None,
) -> list[str]:
    """The command inside a tree, with some folders and files of this machine shown at their own paths.

    It replaces the process that starts it, so signals reach it; its mounts end with it.

    :param place: an empty folder outside the tree; what is mounted there is seen by the command alone.
    :param show: absolute paths; shown writable.
    :param cwd: working folder, one of the shown ones or below; the root when not given.
    """
    shown = [os.fspath(path.absolute()) for path in show]
    words = [os.fspath(word) for word in command]
    places = [os.fspath(path.absolute()) for path in (tree, place, cwd or Path("/"))]
    return [*_UNSHARE, "--", "/bin/sh", "-c", _ENTER, "sh", *places, str(len(shown)), *shown, *words]

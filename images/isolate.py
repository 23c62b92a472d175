"""Commands in namespaces of their own: whatever they mount or start ends with them, however they end."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

__all__ = ["in_root", "isolated"]

_UNSHARE = ("unshare", "--mount", "--propagation", "private")

# $1: the tree; $2: an empty folder that becomes the new root; $3: working folder; $4: number of folders to show;
# then the folders, then the command. The tree itself stays untouched: the new root is a tmpfs with the tree's parts
# and the shown folders mounted in it at their own paths.
_ENTER = r"""
set -eu
tree=$1 root=$2 cwd=$3 count=$4; shift 4
mount -t tmpfs -o mode=0755,size=64m zeroth-tools "$root"
for item in "$tree"/* ; do
  name=${item##*/}
  if [ -L "$item" ]; then ln -s "$(readlink "$item")" "$root/$name"
  else mkdir "$root/$name"; case $name in
    usr|etc|var|opt) mount --bind "$item" "$root/$name"; mount -o remount,ro,bind "$root/$name";;
    dev|proc|sys) mount --rbind "/$name" "$root/$name";;
    tmp) mount -t tmpfs -o mode=1777 zeroth-tmp "$root/$name";;
    esac
  fi
done
while [ "$count" -gt 0 ]; do
  if [ -d "$1" ]; then mkdir -p "$root$1"; else mkdir -p "$root${1%/*}"; : >"$root$1"; fi
  mount --bind "$1" "$root$1"
  shift; count=$((count - 1))
done
exec chroot "$root" /usr/bin/env -C "$cwd" -- "$@"
"""


def isolated(command: Sequence[str | os.PathLike[str]]) -> list[str]:
    """The command in its own mount and process namespaces: when it ends, or its parent does, nothing of it is left."""
    return [*_UNSHARE, "--pid", "--fork", "--kill-child", "--mount-proc", "--", *(os.fspath(word) for word in command)]


def in_root(
    tree: Path,
    root: Path,
    command: Sequence[str | os.PathLike[str]],
    *,
    show: Sequence[Path] = (),
    cwd: Path | None = None,
) -> list[str]:
    """The command inside a tree, read-only, with some folders and files of this machine shown at their own paths.

    It replaces the process that starts it, so signals reach it; its mounts end with it.

    :param root: an empty folder outside the tree, used as a mount point that nobody else sees.
    :param show: absolute paths; shown writable.
    :param cwd: working folder, one of the shown ones or below; the root when not given.
    """
    shown = [os.fspath(path.resolve()) for path in show]
    words = [os.fspath(word) for word in command]
    where = os.fspath(cwd.resolve()) if cwd else "/"
    return [*_UNSHARE, "--", "/bin/sh", "-c", _ENTER, "sh", os.fspath(tree), os.fspath(root), where, str(len(shown)),
            *shown, *words]  # fmt: skip

"""The installed system before its first boot, put together as its initrd will do it, to run programs in.

What changes there, changes in the host: /etc goes into the overlay of its slot, /var and the logs to their partitions.
The image itself stays read-only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from zeroth.system.run import CommandFailed, run

__all__ = ["Chroot", "installed_system"]

# As in the initrd (zeroth-lib/host): the lower side changes from image to image.
_OVERLAY = "redirect_dir=off,index=off,metacopy=off"
_RESOLVER = Path("/run/systemd/resolve")


@dataclass(frozen=True)
class Chroot:
    """A system to run programs in.

    :ivar root: where it is mounted.
    """

    root: Path

    @property
    def run(self) -> Path:
        """A folder in it that is gone afterwards."""
        return self.root / "run" / "zeroth"

    @property
    def words(self) -> tuple[str, ...]:
        """What stands before a command that runs in it.

        Its processes have numbers of their own, and all of them end with the first: none keeps a file system busy.
        """
        return ("unshare", "--pid", "--fork", "--kill-child", "--mount", f"--mount-proc={self.root / 'proc'}",
                "chroot", str(self.root))  # fmt: skip


@contextmanager
def installed_system(device: Path, state: Path, log: Path, slot: str, where: Path) -> Iterator[Chroot]:
    """Put a system together for the time of the block.

    :param device: holds the root image.
    :param state: where the state partition is mounted.
    :param log: where the log partition is mounted.
    :param where: the mount point; made when it does not exist.
    :raises CommandFailed: it cannot be put together, or a program keeps it busy.
    """
    where.mkdir(parents=True, exist_ok=True)
    own, var = state / slot, state / "var"
    for folder in (own / "etc/upper", own / "etc/work", own / "store", var / "log", var / "lib/zeroth"):
        folder.mkdir(parents=True, exist_ok=True)
    overlay = f"lowerdir={where / 'etc'},upperdir={own / 'etc/upper'},workdir={own / 'etc/work'},{_OVERLAY}"
    with ExitStack() as mounts:

        def mount(target: Path, *words: str | Path) -> None:
            run(["mount", *words, target])
            mounts.callback(run, ["umount", target])

        mount(where, "-o", "ro", device)
        mount(where / "etc", "-t", "overlay", "-o", overlay, "zeroth-etc")
        mount(where / "var", "--bind", var)
        mount(where / "var/lib/zeroth", "--bind", own / "store")
        mount(where / "var/log", "--bind", log)
        mount(where / "run", "-t", "tmpfs", "-o", "mode=0755,size=64M", "tmpfs")
        mount(where / "tmp", "-t", "tmpfs", "-o", "mode=1777,size=256M", "tmpfs")
        mount(where / "dev", "--bind", "/dev")
        mount(where / "sys", "--bind", "-o", "ro", "/sys")
        chroot = Chroot(where)
        _fill(chroot)
        yield chroot


def _fill(chroot: Chroot) -> None:
    """What there is at the first boot before anything else runs: /var from the image; and the installer's resolver."""
    if os.path.lexists(chroot.root / "usr/bin/systemd-tmpfiles"):
        try:
            run([*chroot.words, "/usr/bin/systemd-tmpfiles", "--create", "--prefix=/var"])
        except CommandFailed as error:
            # As at boot: it does what it can, and its status says that a line was not to its liking.
            if error.completed.status not in (65, 73):
                raise
    if _RESOLVER.is_dir():
        inside = chroot.root / "run/systemd/resolve"
        inside.mkdir(parents=True)
        run(["cp", "--recursive", "--dereference", "--", *_RESOLVER.glob("*.conf"), inside], ok=(0, 1))

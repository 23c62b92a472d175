"""A disk made of a sparse file and loop devices, with a device node for each partition.

Partitions are loop devices of their own over the same file, so that this works on kernels whose loop devices have no
partitions, and without udev.
"""

from __future__ import annotations

import ctypes
import os
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from zeroth.deploy.layout import SrDisk, make_layout
from zeroth.system.block import partition_path
from zeroth.system.diskprobe import Usage
from zeroth.system.facts import DiskFacts
from zeroth.system.live import Device, disk_facts

__all__ = ["LoopDisk", "loop_disk", "own_mounts"]

_CLONE_NEWNS = 0x00020000  # linux/sched.h


class LoopDisk:
    def __init__(self, node: Path, loop: Path) -> None:
        self.node = node
        self._loop = loop

    def facts(self) -> DiskFacts:
        return disk_facts(Device(self.node, Path("/sys/class/block") / self._loop.name), Usage({}, {}))


@contextmanager
def loop_disk(
    folder: Path, size: int, sector: int = 512, *, laid_out: int = 0, image: Path | None = None, storage: bool = False
) -> Iterator[LoopDisk]:
    """A disk of ``size`` bytes, with partitions for the layout of one of ``laid_out`` bytes.

    :param storage: it is a further disk of the local storage repository, with one partition.
    :param image: what it holds; else it is empty, and gone at the end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(own_mounts())
        if image is None:
            # In memory: hundreds of fsyncs on a busy machine's disk would take minutes.
            file = stack.enter_context(tempfile.NamedTemporaryFile(dir="/dev/shm", prefix="zeroth-test-"))
            file.truncate(size)
        backing = image or file.name

        def attach(node: Path, *options: str) -> Path:
            words = ["--sector-size", str(sector), *options, str(backing)]
            loop = Path(_run("losetup", "--find", "--show", *words).strip())
            stack.callback(_run, "losetup", "--detach", str(loop))
            os.mknod(node, stat.S_IFBLK | 0o600, loop.stat().st_rdev)
            return loop

        disk = folder / "target"
        whole = attach(disk)
        only = SrDisk(size, sector)
        places = [(1, only.start, only.size)]
        if not storage:
            layout = make_layout(laid_out or size, sector)
            places = [(int(place.part), place.start, place.size) for place in layout.partitions]
        for number, start, length in places:
            attach(partition_path(disk, number), "--offset", str(start), "--sizelimit", str(length))
        yield LoopDisk(disk, whole)


@contextmanager
def own_mounts() -> Iterator[None]:
    """A mount namespace for the time of the block.

    Whoever makes a namespace elsewhere on this machine (an image build, say) gets a copy of all mounts, and holds on
    to the devices below them after they are unmounted here.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _checked(libc.unshare(_CLONE_NEWNS))
        _run("mount", "--make-rprivate", "/")
        yield
    finally:
        _checked(libc.setns(before, _CLONE_NEWNS))
        os.close(before)


def _checked(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _run(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout

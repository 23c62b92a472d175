"""Which file system the root image should have: the same tree packed in each way, and booted from each."""

from __future__ import annotations

import lzma
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from images.pack import BLOCK_SIZE
from tests.bench.figures import Figures
from tests.bench.size import built_tree
from tests.lab.host import Host
from tests.lab.machine import Disk, Machine
from tests.lab.paths import CACHE
from tests.lab.tools import tools
from zeroth.system.size import MIB

__all__ = ["rootfs_figures"]

BOOT_SECONDS = 900

# A boot script beside ours: the image is the machine's disk, under a writable layer in memory. erofs is not in our
# initrd: its module comes with the script, and nothing knows it but insmod.
_SCRIPT = """\
mount_top() { :; }
mount_premount() { :; }
mount_bottom() { :; }
mountroot() {
	modprobe -a virtio_blk overlay squashfs ext4
	for module in /bench/*.ko; do insmod "$module"; done
	mkdir -p /run/lower /run/upper
	while [ ! -b /dev/vda ]; do sleep 0.1; done
	mount -o ro /dev/vda /run/lower
	mount -t tmpfs upper /run/upper
	mkdir /run/upper/files /run/upper/work
	mount -t overlay -o lowerdir=/run/lower,upperdir=/run/upper/files,workdir=/run/upper/work root "$rootmnt"
}
"""


@dataclass(frozen=True)
class Packing:
    """One way to pack a tree.

    :ivar command: makes the image from the tree.
    """

    name: str
    command: Callable[[Path, Path], list[str | Path]]


def _squashfs(*compression: str) -> Callable[[Path, Path], list[str | Path]]:
    return lambda tree, image: [
        "mksquashfs", tree, image, "-noappend", "-quiet", "-no-progress", "-comp", *compression, "-b", BLOCK_SIZE,
        "-wildcards", "-e", "boot/*",
    ]  # fmt: skip


def _erofs(compression: str, cluster: int) -> Callable[[Path, Path], list[str | Path]]:
    return lambda tree, image: [
        "mkfs.erofs", "--quiet", f"-z{compression}", f"-C{cluster}", "-Eztailpacking,fragments",
        f"--workers={os.cpu_count()}", "--exclude-regex=^boot/", image, tree,
    ]  # fmt: skip


def _ext4(tree: Path, image: Path) -> list[str | Path]:
    # 30 percent for what files leave unused of their last blocks, and for the file system's own tables.
    size = sum(path.lstat().st_size for path in tree.rglob("*") if path.is_file() and not path.is_symlink())
    return [
        "mke2fs",
        "-q",
        "-t",
        "ext4",
        "-O",
        "^has_journal",
        "-m",
        "0",
        "-d",
        tree,
        image,
        f"{size * 13 // 10 >> 10}k",
    ]


PACKINGS = (
    Packing("squashfs, zstd 15", _squashfs("zstd", "-Xcompression-level", "15")),
    Packing("squashfs, zstd 3", _squashfs("zstd", "-Xcompression-level", "3")),
    Packing("squashfs, xz", _squashfs("xz")),
    # Its zstd at level 15 in clusters of 256 KiB takes a quarter of an hour of both processors and more.
    Packing("erofs, zstd 3", _erofs("zstd,level=3", 1 << 16)),
    Packing("erofs, lz4hc", _erofs("lz4hc,level=9", 1 << 16)),
    Packing("ext4, as it is", _ext4),
)


def rootfs_figures(say: Callable[[str], None]) -> list[Figures]:
    """Pack the finished tree in every way, and boot Linux from it to its login prompt."""
    tree = built_tree()
    rows: list[tuple[str, float | None, float | None, float | None]] = []
    with TemporaryDirectory(prefix="rootfs-", dir=CACHE) as name:
        work = Path(name)
        initrd = _initrd(tree, work)
        for packing in PACKINGS:
            say(packing.name)
            image = work / "root.image"
            started = time.monotonic()
            tools().run(*packing.command(tree, image), show=[tree, work])
            packed = time.monotonic() - started
            size = image.stat().st_blocks * 512 / MIB
            rows.append((packing.name, packed, size, _boot(tree, image, initrd, work)))
            image.unlink()
    return [
        Figures("rootfs", "The root image in other file systems", ("packing", "packing s", "MiB", "boot s"),
                tuple(rows), "Boot: from power-on to the login prompt, Linux alone, one emulated processor.")
    ]  # fmt: skip


def _initrd(tree: Path, work: Path) -> Path:
    """The tree's own initrd, with the boot script ``bench`` and the module of erofs behind it."""
    added = work / "added"
    (added / "bench").mkdir(parents=True)
    (added / "scripts").mkdir()
    (added / "scripts" / "bench").write_text(_SCRIPT)
    # In the order of their names: what erofs needs, then erofs.
    for number, module in enumerate(("lib/libcrc32c", "fs/erofs/erofs")):
        found = next(tree.glob(f"usr/lib/modules/*/kernel/{module}.ko.xz"))
        (added / "bench" / f"{number}.ko").write_bytes(lzma.decompress(found.read_bytes()))
    archive = work / "added.cpio"
    pack = 'cd "$1" && find . | cpio --quiet -o -H newc > "$2"'
    tools().run("sh", "-c", pack, "sh", added, archive, show=[work])
    initrd = work / "initrd.img"
    with initrd.open("wb") as out:
        for part in (next(tree.glob("boot/initrd.img-*")), archive):
            out.write(part.read_bytes())
            out.write(bytes(-out.tell() % 512))
    return initrd


def _boot(tree: Path, image: Path, initrd: Path, work: Path) -> float:
    """Seconds from power-on to the login prompt on the serial console."""
    kernel = work / "vmlinuz"
    shutil.copyfile(next(tree.glob("boot/vmlinuz-*")), kernel)
    words = "boot=bench console=ttyS0 mitigations=off systemd.unit=multi-user.target"
    machine = Machine(
        disks=(Disk(image, "root", readonly=True),), cpus=1, memory_mib=2048,
        extra=("-kernel", str(kernel), "-initrd", str(initrd), "-append", words),
    )  # fmt: skip
    host = Host(machine, work / "host")
    try:
        host.wait_for("login: ", BOOT_SECONDS)
        return host.seconds()
    finally:
        host.kill()

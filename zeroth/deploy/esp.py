"""The EFI system partition, written with mtools and never mounted.

A host on two disks has one on each, no more than copies of each other: whoever writes boot files writes all of them
through one :class:`Esp`, and never one alone.

mtools works on the partition's device directly. That needs no FAT driver in the kernel, so the same code runs in the
installer, in tests on any machine, and later where the boot files of the other slot are replaced; nothing is left
mounted when a step fails; and what is read back for comparison comes from the device, not from a file system's cache.
"""

from __future__ import annotations

import re
import struct
import tempfile
from collections.abc import Sequence
from pathlib import Path

from zeroth.errors import ExitCode, UserError
from zeroth.system.block import flush
from zeroth.system.files import sha256_file
from zeroth.system.run import Completed, run

__all__ = ["Esp"]


class Esp:
    """The FAT file systems that a host boots from: one on each of its disks, the same on all.

    What is read comes from the first. Paths are absolute, with slashes: ``/boot/grub/grub.cfg``.

    :param others: of the other disks of a mirror.
    """

    def __init__(self, device: Path, *others: Path) -> None:
        self._device = device
        self._others = others

    @property
    def device(self) -> Path:
        """The first disk's device."""
        return self._device

    @property
    def each(self) -> tuple[Esp, ...]:
        """One for each disk, by itself."""
        return tuple(Esp(device) for device in (self._device, *self._others))

    def make(self, label: str, volume_id: str) -> None:
        """Make an empty FAT32 file system.

        :param volume_id: eight hexadecimal digits.
        """
        for one in self.each:
            run(["mkfs.fat", "-F", "32", "-n", label, "-i", volume_id, one.device])
            flush(one.device)

    def make_folder(self, path: str) -> None:
        """Make a folder and those above it; those that exist are left as they are."""
        parts = path.strip("/").split("/")
        for one in self.each:
            for depth in range(1, len(parts) + 1):
                folder = "/" + "/".join(parts[:depth])
                if not one.exists(folder):
                    _mtools(one.device, "mmd", f"::{folder}")

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder of that name."""
        return _mtools(self._device, "mdir", "-b", f"::{path}", ok=(0, 1)).status == 0

    def put(self, source: Path, path: str, sha256: str) -> None:
        """Copy a file in such that under its name there is never half of it, and compare what arrived.

        :param sha256: what it must hash to when read back from the device.
        :raises UserError: when it does not.
        """
        for one in self.each:
            _put(one, source, path, sha256)

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, instead of whatever has it."""
        for one in self.each:
            if one.exists(new):
                _mtools(one.device, "mdel", f"::{new}")
            _mtools(one.device, "mren", f"::{old}", f"::{new}")
            flush(one.device)

    def put_text(self, text: str, path: str) -> None:
        """Write a text file, as :meth:`put` does."""
        self.put_bytes(text.encode(), path)

    def put_bytes(self, data: bytes, path: str) -> None:
        """Write a small file, as :meth:`put` does."""
        with tempfile.TemporaryDirectory(prefix="zeroth-esp-") as folder:
            source = Path(folder) / "data"
            source.write_bytes(data)
            self.put(source, path, sha256_file(source))

    def remove(self, path: str) -> None:
        """Remove a file, if there is one."""
        for one in self.each:
            if one.exists(path):
                _mtools(one.device, "mdel", f"::{path}")
                flush(one.device)

    def files(self) -> tuple[str, ...]:
        """The paths of all files, as they were put, sorted."""
        # 1 is also the status of an empty file system.
        found = _mtools(self._device, "mdir", "-/", "-b", "-a", "::/", ok=(0, 1)).stdout.splitlines()
        return tuple(sorted(line.removeprefix("::") for line in found if line.startswith("::/") and line[-1] != "/"))

    def fetch(self, path: str, copy: Path) -> None:
        """Copy a file out, over what is at ``copy``."""
        _mtools(self._device, "mcopy", "-n", "-o", f"::{path}", copy)

    def sha256(self, path: str) -> str:
        """The SHA-256 of a file."""
        with tempfile.TemporaryDirectory(prefix="zeroth-esp-") as folder:
            copy = Path(folder) / "copy"
            self.fetch(path, copy)
            return sha256_file(copy)

    def read_text(self, path: str) -> str:
        """A text file's content."""
        return _mtools(self._device, "mtype", f"::{path}").stdout

    def extents(self, path: str) -> list[int]:
        """Where the pieces of a file begin on the device, in bytes.

        :raises UserError: when there is no such file.
        """
        # ::/path <3-5> <9>: clusters, of which the first has number 2 and follows reserved sectors and tables.
        said = _mtools(self._device, "mshowfat", f"::{path}").stdout
        with self._device.open("rb") as device:
            boot = device.read(512)
        sector, per_cluster, reserved, tables = struct.unpack_from("<HBHB", boot, 11)
        (table_sectors,) = struct.unpack_from("<I", boot, 36)
        first = (reserved + tables * table_sectors) * sector
        found = [int(number) for number in re.findall(r"<(\d+)(?:-\d+)?>", said)]
        return [first + (number - 2) * per_cluster * sector for number in found]


def _mtools(device: Path, tool: str, *words: str | Path, ok: Sequence[int] = (0,)) -> Completed:
    # mtools refuses geometries that differ from its idea of a disk, unless told not to look.
    env = {"MTOOLS_SKIP_CHECK": "1", "MTOOLSRC": "/dev/null"}
    return run([tool, "-i", device, *words], ok=ok, env=env)


def _put(esp: Esp, source: Path, path: str, sha256: str) -> None:
    folder, _, name = path.rpartition("/")
    # A name of its own while it is being written: renaming changes one directory sector.
    esp.make_folder(folder)
    # FAT notes beside a short name whether its end is in lower case, and mren leaves that note as it is.
    fresh = f"{folder}/{name.rpartition('.')[0] or name}.{'NEW' if name.isupper() else 'new'}"
    _mtools(esp.device, "mcopy", "-o", source, f"::{fresh}")
    flush(esp.device)
    found = esp.sha256(fresh)
    if found != sha256:
        raise UserError(
            f"{path} reads back from {esp.device} with SHA-256 {found}, should be {sha256}",
            "The disk does not keep what is written to it; replace it.",
            code=ExitCode.MACHINE,
        )
    esp.rename(fresh, path)

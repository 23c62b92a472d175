"""The EFI system partition, written with mtools and never mounted.

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
    """One FAT file system on a device. Paths are absolute, with slashes: ``/boot/grub/grub.cfg``."""

    def __init__(self, device: Path) -> None:
        self._device = device

    @property
    def device(self) -> Path:
        """The partition's device."""
        return self._device

    def make(self, label: str, volume_id: str) -> None:
        """Make an empty FAT32 file system.

        :param volume_id: eight hexadecimal digits.
        """
        run(["mkfs.fat", "-F", "32", "-n", label, "-i", volume_id, self._device])
        flush(self._device)

    def make_folder(self, path: str) -> None:
        """Make a folder and those above it; those that exist are left as they are."""
        parts = path.strip("/").split("/")
        for depth in range(1, len(parts) + 1):
            folder = "/" + "/".join(parts[:depth])
            if not self.exists(folder):
                self._run("mmd", f"::{folder}")

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder of that name."""
        return self._run("mdir", "-b", f"::{path}", ok=(0, 1)).status == 0

    def put(self, source: Path, path: str, sha256: str) -> None:
        """Copy a file in such that under its name there is never half of it, and compare what arrived.

        :param sha256: what it must hash to when read back from the device.
        :raises UserError: when it does not.
        """
        folder, _, name = path.rpartition("/")
        # A name of its own while it is being written: renaming changes one directory sector.
        self.make_folder(folder)
        fresh = f"{folder}/{name.rpartition('.')[0] or name}.new"
        self._run("mcopy", "-o", source, f"::{fresh}")
        flush(self._device)
        found = self.sha256(fresh)
        if found != sha256:
            raise UserError(
                f"{path} reads back from {self._device} with SHA-256 {found}, should be {sha256}",
                "The disk does not keep what is written to it; replace it.",
                code=ExitCode.MACHINE,
            )
        self.rename(fresh, path)

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, instead of whatever has it."""
        if self.exists(new):
            self._run("mdel", f"::{new}")
        self._run("mren", f"::{old}", f"::{new}")
        flush(self._device)

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
        if self.exists(path):
            self._run("mdel", f"::{path}")
            flush(self._device)

    def sha256(self, path: str) -> str:
        """The SHA-256 of a file."""
        with tempfile.TemporaryDirectory(prefix="zeroth-esp-") as folder:
            copy = Path(folder) / "copy"
            self._run("mcopy", f"::{path}", copy)
            return sha256_file(copy)

    def read_text(self, path: str) -> str:
        """A text file's content."""
        return self._run("mtype", f"::{path}").stdout

    def extents(self, path: str) -> list[int]:
        """Where the pieces of a file begin on the device, in bytes.

        :raises UserError: when there is no such file.
        """
        # ::/path <3-5> <9>: clusters, of which the first has number 2 and follows reserved sectors and tables.
        said = self._run("mshowfat", f"::{path}").stdout
        with self._device.open("rb") as device:
            boot = device.read(512)
        sector, per_cluster, reserved, tables = struct.unpack_from("<HBHB", boot, 11)
        (table_sectors,) = struct.unpack_from("<I", boot, 36)
        first = (reserved + tables * table_sectors) * sector
        found = [int(number) for number in re.findall(r"<(\d+)(?:-\d+)?>", said)]
        return [first + (number - 2) * per_cluster * sector for number in found]

    def _run(self, tool: str, *words: str | Path, ok: Sequence[int] = (0,)) -> Completed:
        # mtools refuses geometries that differ from its idea of a disk, unless told not to look.
        env = {"MTOOLS_SKIP_CHECK": "1", "MTOOLSRC": "/dev/null"}
        return run([tool, "-i", self._device, *words], ok=ok, env=env)

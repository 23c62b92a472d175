"""An ISO image as its files: where each lies, and what it holds. Nothing is mounted, and root is not needed.

xorriso tells the layout; the content is then read from the image itself.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from images.config import BuildConfig, checkout
from zeroth.errors import ExitCode, UserError
from zeroth.system.run import CommandFailed, Completed, run

__all__ = ["CHUNK", "Iso", "IsoFile", "open_iso", "parse_layout", "xorriso"]

CHUNK = 4 << 20
"""Bytes that are read at a time."""
_BLOCK = 2048
_ROW = re.compile(r"File data lba:\s*(\d+) ,\s*(\d+) ,\s*(\d+) ,\s*(\d+) , (.+)")


class Tools(Protocol):
    """Something that runs a command to its end; :class:`images.tools.ToolsTree` is one."""

    def run(self, command: Sequence[str | os.PathLike[str]], *, show: Sequence[Path] = ()) -> Completed:
        """See :func:`zeroth.system.run.run`. ``show``: folders that the command reads."""


class _HostTools:
    def run(self, command: Sequence[str | os.PathLike[str]], *, show: Sequence[Path] = ()) -> Completed:
        del show  # This machine's programs see everything.
        return run(command)


@dataclass(frozen=True)
class IsoFile:
    """One file of an image.

    :ivar path: from the top, without a leading slash.
    :ivar size: in bytes.
    :ivar extents: where its content lies: offset in the image and length, in bytes, in order.
    """

    path: str
    size: int
    extents: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Iso:
    """An image.

    :ivar files: by path.
    :ivar report: what xorriso says about the volume, El Torito and the system area.
    """

    path: Path
    size: int
    files: Mapping[str, IsoFile]
    report: str

    def chunks(self, name: str) -> Iterator[bytes]:
        """The content of a file, in pieces.

        :raises UserError: when there is no such file, or the image is cut short.
        """
        if name not in self.files:
            raise self.wrong(f"there is no {name} in it")
        file = self.files[name]
        with self.path.open("rb") as image:
            for start, length in file.extents:
                image.seek(start)
                left = length
                while left:
                    chunk = image.read(min(left, CHUNK))
                    if not chunk:
                        raise self.wrong(f"it ends within {name}")
                    left -= len(chunk)
                    yield chunk

    def read(self, name: str, limit: int) -> bytes:
        """The content of a file.

        :param limit: bytes; a larger file is not what it should be.
        :raises UserError: as :meth:`chunks`, and for a larger file.
        """
        if name in self.files and self.files[name].size > limit:
            raise self.wrong(f"{name} in it has {self.files[name].size} bytes, more than {limit}")
        return b"".join(self.chunks(name))

    def wrong(self, message: str, hint: str = "Is it a whole zeroth ISO image?") -> UserError:
        """An error about this image."""
        return UserError(message, hint, where=str(self.path))


def xorriso() -> Tools:
    """What runs xorriso: this machine's own, else that of the tools tree that a build left here.

    :raises UserError: when there is none.
    """
    if shutil.which("xorriso"):
        return _HostTools()
    found = _tools_tree() if os.geteuid() == 0 else None
    if found is None:
        raise UserError(
            "xorriso is not installed",
            "Run: sudo apt-get install -y --no-install-recommends xorriso",
            code=ExitCode.MACHINE,
        )
    return found


def _tools_tree() -> Tools | None:
    try:
        config = BuildConfig(checkout())
    except UserError:
        return None
    # The builder's libraries need not be there where finished images are handled.
    from images.build import existing_tools

    return existing_tools(config)


def open_iso(path: Path, tools: Tools | None = None) -> Iso:
    """Read the layout of an image.

    :raises UserError: when it is no ISO image, cannot be read, or xorriso is missing.
    """
    if not path.is_file():
        what = "this is no file" if path.exists() else "there is no such file"
        raise UserError(what, "Name the file of an ISO image.", where=str(path))
    tools = tools or xorriso()
    # Resolved: a tools tree sees only the folder that is shown to it.
    real = path.resolve()
    command = ["xorriso", "-abort_on", "FATAL", "-indev", f"stdio:{real}", "-pvd_info",
               "-report_el_torito", "plain", "-report_system_area", "plain",
               "-find", "/", "-type", "f", "-exec", "report_lba", "--"]  # fmt: skip
    try:
        text = tools.run(command, show=[real.parent]).stdout
    except CommandFailed as error:
        if error.completed.status in (126, 127):
            raise
        text = ""
    files = parse_layout(text)
    if not files or "Volume Id" not in text:
        raise UserError("this is no ISO image that xorriso can read", "Is it the right file, and whole?",
                        where=str(path))  # fmt: skip
    return Iso(path, real.stat().st_size, files, text)


def parse_layout(text: str) -> dict[str, IsoFile]:
    """The files in what xorriso's ``-find / -type f -exec report_lba`` printed, by path."""
    rows: dict[str, list[tuple[int, int, int, int]]] = {}
    for line in text.splitlines():
        match = _ROW.fullmatch(line.strip())
        if match:
            extent, start, blocks, size = (int(match[number]) for number in range(1, 5))
            name = "".join(shlex.split(match[5])).lstrip("/")
            rows.setdefault(name, []).append((extent, start, blocks, size))
    return {name: _file(name, sorted(found)) for name, found in sorted(rows.items())}


def _file(name: str, rows: Sequence[tuple[int, int, int, int]]) -> IsoFile:
    left = size = rows[0][3]
    extents = []
    for _, start, blocks, _ in rows:
        length = min(left, blocks * _BLOCK)
        extents.append((start * _BLOCK, length))
        left -= length
    return IsoFile(name, size, tuple(extents))

"""A root image that is small and can be run in: a shell and a few tools, with the folders that the real one has."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

__all__ = ["make_root_image"]

_PROGRAMS = ("sh", "cat", "id", "ls", "mkdir", "sleep", "touch")
_FOLDERS = ("bin", "etc", "var", "run", "tmp", "dev", "sys", "proc", "root", "usr/bin")


def make_root_image(folder: Path) -> bytes:
    """An ext4 file system, which like the real squashfs is mounted read-only."""
    tree, file = folder / "tree", folder / "root.ext4"
    for name in _FOLDERS:
        (tree / name).mkdir(parents=True)
    for name in _PROGRAMS:
        program = shutil.which(name)
        assert program
        shutil.copy(Path(program).resolve(), tree / "bin" / name)
        for word in subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout.split():
            if word.startswith("/"):
                library = tree / word.lstrip("/")
                library.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(Path(word).resolve(), library)
    (tree / "etc/motd").write_text("from the image\n")
    subprocess.run(["mkfs.ext4", "-q", "-d", tree, file, "32M"], check=True)
    return file.read_bytes()

"""A guest that boots in a second: one static program as the whole initramfs, started by the host's own Linux."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.lab.paths import CACHE
from zeroth.system.files import atomic_write, sha256_file
from zeroth.system.run import run

__all__ = ["Member", "cpio", "guest_initrd"]

_SOURCE = Path(__file__).with_name("init.c")


@dataclass(frozen=True)
class Member:
    """A file of a cpio archive.

    :ivar mode: type and permission bits, as in ``st_mode``.
    :ivar device: major and minor number of a device node.
    """

    name: str
    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


def cpio(members: Iterable[Member]) -> bytes:
    """A "newc" archive, as the kernel unpacks it into its first root (Documentation/driver-api/early-userspace)."""
    archive = b""
    for number, member in enumerate([*members, Member("TRAILER!!!", 0)], start=1):
        name = member.name.encode() + b"\0"
        fields = (number, member.mode, 0, 0, 1, 0, len(member.data), 0, 0, *member.device, len(name), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields)
        archive += _padded(head + name) + _padded(member.data)
    return archive


def guest_initrd() -> Path:
    """Compile the guest, unless that was done, and return its initramfs."""
    target = CACHE / f"guest-{sha256_file(_SOURCE)[:16]}.img"
    if not target.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        program = target.with_suffix(".bin")
        run(["gcc", "-static", "-Os", "-s", "-Wall", "-Werror", "-o", program, _SOURCE])
        members = (
            Member("dev", stat.S_IFDIR | 0o755),
            Member("dev/console", stat.S_IFCHR | 0o600, device=(5, 1)),
            Member("init", stat.S_IFREG | 0o755, program.read_bytes()),
        )
        atomic_write(target, cpio(members))
        program.unlink()
    return target


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)

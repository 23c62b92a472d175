"""Stands for mdadm on a kernel without md, as a program on PATH; the lab has the real one.

A mirror is a loop device over the first member, behind the head; its other members become equal when it is stopped.
What it leaves on a member is what libblkid knows a member by: of a superblock of version 1.2 the magic, the array's
UUID and the place. It takes the calls of :mod:`zeroth.system.mdraid` word for word, and refuses all others.
"""

from __future__ import annotations

import os
import stat
import struct
import subprocess
import sys
from pathlib import Path

MAGIC = (0xA92B4EFC).to_bytes(4, "little")
HEAD, PLACE = 1 << 20, 4096
CREATE = ("--run", "--quiet", "--level=1", "--raid-devices=2", "--metadata=1.2", "--data-offset=1024K",
          "--bitmap=internal", "--assume-clean", "--homehost=any")  # fmt: skip


def main(words: list[str]) -> None:
    state = Path(os.environ["ZEROTH_TEST_ARRAYS"])
    assert os.environ["MDADM_NO_UDEV"] == "1"
    match words:
        case ["--create", device, *rest]:
            assert tuple(rest[: len(CREATE)]) == CREATE, rest
            name, uuid, *members = rest[len(CREATE) :]
            assert name.startswith("--name=zeroth-"), name
            present = [Path(member) for member in members if member != "missing"]
            assert len(members) == 2, members
            for member in present:
                _write(member, _superblock(uuid.removeprefix("--uuid=").replace(":", "")))
            _start(state, Path(device), present)
        case ["--assemble", device, "--run", "--quiet", *rest]:
            read_only = rest[0] == "--readonly"
            uuid, *members = rest[1:] if read_only else rest
            wanted = bytes.fromhex(uuid.removeprefix("--uuid=").replace(":", ""))
            found = [Path(member) for member in members if _uuid(Path(member)) == wanted]
            if not found:
                sys.exit(f"mdadm: no array with {uuid} on {members}")
            _start(state, Path(device), found, *(["--read-only"] if read_only else []))
        case ["--stop", "--quiet", device]:
            _stop(state, Path(device))
        case ["--manage", device, "--quiet", "--add", member]:
            note = state / Path(device).name
            first = Path(note.read_text().split("\n")[1])
            _write(Path(member), _superblock(_uuid(first).hex()))
            note.write_text(f"{note.read_text()}\n{member}")
        case ["--manage", device, "--quiet", "--fail", member] if member != "detached":
            note = state / Path(device).name
            left = note.read_text().split("\n")
            left.remove(member)
            note.write_text("\n".join(left))
        case ["--manage", _, "--quiet", "--fail", "detached"] | [
            "--manage",
            _,
            "--quiet",
            "--remove",
            "failed" | "detached",
        ]:
            pass
        case _:
            sys.exit(f"mdadm: these words are not known to the tests: {words}")


def _start(state: Path, device: Path, members: list[Path], *options: str) -> None:
    note = state / device.name
    assert not note.exists(), f"{device} runs already"
    size = min(os.lseek(os.open(member, os.O_RDONLY), 0, os.SEEK_END) for member in members) - HEAD
    words = ["losetup", *options, "--find", "--show", "--offset", str(HEAD), "--sizelimit", str(size), str(members[0])]
    loop = subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
    os.mknod(device, stat.S_IFBLK | 0o600, Path(loop).stat().st_rdev)
    note.write_text("\n".join([loop, *map(str, members)]))


def _stop(state: Path, device: Path) -> None:
    note = state / device.name
    loop, first, *others = note.read_text().split("\n")
    subprocess.run(["losetup", "--detach", loop], check=True)
    device.unlink()
    for other in others:
        _copy(Path(first), Path(other))
    note.unlink()


def _copy(source: Path, target: Path) -> None:
    """Make a member equal behind the head; holes of the file below it are passed over."""
    loop = Path(f"/sys/dev/block/{os.major(source.stat().st_rdev)}:{os.minor(source.stat().st_rdev)}/loop")
    start, size = int((loop / "offset").read_text()), int((loop / "sizelimit").read_text())
    file, out = os.open((loop / "backing_file").read_text().strip(), os.O_RDONLY), os.open(target, os.O_WRONLY)
    at = HEAD
    while at < size:
        try:
            begin = os.lseek(file, start + at, os.SEEK_DATA) - start
        except OSError:
            break
        at = min(os.lseek(file, start + begin, os.SEEK_HOLE) - start, size)
        while begin < at:
            begin += os.pwrite(out, os.pread(file, min(at - begin, 1 << 20), start + begin), begin)
    os.fsync(out)
    os.close(out)
    os.close(file)


def _uuid(member: Path) -> bytes:
    with member.open("rb") as file:
        file.seek(PLACE)
        head = file.read(32)
    return head[16:] if head.startswith(MAGIC) else b""


def _superblock(uuid: str) -> bytes:
    """struct mdp_superblock_1 (linux/raid/md_p.h): version, UUID, and where it lies, in sectors."""
    block = bytearray(256)
    struct.pack_into("<4sIII16s", block, 0, MAGIC, 1, 0, 0, bytes.fromhex(uuid))
    struct.pack_into("<Q", block, 144, PLACE // 512)
    return bytes(block)


def _write(device: Path, data: bytes) -> None:
    handle = os.open(device, os.O_WRONLY)
    os.pwrite(handle, data, PLACE)
    os.fsync(handle)
    os.close(handle)


if __name__ == "__main__":
    main(sys.argv[1:])

"""Stands for multipath-tools on a kernel without device mapper, as programs on PATH; the lab has the real ones.

A disk is a file, each path to it a loop device of its own over the whole file, and so is the map: like the real ones
they share what is on the disk, and not what is in their caches. A partition of the map is a loop device over a part of
the file. The programs take the calls of :mod:`zeroth.system.multipath` word for word, and refuse all others.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

MAPPER = Path("/dev/mapper")
PROGRAMS = ("multipath", "kpartx", "modprobe", "udevadm")


def main(program: str, words: list[str]) -> None:
    known = json.loads(os.environ["ZEROTH_TEST_MAP"])
    wwid, file, named, note = known["wwid"], known["file"], Path(known["named"]), Path(known["note"])
    match [program, *words]:
        case ["modprobe", "--quiet", "dm-multipath"] | ["udevadm", "settle", "--timeout=30"]:
            pass
        case ["multipath", "-v1"]:
            if f"/{wwid}/\n" in named.read_text():
                attach(MAPPER / wwid, note, file)
        case ["kpartx", "-a", "-s", "-p", "-part", node]:
            assert node == str(MAPPER / wwid), node
            said = subprocess.run(["sfdisk", "--json", node], capture_output=True, text=True, check=False).stdout
            table = json.loads(said)["partitiontable"] if said else {"partitions": []}
            for place in table["partitions"]:
                device = Path(place["node"])
                if not device.exists():
                    start, size = (str(place[what] * 512) for what in ("start", "size"))
                    attach(device, note, file, "--offset", start, "--sizelimit", size)
        case ["kpartx", "-d", "-s", "-p", "-part", node]:
            drop(note, f"{node}-part")
        case _:
            sys.exit(f"{program}: these words are not known to the tests: {words}")


def attach(node: Path, note: Path, file: str, *options: str) -> None:
    """Make a loop device over a file or a part of it, with this name, and note it."""
    words = ["losetup", "--find", "--show", *options, file]
    loop = subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
    os.mknod(node, stat.S_IFBLK | 0o600, Path(loop).stat().st_rdev)
    with note.open("a") as list_:
        list_.write(f"{node} {loop}\n")


def drop(note: Path, prefix: str = "/") -> None:
    """Remove what was made with names that begin so."""
    lines = note.read_text().splitlines() if note.exists() else []
    for line in lines:
        node, loop = line.split()
        if node.startswith(prefix):
            subprocess.run(["losetup", "--detach", loop], check=True)
            Path(node).unlink(missing_ok=True)
    note.write_text("".join(f"{line}\n" for line in lines if not line.startswith(prefix)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])

"""What checking an answer costs, beside the bare import of the libraries that it stands on."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from images.config import checkout
from tests.bench.figures import Figures
from zeroth.system.run import run

__all__ = ["LINES", "lint_figures", "long_answer"]

LINES = 200
TURNS = 15
_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK/pYT0+/d8DMz4Mrk4yZxaLEUQmkWcDabXMx4VEX7oS admin@example.com"
# Compiled modules are kept, as on any machine where a command is called twice.
_ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPATH": os.fspath(checkout())}


def lint_figures() -> list[Figures]:
    """Lint a long answer and import the libraries in turns; the least of each is what counts on a shared machine."""
    bare = [sys.executable, "-c", "import pydantic, pykickstart"]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "long.ks"
        path.write_text(long_answer())
        lint = [sys.executable, "-m", "zeroth", "answer", "lint", os.fspath(path)]
        turns = [(_seconds(bare), _seconds(lint)) for _ in range(TURNS + 1)][1:]  # the first fills caches
    rows = [
        (name, min(times), sorted(times)[len(times) // 2])
        for name, times in (("bare import of pydantic and pykickstart", [it[0] for it in turns]),
                            (f"zeroth answer lint, {LINES} lines", [it[1] for it in turns]),
                            ("above bare, in the same turn", [it[1] - it[0] for it in turns]))
    ]  # fmt: skip
    return [Figures("lint", "Checking an answer", ("what", "least s", "median s"), tuple(rows), f"{TURNS} turns.", 2)]


def long_answer() -> str:
    """A kickstart file of :data:`LINES` lines without errors."""
    lines = [
        "# A long answer.", "network --hostname=xen1.example.com --device=52:54:00:12:34:56",
        f'sshkey --username=root "{_KEY}"', "ignoredisk --only-use=disk/by-id/nvme-EXAMPLE_1234",
        "clearpart --all --initlabel", "xen --dom0-mem=2G --dom0-vcpus=4", "timezone Etc/UTC --utc",
        *(line for number in range(40) for line in (
            f"user --name=user{number} --groups=sudo", f'sshkey --username=user{number} "{_KEY}"')),
        *(f"network --name=net{number} --purpose=guests --vlanid={number + 100}" for number in range(60)),
        *(f"sr --type=nfs --name=sr{number} --server=nas.example.com --path=/export/{number}" for number in range(30)),
        "%post", *(f"echo line {number}" for number in range(20)), "%end",
    ]  # fmt: skip
    return "\n".join([*lines, *(["# more to say"] * (LINES - len(lines)))]) + "\n"


def _seconds(argv: list[str]) -> float:
    started = time.monotonic()
    run(argv, env=_ENVIRONMENT)
    return time.monotonic() - started

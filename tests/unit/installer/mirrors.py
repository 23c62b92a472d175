"""Mirrors of loop devices, on a kernel that may have no md."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.unit.installer import mdadm
from zeroth.system.mdraid import Array, Member
from zeroth.system.size import GIB

__all__ = ["running", "stand_in"]


def stand_in(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Put :mod:`tests.unit.installer.mdadm` in mdadm's place.

    :param folder: gets a folder ``dev`` for the nodes of arrays, and ``arrays``, which is empty when none runs.
    """
    tools = folder / "bin"
    for one in (tools, folder / "arrays", folder / "dev"):
        one.mkdir()
    program = tools / "mdadm"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {mdadm.__file__} "$@"\n')
    program.chmod(0o755)
    patch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    patch.setenv("ZEROTH_TEST_ARRAYS", str(folder / "arrays"))


def running(device: Path) -> Array | None:
    """What the stand-in runs; it fills at once."""
    note = Path(os.environ["ZEROTH_TEST_ARRAYS"]) / device.name
    if not note.exists():
        return None
    nodes = [Path(line) for line in note.read_text().split("\n")[1:]]
    members = tuple(Member(node, node.with_name("target"), "in_sync") for node in nodes)
    return Array(device, members, 2 - len(members), GIB)

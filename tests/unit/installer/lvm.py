"""Volume groups without LVM: the label by which libblkid knows a member, and programs on PATH that tell its group."""

from __future__ import annotations

import json
import os
import struct
import zlib
from pathlib import Path

import pytest

__all__ = ["GROUP_UUID", "stand_in", "write_label"]

GROUP_UUID = "aaaaaa-bbbb-cccc-dddd-eeee-ffff-gggggg"
_UUID = b"0123456789abcdefghijABCDEFGHIJ01"
_CRC_START = 0xF597A6CF


def write_label(device: Path) -> None:
    """Make a device a physical volume for libblkid: struct label_header (LVM2, lib/label/label.h), in sector 1."""
    body = struct.pack("<I8s32s", 32, b"LVM2 001", _UUID).ljust(512 - 20, b"\0")
    checksum = ~zlib.crc32(body, ~_CRC_START & 0xFFFFFFFF) & 0xFFFFFFFF
    handle = os.open(device, os.O_WRONLY)
    os.pwrite(handle, struct.pack("<8sQI", b"LABELONE", 1, checksum) + body, 512)
    os.fsync(handle)
    os.close(handle)


def stand_in(monkeypatch: pytest.MonkeyPatch, folder: Path, *, members: int = 1) -> None:
    """Have every physical volume be in one group with the volumes ``web`` and ``db``."""
    folder.mkdir()
    group = {"vg_name": "zeroth-sr", "vg_uuid": GROUP_UUID, "pv_count": str(members)}
    told = {"pvs": {"pv": [group]}, "lvs": {"lv": [{"lv_name": "web"}, {"lv_name": "db"}]}}
    for name, report in told.items():
        program = folder / name
        program.write_text(f"#!/bin/sh\nexec cat <<'END'\n{json.dumps({'report': [report]})}\nEND\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

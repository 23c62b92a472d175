"""The reader of write logs, against logs made here and one made by QEMU itself."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lab.blklog import ENTRY, MAGIC, SUPER, Flag, WriteLog, boundaries, points, replay, walk
from zeroth.system.run import run

SECTOR = 512
DISK = 64 * SECTOR


@dataclass(frozen=True)
class Op:
    """A request as the maker of a log knows it."""

    kind: str
    sector: int = 0
    data: bytes = b""


def make_log(path: Path, ops: list[Op]) -> WriteLog:
    body = b""
    for op in ops:
        flags = {"write": 0, "flush": Flag.FLUSH, "discard": Flag.DISCARD, "mark": Flag.MARK}[op.kind]
        sectors = 0 if op.kind in ("flush", "mark") else len(op.data) // SECTOR
        length = len(op.data) if op.kind == "mark" else 0
        body += ENTRY.pack(op.sector, sectors, flags, length).ljust(SECTOR, b"\0")
        if op.kind in ("write", "mark"):
            body += op.data + b"\0" * (-len(op.data) % SECTOR)
    path.write_bytes(SUPER.pack(MAGIC, 1, len(ops), SECTOR).ljust(SECTOR, b"\0") + body)
    return WriteLog(path)


def write(sector: int, fill: int, sectors: int = 1) -> Op:
    return Op("write", sector, bytes([fill]) * sectors * SECTOR)


FLUSH = Op("flush")

requests = st.one_of(
    st.just(FLUSH),
    st.builds(Op, st.just("mark"), st.just(0), st.binary(max_size=20)),
    st.builds(write, st.integers(0, 60), st.integers(0, 255), st.integers(1, 4)),
    st.builds(lambda s, n: Op("discard", s, b"\0" * n * SECTOR), st.integers(0, 60), st.integers(1, 4)),
)


@given(st.lists(requests, max_size=30), st.integers(0, 30))
def test_replay_gives_the_disk_as_it_was(tmp_path_factory: pytest.TempPathFactory, ops: list[Op], cut: int) -> None:
    folder = tmp_path_factory.mktemp("log")
    log = make_log(folder / "log", ops)
    disk = bytearray(DISK)
    for op in ops[: cut + 1]:
        if op.kind == "write":
            disk[op.sector * SECTOR : op.sector * SECTOR + len(op.data)] = op.data
    target = folder / "disk"
    target.write_bytes(bytes(DISK))
    replay(log, target, cut)
    assert target.read_bytes() == bytes(disk)


@given(st.lists(requests, max_size=30))
def test_a_boundary_is_a_flush_after_a_write(tmp_path_factory: pytest.TempPathFactory, ops: list[Op]) -> None:
    log = make_log(tmp_path_factory.mktemp("log") / "log", ops)
    found = boundaries(log)
    before = -1
    for number in found:
        assert ops[number].kind == "flush"
        assert any(op.kind == "write" for op in ops[before + 1 : number])
        before = number
    flushes = [number for number, op in enumerate(ops) if op.kind == "flush"]
    wrote = [n for n in flushes if any(op.kind == "write" for op in ops[:n])]
    assert bool(found) == bool(wrote)


def test_stray_writes_stop_at_the_next_flush(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log", [write(0, 1), FLUSH, write(1, 2), write(2, 3), FLUSH, write(3, 4)])
    seen = set()
    for seed in range(20):
        target = tmp_path / "disk"
        target.write_bytes(bytes(DISK))
        replay(log, target, 1, stray=random.Random(seed))
        seen.add(tuple(target.read_bytes()[sector * SECTOR] for sector in range(4)))
    assert seen == {(1, 0, 0, 0), (1, 2, 0, 0), (1, 0, 3, 0), (1, 2, 3, 0)}


def test_points_are_spread_and_leave_the_ends(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log", [op for number in range(11) for op in (write(number, 1), FLUSH)])
    assert points(log, 4) == [2 * 2 + 1, 4 * 2 + 1, 6 * 2 + 1, 8 * 2 + 1]
    with pytest.raises(ValueError, match="11 flushes"):
        points(log, 12)


def test_a_log_cut_short_ends_before_the_torn_entry(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log", [write(0, 1), FLUSH, write(1, 2, sectors=4)])
    data = log.path.read_bytes()
    log.path.write_bytes(data[:-SECTOR])
    assert [entry.number for entry in WriteLog(log.path).entries()] == [0, 1]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "too short"),
        (bytes(512), "no log of writes"),
        (SUPER.pack(MAGIC, 2, 0, 512), "version 2"),
        (SUPER.pack(MAGIC, 1, 0, 500), "sectors of 500"),
    ],
)
def test_what_is_no_log_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    (tmp_path / "log").write_bytes(content)
    with pytest.raises(ValueError, match=complaint):
        WriteLog(tmp_path / "log")


@pytest.mark.skipif(not shutil.which("qemu-io"), reason="qemu-io is not installed here")
def test_reads_what_qemu_writes(tmp_path: Path) -> None:
    disk, path, target = tmp_path / "disk", tmp_path / "log", tmp_path / "again"
    for file, size in ((disk, DISK), (path, 1 << 20), (target, DISK)):
        with file.open("wb") as out:
            out.truncate(size)
    raw = {"driver": "raw", "file": {"driver": "file", "filename": str(disk)}}
    log = {"driver": "raw", "file": {"driver": "file", "filename": str(path)}}
    image = json.dumps({"driver": "blklogwrites", "file": raw, "log": log})
    steps = ["write -P 0x11 0 4k", "flush", "write -P 0x22 8k 4k", "discard 16k 4k", "flush", "write -P 0x33 0 512"]
    run(["qemu-io", *(word for step in steps for word in ("-c", step)), f"json:{image}"])
    found = WriteLog(path)
    assert [entry.flags for entry in found.entries()][:5] == [0, Flag.FLUSH, 0, Flag.DISCARD, Flag.FLUSH]
    replay(found, target, boundaries(found)[1])
    again = tmp_path / "walked"
    again.write_bytes(bytes(DISK))
    seen = [again.read_bytes() for _ in walk(found, again)]
    assert seen[1] == target.read_bytes() != seen[0]
    want = bytearray(disk.read_bytes())
    want[:512] = b"\x11" * 512
    assert target.read_bytes() == bytes(want)

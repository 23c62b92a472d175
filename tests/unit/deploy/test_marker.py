"""The mark of an installation in progress."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeroth.deploy.layout import Part, make_layout
from zeroth.deploy.marker import MARKER_OFFSET, MARKER_SIZE, clear_marker, parse_marker, read_marker, write_marker
from zeroth.system.facts import MarkerFacts
from zeroth.system.size import GIB, MIB

MARK = MarkerFacts(phase="installing", digest="ab" * 32, install=UUID("11111111-2222-4333-8444-555555555555"))


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk"
    path.write_bytes(b"\xa5" * (3 * MIB))
    return path


def test_round_trip_changes_nothing_else(disk: Path) -> None:
    assert read_marker(disk) is None
    write_marker(disk, MARK)
    assert read_marker(disk) == MARK
    content = disk.read_bytes()
    assert set(content[:MARKER_OFFSET]) == {0xA5}
    assert set(content[MARKER_OFFSET + MARKER_SIZE :]) == {0xA5}
    clear_marker(disk)
    assert read_marker(disk) is None
    assert disk.stat().st_size == 3 * MIB


def test_fits_one_sector_and_lies_in_the_bios_partition(disk: Path) -> None:
    write_marker(disk, MARK)
    block = disk.read_bytes()[MARKER_OFFSET:][:MARKER_SIZE]
    assert not any(block[512:])
    place = make_layout(24 * GIB)[Part.BIOS]
    assert place.start < MARKER_OFFSET
    assert place.end == MARKER_OFFSET + MARKER_SIZE


def test_a_disk_that_is_too_short_has_none(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"x")
    assert read_marker(tmp_path / "short") is None


@given(st.binary(max_size=600))
def test_anything_else_is_no_mark(data: bytes) -> None:
    assert parse_marker(data) is None
    assert parse_marker(b'{"magic": "zeroth-install"' + data) is None


@pytest.mark.parametrize(
    "text",
    [
        b'{"magic": "other", "phase": "installing"}',
        b'{"magic": "zeroth-install", "phase": "started", "digest": "", "install": ""}',
        b"[" * 500,
        b'{"a":' * 90,
    ],
)
def test_near_misses(text: bytes) -> None:
    assert parse_marker(text) is None

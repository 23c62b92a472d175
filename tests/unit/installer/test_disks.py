"""Choosing exactly one disk."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installer.disks import choose_disk
from tests.unit.installer.machines import disk, recorded
from zeroth.spec.model import DiskSpec
from zeroth.system.facts import DiskFacts, Signature
from zeroth.system.size import GIB, MIB


def _choose(select: str, *disks: DiskFacts) -> str | None:
    choice = choose_disk(DiskSpec(select=select), disks)
    assert (choice.disk is None) == bool(choice.problem)
    assert [verdict.disk for verdict in choice.verdicts] == list(disks)
    assert [verdict.disk for verdict in choice.verdicts if verdict.taken] == ([choice.disk] if choice.disk else [])
    return choice.disk.path if choice.disk else None


SERVER = recorded("server-nvme-hba").disks


@pytest.mark.parametrize(
    ("select", "path"),
    [
        ("/dev/nvme0n1", "/dev/nvme0n1"),
        ("/dev/disk/by-id/wwn-0x5000c500a1b2c3d4", "/dev/sda"),
        ("serial=S64HNE0R512345", "/dev/nvme0n1"),
        ("serial=s64hne0r512345", "/dev/nvme0n1"),
        ("serial=ZC1*", None),
        ("wwn=0x5000c500a1b2c3d4", "/dev/sda"),
        ("wwn=5000C500A1B2C3D4", "/dev/sda"),
        ("wwn=naa.5000c500a1b2c3d5", "/dev/sdb"),
        ("model=SAMSUNG MZQL2960*", "/dev/nvme0n1"),
        ("model=SAMSUNG_MZQL2960*", "/dev/nvme0n1"),
        ("model=SEAGATE ST8000*", None),
        ("id=nvme-SAMSUNG*_S64HNE0R512345", "/dev/nvme0n1"),
        ("smallest", "/dev/nvme0n1"),
        ("largest", None),
        ("only", None),
        ("/dev/sdz", None),
        ("/dev/sdc", None),
        ("model=*", None),
    ],
)
def test_selectors_on_a_server(select: str, path: str | None) -> None:
    """Two equal data disks, one NVMe, and the stick that it was booted from."""
    assert _choose(select, *SERVER) == path


def test_the_medium_is_named_as_such() -> None:
    choice = choose_disk(DiskSpec(select="/dev/sdc"), SERVER)
    assert "medium" in choice.problem
    choice = choose_disk(DiskSpec(select="model=*"), SERVER)
    assert choice.problem.endswith("exactly one must match")


def test_only_passes_over_what_is_no_candidate() -> None:
    others = (
        disk("/dev/sdb", 8 * GIB),
        disk("/dev/sdc", 64 * GIB, removable=True),
        disk("/dev/sdd", 64 * GIB, medium=True),
        disk("/dev/sde", 64 * GIB, read_only=True),
        disk("/dev/sdf", 64 * GIB, signatures=(Signature(type="vfat", offset=0, label="ZEROTH-CFG"),)),
    )
    assert _choose("only", disk("/dev/sda"), *others) == "/dev/sda"
    assert _choose("only", *others) is None
    reasons = {v.disk.path: v.why for v in choose_disk(DiskSpec(), others).verdicts}
    assert "small" in reasons["/dev/sdb"]
    assert "removable" in reasons["/dev/sdc"]
    assert "medium" in reasons["/dev/sdd"]
    assert "read-only" in reasons["/dev/sde"]
    assert "ZEROTH-CFG" in reasons["/dev/sdf"]


def test_a_disk_in_use_is_not_silently_passed_over() -> None:
    busy = disk("/dev/sda", in_use=("sda1 is mounted on /data",))
    assert _choose("only", busy, disk("/dev/sdb")) is None
    assert _choose("largest", busy.model_copy(update={"size": 90 * GIB}), disk("/dev/sdb")) == "/dev/sda"


NAMES = st.text(string.ascii_letters + string.digits, min_size=1, max_size=4)


@st.composite
def disk_lists(draw: st.DrawFn) -> list[DiskFacts]:
    count = draw(st.integers(0, 5))
    return [
        disk(
            f"/dev/sd{'abcde'[index]}",
            draw(st.sampled_from([8 * GIB, 16 * GIB, 64 * GIB, 64 * GIB + MIB])),
            serial=draw(NAMES),
            wwn=draw(NAMES),
            model=draw(NAMES),
            medium=draw(st.booleans()),
            removable=draw(st.booleans()),
            read_only=draw(st.booleans()),
        )
        for index in range(count)
    ]


SELECTS = st.one_of(
    st.sampled_from(["only", "smallest", "largest", "/dev/sda", "/dev/sdb", "serial=*", "model=*"]),
    st.builds("{}={}".format, st.sampled_from(["serial", "wwn", "id", "model"]), NAMES),
)


@given(SELECTS, disk_lists())
def test_never_the_medium_and_never_a_guess(select: str, disks: list[DiskFacts]) -> None:
    path = _choose(select, *disks)
    chosen = next((it for it in disks if it.path == path), None)
    if chosen is None:
        return
    assert not chosen.medium
    if select in ("only", "smallest", "largest"):
        pool = [it.size for it in disks if not (it.medium or it.removable or it.read_only) and it.size >= 16 * GIB]
        wanted = {"only": pool[0] if len(pool) == 1 else 0, "smallest": min(pool), "largest": max(pool)}[select]
        assert chosen.size == wanted
        assert pool.count(wanted) == 1
    # The order in which disks were found says nothing.
    assert _choose(select, *reversed(disks)) == path

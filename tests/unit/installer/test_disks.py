"""Choosing exactly one disk."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installer.disks import choose_disks
from tests.unit.installer.machines import disk, recorded
from zeroth.spec.model import DiskSpec
from zeroth.system.facts import DiskFacts, Signature
from zeroth.system.size import GIB, MIB


def _choose(select: str, *disks: DiskFacts) -> str | None:
    paths = _chosen(DiskSpec(select=select), *disks)
    return paths[0] if paths else None


def _chosen(spec: DiskSpec, *disks: DiskFacts) -> tuple[str, ...]:
    choice = choose_disks(spec, disks)
    taken = (*choice.legs, *choice.sr)
    assert bool(choice.legs) != bool(choice.problems)
    assert [verdict.disk for verdict in choice.verdicts] == list(disks)
    assert {verdict.disk.path for verdict in choice.verdicts if verdict.taken} == {disk.path for disk in taken}
    assert all(verdict.why for verdict in choice.verdicts)
    return tuple(disk.path for disk in taken)


def _problem(spec: DiskSpec, *disks: DiskFacts) -> str:
    choice = choose_disks(spec, disks)
    assert not choice.legs
    return "\n".join(choice.problems)


def _why(spec: DiskSpec, *disks: DiskFacts) -> dict[str, str]:
    return {verdict.disk.path: verdict.why for verdict in choose_disks(spec, disks).verdicts}


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
        ("ssd", "/dev/nvme0n1"),
        ("hdd", None),
        ("hdd & serial=*2", "/dev/sdb"),
        ("transport=nvme", "/dev/nvme0n1"),
        ("transport=sas", None),
        ("size=960GB", "/dev/nvme0n1"),
        ("size=8TB & smallest", None),
        ("size>=1TB & serial=ZC1AAAA1", "/dev/sda"),
        ("size<1TB", "/dev/nvme0n1"),
        ("size>8TB & wwn=*c3d4", "/dev/sda"),
        ("size<=100GB", None),
        ("transport=usb", None),
        ("ssd & smallest", "/dev/nvme0n1"),
        ("ssd & hdd", None),
    ],
)
def test_selectors_on_a_server(select: str, path: str | None) -> None:
    """Two equal data disks, one NVMe, and the stick that it was booted from."""
    assert _choose(select, *SERVER) == path


def test_the_medium_is_named_as_such() -> None:
    assert "medium" in _problem(DiskSpec(select="/dev/sdc"), *SERVER)
    assert _problem(DiskSpec(select="model=*"), *SERVER).endswith("exactly one must match")


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
    reasons = _why(DiskSpec(), *others)
    assert "small" in reasons["/dev/sdb"]
    assert "removable" in reasons["/dev/sdc"]
    assert "medium" in reasons["/dev/sdd"]
    assert "read-only" in reasons["/dev/sde"]
    assert "ZEROTH-CFG" in reasons["/dev/sdf"]


def test_a_disk_in_use_is_not_silently_passed_over() -> None:
    busy = disk("/dev/sda", in_use=("sda1 is mounted on /data",))
    assert _choose("only", busy, disk("/dev/sdb")) is None
    assert _choose("largest", busy.model_copy(update={"size": 90 * GIB}), disk("/dev/sdb")) == "/dev/sda"


def test_alternatives_are_tried_in_order() -> None:
    def spec(*choices: str) -> DiskSpec:
        return DiskSpec(select=choices[0], alternatives=choices[1:])

    assert _choose("serial=none", *SERVER) is None
    assert _chosen(spec("serial=none", "size>9TiB", "ssd", "hdd"), *SERVER) == ("/dev/nvme0n1",)
    why = _why(spec("serial=none", "ssd"), *SERVER)
    assert why["/dev/nvme0n1"] == "matches ssd, and none is serial=none"
    assert why["/dev/sda"] == "is a hard disk, not an SSD"
    # One that fits several is never passed over for the next.
    assert "hdd matches 2 disks (/dev/sda, /dev/sdb)" in _problem(spec("hdd", "ssd"), *SERVER)
    assert _problem(spec("serial=none", "size>9TiB"), *SERVER) == "no disk matches serial=none or size>9TiB"
    why = _why(spec("serial=none", "size>9TiB"), *SERVER)
    assert why["/dev/sda"] == "has the serial number ZC1AAAA1, not none; has 7.3 TiB, not size>9TiB"


def test_what_is_to_be_ignored_is_never_taken() -> None:
    assert _chosen(DiskSpec(ignore=("hdd",)), *SERVER) == ("/dev/nvme0n1",)
    assert _chosen(DiskSpec(select="largest", ignore=("serial=ZC1AAAA1",)), *SERVER) == ("/dev/sdb",)
    named = DiskSpec(select="/dev/sda", ignore=("hdd",))
    assert "to be ignored" in _problem(named, *SERVER)
    assert "ignore" in _why(named, *SERVER)["/dev/sdb"]


def test_consent_is_for_one_disk_each() -> None:
    choice = choose_disks(DiskSpec(select="ssd", wipe_disks=("serial=ZC1AAAA1", "/dev/nvme0n1")), SERVER)
    assert choice.consent == {"/dev/sda", "/dev/nvme0n1"}
    assert "fits 2 disks" in _problem(DiskSpec(select="ssd", wipe_disks=("serial=ZC1*",)), *SERVER)
    choice = choose_disks(DiskSpec(select="ssd", wipe_disks=("serial=gone",)), SERVER)
    assert choice.legs
    assert not choice.consent
    assert "no such disk" in choice.notes[0]


def test_further_disks_for_the_storage_repository() -> None:
    spec = DiskSpec(select="ssd", sr_disks=("serial=ZC1AAAA2", "/dev/sda"))
    choice = choose_disks(spec, SERVER)
    assert [disk.path for disk in choice.sr] == ["/dev/sdb", "/dev/sda"]
    assert "taken for something else" in _problem(DiskSpec(select="ssd", sr_disks=("/dev/nvme0n1",)), *SERVER)
    assert "exactly one" in _problem(DiskSpec(select="ssd", sr_disks=("hdd",)), *SERVER)


def _mirror(select: str, second: str | None = None, **fields: Any) -> DiskSpec:  # noqa: ANN401
    return DiskSpec.model_validate({"select": select, "layout": "mirror", "mirror_with": second, **fields})


def test_the_legs_of_a_mirror() -> None:
    assert _chosen(_mirror("hdd"), *SERVER) == ("/dev/sda", "/dev/sdb")
    assert _chosen(_mirror("largest"), *SERVER) == ("/dev/sda", "/dev/sdb")
    assert _chosen(_mirror("/dev/sdb", "/dev/sda"), *SERVER) == ("/dev/sdb", "/dev/sda")
    assert _chosen(_mirror("ssd", "missing"), *SERVER) == ("/dev/nvme0n1",)
    # The smallest, and one of two equal ones: not for us to say which.
    assert "smallest matches 3 disks" in _problem(_mirror("smallest"), *SERVER)
    assert "exactly 2" in _problem(_mirror("ssd"), *SERVER)
    assert "taken for something else" in _problem(_mirror("/dev/sda", "serial=ZC1AAAA1"), *SERVER)
    four = [disk(f"/dev/sd{letter}", size * GIB) for letter, size in (("a", 90), ("b", 70), ("c", 80), ("d", 60))]
    assert _chosen(_mirror("smallest"), *four) == ("/dev/sdb", "/dev/sdd")
    assert _chosen(_mirror("largest"), *four) == ("/dev/sda", "/dev/sdc")


def test_what_says_that_it_is_one_disk_and_was_not_joined_is_no_two_disks() -> None:
    one = disk("/dev/sda", wwn="0x600a", serial="A")
    paths = (one, one.model_copy(update={"path": "/dev/sdb"}), disk("/dev/sdc", 90 * GIB, wwn="0x600b"))
    for spec in (DiskSpec(select="wwn=0x600a"), DiskSpec(select="/dev/sdb"), DiskSpec(select="smallest")):
        assert "say that they are the same disk" in _problem(spec, *paths)
    assert "say that they are the same disk" in _problem(_mirror("wwn=0x600a"), *paths)
    assert "say that they are the same disk" in _problem(_mirror("/dev/sda", "/dev/sdb"), *paths)
    assert _chosen(DiskSpec(select="largest"), *paths) == ("/dev/sdc",)
    # Joined, it is one, and each path names it.
    joined = disk("/dev/mapper/3600a", wwn="0x600a", serial="A", wwid="3600a", paths=("/dev/sda", "/dev/sdb"))
    for text in ("wwn=0x600a", "/dev/sda", "/dev/sdb", "/dev/mapper/3600a", "smallest"):
        assert _chosen(DiskSpec(select=text), joined, paths[2]) == ("/dev/mapper/3600a",)
    assert "taken for something else" in _problem(_mirror("/dev/sda", "/dev/sdb"), joined, paths[2])
    # A careless copy, which multipath would take for one more path.
    copy = disk("/dev/sde", wwn="0x600a", serial="B")
    assert "/dev/sde has the WWID of /dev/mapper/3600a" in _problem(DiskSpec(select="serial=A"), joined, copy)
    # Equal serial numbers alone are the maker's carelessness.
    careless = (disk("/dev/sda", serial="0123"), disk("/dev/sdb", serial="0123"))
    assert _chosen(DiskSpec(select="/dev/sda"), *careless) == ("/dev/sda",)


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
    st.sampled_from(
        ["only", "smallest", "largest", "/dev/sda", "/dev/sdb", "serial=*", "model=*", "ssd", "hdd & only"]
    ),
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

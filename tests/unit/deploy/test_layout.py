"""The partition arithmetic."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeroth.deploy.layout import (
    MINIMUM_DISK,
    MINIMUM_SR_DISK,
    TYPE_GUIDS,
    InstallId,
    Part,
    Partition,
    SrDisk,
    make_layout,
    make_layout_before,
    sfdisk_script,
    sr_disk_script,
)
from zeroth.deploy.marker import MARKER_OFFSET, MARKER_SIZE
from zeroth.errors import UserError
from zeroth.system.size import GIB, MIB

IDENTITY = InstallId(UUID("11111111-2222-4333-8444-555555555555"))
UUID_KEPT = "3c1a12ec-586c-51c6-891f-2421321d4c14"
LEAST_FRONT = make_layout(MINIMUM_DISK)[Part.SR].start
SECTORS = st.sampled_from([512, 4096])


@st.composite
def disks(draw: st.DrawFn) -> tuple[int, int]:
    sector = draw(SECTORS)
    return draw(st.integers(MINIMUM_DISK // sector, (64 << 40) // sector)) * sector, sector


@given(disks())
def test_always_in_order_aligned_and_fitting(disk: tuple[int, int]) -> None:
    size, sector = disk
    layout = make_layout(size, sector)
    assert [partition.part for partition in layout.partitions] == list(Part)
    at = int(MIB)
    for partition in layout.partitions:
        assert partition.start == at
        assert partition.start % MIB == 0
        assert partition.size % MIB == 0
        assert partition.size > 0
        at = partition.end
    # The second copy of the table: 32 sectors' worth of entries at 512 bytes, and its header.
    assert at <= size - 128 * 128 - sector


@given(disks(), st.integers(0, 8 * GIB))
def test_a_larger_disk_never_has_a_smaller_partition(disk: tuple[int, int], more: int) -> None:
    size, sector = disk
    small, large = make_layout(size, sector), make_layout(size + more // sector * sector, sector)
    for part in set(Part) - {Part.SR}:
        assert large[part].size >= small[part].size


@given(st.integers(16 * GIB, 24 * GIB))
def test_local_storage_keeps_about_three_gib(size: int) -> None:
    assert 3 * GIB - 4 * MIB <= make_layout(size)[Part.SR].size <= 3 * GIB + 4 * MIB


def test_the_published_sizes() -> None:
    full = make_layout(24 * GIB)
    assert [p.size // MIB for p in full.partitions] == [1, 1024, 4096, 4096, 8192, 4096, 3 * 1024 - 3]
    least = make_layout(16 * GIB)
    assert [p.size // MIB for p in least.partitions] == [1, 1024, 3072, 3072, 4096, 2048, 3 * 1024 - 3]
    assert make_layout(1000 * GIB)[Part.SR].size == (1000 - 21) * GIB - 3 * MIB


@pytest.mark.parametrize(("size", "sector"), [(0, 512), (16 * GIB - 512, 512), (100 * GIB, 520)])
def test_refuses(size: int, sector: int) -> None:
    with pytest.raises(UserError):
        make_layout(size, sector)


@pytest.mark.parametrize("sector", [512, 4096])
def test_script_counts_in_sectors(sector: int) -> None:
    lines = sfdisk_script(make_layout(24 * GIB, sector), IDENTITY).splitlines()
    assert lines[0] == "label: gpt"
    assert f"label-id: {IDENTITY.disk_guid}" in lines
    starts = [int(line.split(",")[0].removeprefix("start=")) for line in lines if line.startswith("start=")]
    assert [start * sector for start in starts] == [p.start for p in make_layout(24 * GIB, sector).partitions]


def test_guids_are_distinct_and_follow_from_the_identity() -> None:
    def all_of(identity: InstallId) -> list[str]:
        return [identity.disk_guid, *map(identity.partition_uuid, Part), *map(identity.filesystem_uuid, Part)]

    assert len(set(all_of(IDENTITY))) == 1 + 2 * len(Part)
    assert all_of(IDENTITY) == all_of(InstallId(UUID(str(IDENTITY.value))))
    assert not set(all_of(IDENTITY)) & set(all_of(InstallId(UUID("99999999-2222-4333-8444-555555555555"))))
    assert TYPE_GUIDS[Part.SLOT_A] == TYPE_GUIDS[Part.SLOT_B]


@given(disks())
def test_around_a_repository_of_the_same_layout(disk: tuple[int, int]) -> None:
    regular = make_layout(*disk)
    kept = replace(regular[Part.SR], uuid=UUID_KEPT)
    layout = make_layout_before(*disk, kept)
    assert layout.partitions == (*regular.partitions[:-1], kept)
    script = sfdisk_script(layout, IDENTITY)
    assert script.count(UUID_KEPT) == 1
    assert script.replace(UUID_KEPT, IDENTITY.partition_uuid(Part.SR)) == sfdisk_script(regular, IDENTITY)


@given(disks(), st.integers(0, 64 * GIB))
def test_around_a_repository_that_starts_elsewhere(disk: tuple[int, int], further: int) -> None:
    size, sector = disk
    start = (LEAST_FRONT + further) // sector * sector
    kept = Partition(Part.SR, start, GIB, UUID_KEPT)
    layout = make_layout_before(size, sector, kept)
    assert layout[Part.SR] == kept
    at = int(MIB)
    for partition, least in zip(layout.partitions[:-1], make_layout(16 * GIB).partitions, strict=False):
        assert partition.start == at
        assert partition.size % MIB == 0
        assert partition.size >= least.size
        at = partition.end
    assert 0 <= start - at < MIB


@given(disks(), st.integers(0, LEAST_FRONT // 4096 - 1))
def test_too_little_room_before_a_repository(disk: tuple[int, int], sectors: int) -> None:
    with pytest.raises(UserError, match="needs 13314 MiB in front of it"):
        make_layout_before(*disk, Partition(Part.SR, sectors * 4096, GIB, UUID_KEPT))


@given(st.integers(MINIMUM_SR_DISK + 3 * MIB, 64 << 40), SECTORS)
def test_a_further_disk_of_the_repository(size: int, sector: int) -> None:
    disk = SrDisk(size, sector)
    assert disk.start >= MARKER_OFFSET + MARKER_SIZE
    assert disk.size % MIB == 0
    assert disk.size >= MINIMUM_SR_DISK
    assert disk.start + disk.size <= size - 128 * 128 - sector
    lines = sr_disk_script(disk, IDENTITY, 2).splitlines()
    assert f"label-id: {IDENTITY.sr_disk_guid(2)}" in lines
    assert lines[-1].startswith(f"start={disk.start // sector}, size={disk.size // sector}, ")
    assert IDENTITY.sr_disk_of(IDENTITY.sr_disk_guid(2)) == 2
    assert IDENTITY.leg_of(IDENTITY.sr_disk_guid(2)) == IDENTITY.sr_disk_of(IDENTITY.disk_guid) == 0

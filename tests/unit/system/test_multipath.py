"""Disks over several paths: what is joined, on folders that stand for sysfs, with programs that stand for the tools.

This machine's kernel may have no device mapper; the lab's scenario ``multipath`` has the real one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeroth.errors import UserError
from zeroth.system.block import partition_path
from zeroth.system.diskprobe import Usage
from zeroth.system.facts import DiskFacts
from zeroth.system.live import Device, multipath_facts
from zeroth.system.multipath import (
    Joined,
    RunningMap,
    SeenDisk,
    is_joined,
    join,
    map_path,
    on_a_path,
    open_map,
    running_maps,
    wwid_of,
)

WWID, OTHER = "3600c0ff00050aaaa0001000001000000", "35000c500a0000001"
GIB = 1 << 30


@pytest.mark.parametrize(
    ("name", "bus", "serial", "joined"),
    [
        ("sda", "scsi", WWID, True),
        ("sdaa", "scsi", OTHER, True),
        ("sda", "scsi", "20000000000000001", True),
        ("sda", "ata", WWID, False),
        ("sda", "usb", WWID, False),
        ("nvme0n1", "scsi", WWID, False),
        # A vendor's text, a serial number, half an identity, a name: cheap disks share them.
        ("sda", "scsi", "1ATA     QEMU HARDDISK   QM00001", False),
        ("sda", "scsi", "0QEMU_QEMU_HARDDISK_target", False),
        ("sda", "scsi", WWID[:-1], False),
        ("sda", "scsi", f"{WWID}/../x", False),
        ("sda", "scsi", "", False),
    ],
)
def test_only_what_is_unique_in_the_world_is_joined_by(name: str, bus: str, serial: str, joined: bool) -> None:
    assert wwid_of(name, {"ID_BUS": bus, "ID_SERIAL": serial}) == (serial if joined else "")
    assert wwid_of(name, {}) == ""


def _names(joined: Sequence[Joined]) -> list[tuple[str, str]]:
    return [(" ".join(disk.name for disk in one.members), one.wwid) for one in joined]


def test_paths_are_joined_and_single_disks_are_not() -> None:
    seen = [
        SeenDisk("sda", GIB),
        SeenDisk("sdb", 9 * GIB, WWID),
        SeenDisk("sdc", 8 * GIB, OTHER),
        SeenDisk("sdd", 9 * GIB, WWID),
        SeenDisk("sde", GIB),
    ]
    assert _names(join(seen)) == [("sda", ""), ("sdb sdd", WWID), ("sdc", ""), ("sde", "")]


def test_one_identity_of_two_sizes_is_two_disks() -> None:
    assert _names(join([SeenDisk("sda", GIB, WWID), SeenDisk("sdb", 2 * GIB, WWID)])) == [("sda", ""), ("sdb", "")]


def test_one_identity_of_two_serial_numbers_is_two_disks() -> None:
    copies = [SeenDisk("sda", GIB, WWID, "one"), SeenDisk("sdb", GIB, WWID, "two"), SeenDisk("sdc", GIB, WWID, "one")]
    assert _names(join(copies)) == [("sda sdc", WWID), ("sdb", "")]


def test_what_a_map_has_belongs_to_it_whatever_it_says() -> None:
    running = RunningMap(WWID, Path("dm-0"), ("sdb",))
    seen = [SeenDisk("sda", GIB), SeenDisk("sdb", GIB), SeenDisk("sdc", GIB, WWID)]
    found = join(seen, [running])
    assert _names(found) == [("sda", ""), ("sdb sdc", WWID)]
    assert found[1].running == running
    # One path is left.
    assert _names(join(seen[:2], [running])) == [("sda", ""), ("sdb", WWID)]
    # The map of disks that are gone.
    assert _names(join(seen[:1], [running])) == [("sda", "")]


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.sampled_from(["", WWID, OTHER])), max_size=8), st.booleans())
def test_every_disk_is_in_one_place_and_no_two_sizes_in_one(
    disks: list[tuple[int, str]],
    running: bool,
) -> None:
    seen = [SeenDisk(f"sd{chr(97 + at)}", size * GIB, wwid) for at, (size, wwid) in enumerate(disks)]
    maps = (
        [RunningMap(OTHER, Path("dm-0"), tuple(disk.name for disk in seen if disk.wwid == OTHER))] if running else []
    )
    found = join(seen, maps)
    assert sorted(disk.name for one in found for disk in one.members) == [disk.name for disk in seen]
    for one in found:
        assert one.running or len({(disk.wwid, disk.size) for disk in one.members}) == 1
        assert bool(one.wwid) == (len(one.members) > 1 or one.running is not None)


def _dm(sys: Path, number: int, uuid: str, *slaves: str, name: str = "") -> Path:
    folder = sys / f"dm-{number}"
    (folder / "dm").mkdir(parents=True)
    (folder / "slaves").mkdir()
    (folder / "holders").mkdir()
    (folder / "dm/uuid").write_text(f"{uuid}\n")
    (folder / "dm/name").write_text(f"{name}\n")
    (folder / "dev").write_text(f"254:{number}\n")
    (folder / "size").write_text(f"{16 * GIB // 512}\n")
    for slave in slaves:
        (folder / "slaves" / slave).symlink_to(sys / slave)
        (sys / slave / "holders").mkdir(parents=True, exist_ok=True)
        (sys / slave / "holders" / folder.name).symlink_to(folder)
    return folder


def test_maps_that_run(tmp_path: Path) -> None:
    sda, sdb = tmp_path / "sda", tmp_path / "sdb"
    whole = _dm(tmp_path, 0, f"mpath-{WWID}", "sdb", "sda", name=WWID)
    part = _dm(tmp_path, 1, f"part5-mpath-{WWID}", "dm-0", name=f"{WWID}-part5")
    verity = _dm(tmp_path, 2, "CRYPT-VERITY-0123-zeroth-root", "dm-1", name="zeroth-root")
    volume = _dm(tmp_path, 3, "LVM-abc", "dm-0", name="vg-lv")
    assert running_maps(tmp_path) == (RunningMap(WWID, whole, ("sda", "sdb")),)
    assert [is_joined(one) for one in (whole, part, verity, volume, sda, sdb)] == [
        True,
        True,
        False,
        False,
        False,
        False,
    ]


def _device(tmp_path: Path, name: str, number: str, sectors: int = 16 * GIB // 512) -> Device:
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    (folder / "dev").write_text(f"{number}\n")
    (folder / "size").write_text(f"{sectors}\n")
    node = tmp_path / "dev" / name
    node.parent.mkdir(exist_ok=True)
    with node.open("wb") as file:
        file.truncate(16 * GIB)
    links = (
        f"/dev/disk/by-id/wwn-0x{WWID[1:]}",
        f"/dev/disk/by-path/pci-0-scsi-{name}",
        f"/dev/disk/by-diskseq/{name}",
    )
    udev = {"ID_BUS": "scsi", "ID_SERIAL": WWID, "ID_SCSI_SERIAL": "target", "ID_VENDOR": "QEMU"}
    return Device(node, folder, udev, links)


def test_the_facts_are_those_of_one_disk(tmp_path: Path) -> None:
    paths = [_device(tmp_path, "sda", "8:0"), _device(tmp_path, "sdb", "8:16")]
    joined = Joined(tuple(SeenDisk(path.name, 16 * GIB, WWID) for path in paths), WWID)
    found = multipath_facts(joined, paths, Usage({}, {}))
    assert (found.path, found.wwid) == (f"/dev/mapper/{WWID}", WWID)
    assert found.paths == tuple(str(path.node) for path in paths)
    assert (found.serial, found.vendor, found.size, found.in_use) == ("target", "QEMU", 16 * GIB, ())
    # Names of one path alone are none of the disk.
    assert found.links == (f"/dev/disk/by-id/dm-uuid-mpath-{WWID}", f"/dev/disk/by-id/wwn-0x{WWID[1:]}")
    # Whichever path is busy, the disk is.
    busy = multipath_facts(joined, paths, Usage({"8:16": ("mounted on /mnt",)}, {}))
    assert busy.in_use == ("sdb is mounted on /mnt",)
    assert multipath_facts(joined, paths, Usage({}, {}, medium="8:16")).medium


def test_a_map_s_partitions_are_the_disk_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zeroth.system.live.map_path", lambda wwid: tmp_path / "dev/sda")
    paths = [_device(tmp_path, "sda", "8:0"), _device(tmp_path, "sdb", "8:16")]
    whole = _dm(tmp_path, 0, f"mpath-{WWID}", "sdb", "sda", name=WWID)
    _dm(tmp_path, 1, f"part5-mpath-{WWID}", "dm-0", name=f"{WWID}-part5")
    running = RunningMap(WWID, whole, ("sda", "sdb"))
    joined = Joined(tuple(SeenDisk(path.name, 16 * GIB, WWID) for path in paths), WWID, running)
    assert multipath_facts(joined, paths, Usage({}, {})).in_use == ()
    mounted = multipath_facts(joined, paths, Usage({"254:1": ("mounted on /run/zeroth/state",)}, {}))
    assert mounted.in_use == (f"{WWID}-part5 is mounted on /run/zeroth/state",)


# The tools.


def _tools(folder: Path, monkeypatch: pytest.MonkeyPatch, **programs: str) -> Path:
    """Programs on PATH, each a line of shell; what they were called with is noted."""
    folder.mkdir()
    log = folder / "log"
    for name in ("multipath", "kpartx", "modprobe", "udevadm"):
        path = folder / name
        path.write_text(f'#!/bin/sh\necho {name} "$@" >>{log}\n{programs.get(name, ":")}\n')
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return log


def _disk(path: Path, *paths: Path) -> DiskFacts:
    return DiskFacts(path=str(path), size=GIB, wwid=WWID, paths=tuple(map(str, paths)))


def test_a_map_that_does_not_come_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = _tools(tmp_path / "bin", monkeypatch, multipath="echo 'sda: in use' >&2; exit 1")
    disk, named = _disk(tmp_path / WWID, Path("/dev/sda"), Path("/dev/sdb")), tmp_path / "run/wwids"
    with pytest.raises(UserError, match="/dev/sda, /dev/sdb cannot be joined to one disk: sda: in use"):
        open_map(disk, (1,), named)
    with pytest.raises(UserError):
        open_map(disk, (1,), named)
    assert named.read_text() == f"/{WWID}/\n"
    assert "kpartx" not in log.read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="device nodes need root")
def test_a_map_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node, part = tmp_path / WWID, tmp_path / f"{WWID}p1"
    log = _tools(
        tmp_path / "bin", monkeypatch, multipath=f"mknod {node} b 7 250", kpartx=f"mknod {part} b 7 251"
    )  # fmt: skip
    disk, named = _disk(node, Path("/dev/sda"), Path("/dev/sdb")), tmp_path / "wwids"
    # Another's disk that was named before stays so.
    named.write_text(f"/{OTHER}/\n")
    for _ in range(2):
        open_map(disk, (1,), named)
    assert named.read_text() == f"/{OTHER}/\n/{WWID}/\n"
    assert log.read_text().splitlines() == [
        "modprobe --quiet dm-multipath",
        "multipath -v1",
        "udevadm settle --timeout=30",
        f"kpartx -a -s -p -part {node}",
    ]


def test_a_plain_disk_has_no_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = _tools(tmp_path / "bin", monkeypatch)
    open_map(DiskFacts(path="/dev/nothing", size=GIB), (1,), tmp_path / "wwids")
    assert not log.exists()
    used: list[Path] = []
    on_a_path(DiskFacts(path="/dev/sda", size=GIB), used.append)
    assert used == [Path("/dev/sda")]


def test_a_path_that_fails_leaves_it_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten: list[Path] = []
    monkeypatch.setattr("zeroth.system.multipath._forget", forgotten.append)
    tried: list[Path] = []

    def do(path: Path) -> None:
        tried.append(path)
        if path.name == "sda":
            raise UserError("Input/output error")

    disk = _disk(map_path(WWID), Path("/dev/sda"), Path("/dev/sdb"), Path("/dev/sdc"))
    on_a_path(disk, do)
    assert tried == [Path("/dev/sda"), Path("/dev/sdb")]
    # Before and after, on both sides.
    sdb, whole = Path("/dev/sdb"), map_path(WWID)
    assert forgotten[-4:] == [whole, sdb, sdb, whole]
    with pytest.raises(UserError, match="Input/output"):
        on_a_path(_disk(map_path(WWID), Path("/dev/sda")), do)
    with pytest.raises(UserError, match="it has none"):
        on_a_path(_disk(map_path(WWID)), do)


def test_partitions_of_a_map_have_its_names() -> None:
    assert partition_path(map_path(WWID), 5) == Path(f"/dev/mapper/{WWID}-part5")
    assert partition_path(Path("/dev/sda"), 5) == Path("/dev/sda5")
    assert partition_path(Path("/dev/nvme0n1"), 5) == Path("/dev/nvme0n1p5")

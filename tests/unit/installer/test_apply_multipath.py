"""A disk over two paths through the whole command: installed through its map, upgraded, repaired.

:mod:`tests.unit.installer.mapper` stands in for multipath-tools. The lab's scenario ``multipath`` has the real ones.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from installer import upgrade as installer_upgrade
from installer.apply import Places
from installer.ending import Ended, Report
from installer.image import read_image
from installer.main import Session
from installer.repair_session import RepairSession
from installer.upgrade import HostUpgrade
from tests.unit.installer import mapper
from tests.unit.installer.loopdisk import own_mounts
from tests.unit.installer.machines import HASH, machine
from tests.unit.installer.networks import ModelNetwork
from tests.unit.installer.test_upgrade import medium_of
from zeroth.deploy.bootenv import BootState, read_boot_state
from zeroth.deploy.esp import Esp
from zeroth.deploy.layout import Part
from zeroth.deploy.loaders import bios_loader_problem
from zeroth.deploy.upgrade_apply import Upgrade
from zeroth.errors import ExitCode
from zeroth.progress import Stream
from zeroth.system.block import partition_path
from zeroth.system.diskprobe import Usage
from zeroth.system.facts import DiskFacts, Facts, FirmwareFacts
from zeroth.system.live import Device, multipath_facts
from zeroth.system.multipath import Joined, RunningMap, SeenDisk, map_path
from zeroth.system.size import GIB

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="loop devices and mounts need root"),
    pytest.mark.thorough,
]

WWID = "3600c0ff00050aaaa0001000001000000"
MAP = map_path(WWID)


class TwoPaths:
    """A disk over two paths."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.note = folder, folder / "note"
        self.file = ""
        self.paths: list[Device] = []

    def disk(self) -> DiskFacts:
        udev = {"ID_BUS": "scsi", "ID_SERIAL": WWID, "ID_SCSI_SERIAL": "target"}
        paths = [Device(path.node, path.folder, udev) for path in self.paths]
        running = RunningMap(WWID, self._folder_of_map(), ()) if MAP.exists() else None
        joined = Joined(tuple(SeenDisk(path.name, 16 * GIB, WWID) for path in paths), WWID, running)
        return multipath_facts(joined, paths, Usage({}, {}))

    def restart(self) -> None:
        """The map is gone, and the kernel shows the partitions of the paths, of which the first will do here."""
        places = [(part.number, part.start, part.size) for part in self.disk().partitions]
        mapper.drop(self.note)
        for number, start, size in places:
            node = partition_path(self.paths[0].node, number)
            mapper.attach(node, self.note, self.file, "--offset", str(start), "--sizelimit", str(size))

    def _folder_of_map(self) -> Path:
        loop = next(line.split()[1] for line in self.note.read_text().splitlines() if line.startswith(f"{MAP} "))
        return Path("/sys/class/block") / Path(loop).name

    def facts(self) -> Facts:
        return machine(self.disk(), firmware=FirmwareFacts(kind="bios"))

    def run(self, medium: Path, *lines: str) -> Report:
        answer = self.folder / "answer.yaml"
        answer.write_text("\n".join([f'hostname: host1\nroot: {{password_hash: "{HASH}"}}', *lines]) + "\n")
        image = read_image(medium, Path("/nonexistent"))
        self.said = io.StringIO()
        return Session(
            [self.said], answer, machine=self, image=lambda: image, links=lambda: None,
            places=Places(mounts=self.folder / "mounts", efi_loader=image.root.path), log=self.folder / "log",
            trial=ModelNetwork(),
        ).run()  # fmt: skip

    @property
    def esp(self) -> Esp:
        return Esp(partition_path(MAP, Part.ESP))


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TwoPaths]:
    tools, named = tmp_path / "bin", tmp_path / "wwids"
    tools.mkdir()
    for name in mapper.PROGRAMS:
        program = tools / name
        program.write_text(f'#!/bin/sh\nexec {sys.executable} {mapper.__file__} {name} "$@"\n')
        program.chmod(0o755)
    made = TwoPaths(tmp_path)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setattr("zeroth.system.multipath.NAMED", named)
    with ExitStack() as stack:
        file = stack.enter_context(tempfile.NamedTemporaryFile(dir="/dev/shm", prefix="zeroth-test-"))
        file.truncate(16 * GIB)
        made.file = file.name
        known = {"wwid": WWID, "file": file.name, "named": str(named), "note": str(made.note)}
        monkeypatch.setenv("ZEROTH_TEST_MAP", json.dumps(known))
        stack.enter_context(own_mounts())
        # Its own names of device mapper's devices, for the time of the test.
        subprocess.run(["mount", "-t", "tmpfs", "-o", "dev", "mapper", "/dev/mapper"], check=True)
        stack.callback(mapper.drop, made.note)
        for _ in range(2):
            words = ["losetup", "--find", "--show", file.name]
            loop = Path(subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip())
            stack.callback(subprocess.run, ["losetup", "--detach", str(loop)], check=True)
            made.paths.append(Device(loop, Path("/sys/class/block") / loop.name))
        yield made


def _boots(two: TwoPaths, work: Path) -> str:
    return bios_loader_problem(MAP, two.disk().partitions[Part.BIOS - 1].start, work)


def test_installed_through_the_map_upgraded_and_repaired(
    two: TwoPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "image/etc").mkdir(parents=True)

    @contextmanager
    def slot_image(_: HostUpgrade, __: object) -> Iterator[Path]:
        # The test's root images are no squashfs.
        yield tmp_path / "image"

    monkeypatch.setattr(HostUpgrade, "_slot_image", slot_image)
    monkeypatch.setattr(installer_upgrade, "Upgrade", partial(Upgrade, verify=lambda *_: None))
    medium = medium_of(tmp_path / "old", "0.1.0", "aa" * 32)

    report = two.run(medium)
    assert (report.ended, report.code) == (Ended.FINISHED, ExitCode.DONE), two.said.getvalue()
    for path in two.paths:
        assert str(path.node) in two.said.getvalue()
    found = two.disk()
    assert [Path(part.path).name for part in found.partitions] == [f"{WWID}-part{int(part)}" for part in Part]
    assert found.zeroth is not None
    assert found.zeroth.applied is not None
    for entry in ("entry.cfg", "repair.cfg"):
        assert f" zeroth.multipath={WWID} " in two.esp.read_text(f"/zeroth/a/{entry}")
    assert _boots(two, tmp_path) == ""
    assert two.run(medium).ended is Ended.NOTHING_TO_DO

    # After a restart nothing is joined yet, and a host is found all the same.
    two.restart()
    assert not MAP.exists()
    assert two.disk().table_uuid == found.table_uuid
    report = two.run(medium_of(tmp_path / "new", "0.2.0", "bb" * 32), "mode: upgrade")
    assert report.ended is Ended.FINISHED, two.said.getvalue()
    assert read_boot_state(two.esp) == BootState("a", "b", 2)
    assert f" zeroth.multipath={WWID} " in two.esp.read_text("/zeroth/b/entry.cfg")

    # What is damaged is put right over a path, and read back through the map.
    with MAP.open("r+b") as disk:
        disk.write(bytes(440))
    assert _boots(two, tmp_path) != ""
    two.restart()
    places = Places(mounts=tmp_path / "mounts", efi_loader=tmp_path / "old/zeroth/root.squashfs")
    with Stream().step("Repair") as step, RepairSession(two.facts(), str(two.paths[1].node), places=places,
                                                        version="0.2.0").planned(step) as repair:  # fmt: skip
        assert [action.title for action in repair.plan.actions] == ["Install GRUB for BIOS"]
        repair.run(step)
    assert _boots(two, tmp_path) == ""


def test_what_was_on_the_disk_goes_and_a_map_with_partitions_is_in_nobody_s_way(two: TwoPaths, tmp_path: Path) -> None:
    medium = medium_of(tmp_path / "old", "0.1.0", "aa" * 32)
    assert two.run(medium).ended is Ended.FINISHED, two.said.getvalue()
    first = two.disk().table_uuid
    refused = two.run(medium, "reinstall: true")
    assert refused.ended is Ended.FAILED
    assert f"{MAP} is not empty" in refused.reason
    again = two.run(medium, "reinstall: true", "disk: {wipe_disks: [serial=target]}")
    assert again.ended is Ended.FINISHED, two.said.getvalue()
    assert two.disk().table_uuid != first
    assert two.disk().in_use == ()

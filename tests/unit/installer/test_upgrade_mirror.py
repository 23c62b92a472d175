"""Upgrading a host on two disks from a medium. The lab's scenario ``mirror-medium`` has the real mdadm."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from installer import upgrade as upgrading
from installer.apply import Application, Places
from installer.image import InstallImage, read_image
from installer.plan import InstallPlan
from installer.planner import PlanRequest, plan_installation
from installer.upgrade import HostUpgrade, find_upgrade
from tests.unit.installer.loopdisk import LoopDisk, loop_disk
from tests.unit.installer.machines import DIGEST, machine, spec
from tests.unit.installer.mirrors import running, stand_in
from tests.unit.installer.test_upgrade import medium_of
from zeroth.deploy.arrays import opened_part
from zeroth.deploy.bootenv import BootState, read_boot_state, write_boot_state
from zeroth.deploy.esp import Esp
from zeroth.deploy.layout import InstallId, Part
from zeroth.deploy.upgrade import UpgradePlan
from zeroth.deploy.upgrade_apply import Upgrade
from zeroth.progress import Stream
from zeroth.system.block import partition_path
from zeroth.system.facts import Facts, FirmwareFacts
from zeroth.system.size import GIB, MIB

pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="loop devices and mounts need root"), pytest.mark.thorough]

MIRROR = {"layout": "mirror", "select": "size>=16GiB"}


class Mirrored:
    """Two disks with a host of version 0.1.0, and a medium of 0.2.0."""

    def __init__(self, folder: Path, disks: Sequence[LoopDisk]) -> None:
        self.folder, self.disks = folder, list(disks)
        self.new = read_image(medium_of(folder / "new", "0.2.0", "bb" * 32))
        old = read_image(medium_of(folder / "old", "0.1.0", "aa" * 32))
        self.places = Places(folder / "mounts", old.root.path, folder / "dev")
        plan = plan_installation(self._facts(), PlanRequest(spec(disk=MIRROR), DIGEST, old, InstallId(uuid4())))
        assert isinstance(plan, InstallPlan), plan
        self.identity = plan.identity
        with Stream().step("Install") as step:
            Application(plan, spec(disk=MIRROR), self.places).run(step)

    def _facts(self) -> Facts:
        return machine(*(disk.facts() for disk in self.disks), firmware=FirmwareFacts(kind="bios"))

    @property
    def esps(self) -> list[Esp]:
        return [Esp(partition_path(disk.node, Part.ESP)) for disk in self.disks]

    @contextmanager
    def planned(self, *, plan_only: bool = False) -> Iterator[tuple[HostUpgrade, UpgradePlan]]:
        upgrade = find_upgrade(self._facts(), spec(disk=MIRROR), self.new, self.places)
        with upgrade.planned(plan_only=plan_only) as plan:
            assert isinstance(plan, UpgradePlan), plan
            yield upgrade, plan

    def upgrade(self) -> UpgradePlan:
        with self.planned() as (upgrade, plan), Stream().step("Upgrade") as step:
            upgrade.apply(plan, step)
        return plan

    def root_of(self, disk: LoopDisk, image: InstallImage) -> str:
        """The digest of what slot b of one disk alone holds, as far as an image goes."""
        opened = opened_part([disk.node], self.identity, Part.SLOT_B, self.places.arrays)
        with opened as device, device.open("rb") as stream:
            return hashlib.sha256(stream.read(image.root.size)).hexdigest()


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirrored]:
    stand_in(tmp_path, monkeypatch)
    (tmp_path / "image/etc").mkdir(parents=True)

    @contextmanager
    def slot_image(_: HostUpgrade, __: object) -> Iterator[Path]:
        # The test's root images are no squashfs.
        yield tmp_path / "image"

    monkeypatch.setattr(HostUpgrade, "_slot_image", slot_image)
    monkeypatch.setattr(upgrading, "Upgrade", partial(Upgrade, verify=lambda *_: None))
    monkeypatch.setattr(upgrading, "HostUpgrade", partial(HostUpgrade, look_at=running))
    with ExitStack() as held:
        yield Mirrored(tmp_path, [held.enter_context(loop_disk(tmp_path / name, 16 * GIB)) for name in ("one", "two")])
        assert not list((tmp_path / "arrays").iterdir()), "no array may be left running"


def test_both_disks_get_the_new_slot(host: Mirrored) -> None:
    plan = host.upgrade()
    assert not plan.notes
    for disk, esp in zip(host.disks, host.esps, strict=True):
        assert read_boot_state(esp) == BootState("a", "b", 2)
        assert f"zeroth.root=MD_UUID={host.identity.array_uuid(Part.SLOT_B)} " in esp.read_text("/zeroth/b/entry.cfg")
        assert "bb" * 32 in esp.read_text("/zeroth/b/entry.cfg")
        assert host.root_of(disk, host.new) == host.new.root.sha256


def test_a_plan_alone_writes_nothing(host: Mirrored) -> None:
    def parts() -> list[str]:
        written = (Part.ESP, Part.SLOT_B, Part.STATE)
        return [_head(partition_path(disk.node, part)) for disk in host.disks for part in written]

    before = parts()
    with host.planned(plan_only=True) as (_, plan):
        assert plan.slot == "b"
    assert parts() == before
    assert [read_boot_state(esp) for esp in host.esps] == [BootState("a")] * 2


def test_a_disk_that_is_away_does_not_keep_the_other_from_it(host: Mirrored) -> None:
    host.disks.pop(0)
    plan = host.upgrade()
    assert "one disk of the mirror is upgraded" in plan.notes[0]
    assert read_boot_state(host.esps[0]) == BootState("a", "b", 2)


@pytest.mark.parametrize("newer", [0, 1])
def test_boot_files_that_are_behind_are_brought_up_to_date_first(host: Mirrored, newer: int) -> None:
    """Afterwards both disks have the same boot state, and nobody could tell which of them is right."""
    best, behind = host.esps[newer], host.esps[1 - newer]
    best.put_text("set extra=1\n", "/zeroth/a/more.cfg")
    write_boot_state(best, BootState("a"))
    host.upgrade()
    assert behind.read_text("/zeroth/a/more.cfg") == "set extra=1\n"
    assert read_boot_state(behind) == read_boot_state(best) == BootState("a", "b", 2)


def _head(device: Path) -> str:
    """The digest of a partition's beginning, where md and ext4 have their superblocks."""
    with device.open("rb") as stream:
        return hashlib.sha256(stream.read(4 * MIB)).hexdigest()

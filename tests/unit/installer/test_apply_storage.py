"""Installations that keep a local storage repository, and that take further disks into it.

On loop devices, with faults at every step.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from installer.apply import Application, Places
from installer.image import InstallImage, read_image
from installer.plan import Action, ActionKind, AlreadyApplied, InstallPlan, Outcome, Refused
from installer.planner import PlanRequest, plan_installation
from installer.show import outcome_text
from tests.unit.installer.loopdisk import LoopDisk, loop_disk
from tests.unit.installer.lvm import GROUP_UUID, stand_in, write_label
from tests.unit.installer.machines import DIGEST, machine, spec
from tests.unit.installer.medium import install_medium
from zeroth.deploy.layout import InstallId, Part, make_layout
from zeroth.deploy.localsr import LocalSrRecord, read_record
from zeroth.deploy.marker import clear_marker
from zeroth.progress import Step, Stream
from zeroth.spec.model import HostSpec
from zeroth.system.block import flush, mounted, partition_path
from zeroth.system.facts import FirmwareFacts
from zeroth.system.size import GIB, MIB

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="loop devices and mounts need root"),
    pytest.mark.thorough,
]

SR = make_layout(16 * GIB)[Part.SR]
KEEP = {"wipe": True, "keep_sr": True}
OLD_DIGEST = "cd" * 32
SECTOR = 512


class Fault(Exception):
    pass


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> InstallImage:
    return read_image(install_medium(tmp_path_factory.mktemp("medium"), 3 * MIB + 4096), Path("/nonexistent"))


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, tmp_path / "bin")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[LoopDisk]:
    with loop_disk(tmp_path / "disk", 16 * GIB) as made:
        yield made


def _outcome(
    image: InstallImage, answer: HostSpec, *disks: LoopDisk, digest: str = DIGEST
) -> Outcome:  # fmt: skip
    facts = machine(*(disk.facts() for disk in disks), firmware=FirmwareFacts(kind="bios"))
    return plan_installation(facts, PlanRequest(answer, digest, image, InstallId(uuid4())))


def _application(image: InstallImage, answer: HostSpec, *disks: LoopDisk, digest: str = DIGEST) -> Application:
    plan = _outcome(image, answer, *disks, digest=digest)
    assert isinstance(plan, InstallPlan), plan
    home = disks[0].node.parent
    return Application(plan, answer, Places(home / "mounts", image.root.path.parent / "grubx64.efi"))


def _run(application: Application) -> None:
    with Stream().step("Install") as step:
        assert application.run(step) == ()


def _cut(application: Application, at: Action) -> None:
    """The power fails after this action."""
    done = application.handlers[at.kind]

    def failing(action: Action, step: Step) -> None:
        done(action, step)
        if action == at:
            raise Fault

    application.handlers[at.kind] = failing
    with pytest.raises(Fault):
        _run(application)


def _old_host(image: InstallImage, disk: LoopDisk) -> str:
    """An earlier host with volumes; the digest of its repository."""
    _run(_application(image, spec(), disk, digest=OLD_DIGEST))
    device = partition_path(disk.node, Part.SR)
    handle = os.open(device, os.O_WRONLY)
    for place in (0, 1536 * MIB, SR.size - MIB):
        os.pwrite(handle, os.urandom(MIB), place)
    os.fsync(handle)
    os.close(handle)
    write_label(device)
    return _digest(disk)


def _digest(disk: LoopDisk) -> str:
    """Of what the repository holds, and where: what is written or discarded there shows, even zeros."""
    for device in (disk.node, partition_path(disk.node, Part.SR)):
        flush(device)
    number = disk.node.stat().st_rdev
    backing = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}/loop/backing_file").read_text().strip()
    found = hashlib.sha256()
    with Path(backing).open("rb") as file:
        at = SR.start
        while at < SR.end:
            try:
                begin = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:
                break
            at = min(os.lseek(file.fileno(), begin, os.SEEK_HOLE), SR.end)
            if begin < at:
                found.update(b"%d+%d:" % (begin, at - begin))
                found.update(os.pread(file.fileno(), at - begin, begin))
    return found.hexdigest()


def _record(disk: LoopDisk) -> LocalSrRecord:
    with mounted(partition_path(disk.node, Part.STATE), disk.node.parent / "look") as state:
        record = read_record(state / "a/store/local-sr.json")
    assert record
    return record


def _check_kept(image: InstallImage, disk: LoopDisk, before: str, uuid: str) -> None:
    assert _digest(disk) == before
    facts = disk.facts()
    assert facts.zeroth
    assert facts.zeroth.marker is None
    assert facts.zeroth.applied
    assert facts.zeroth.applied.digest == DIGEST
    part = facts.partitions[Part.SR - 1]
    assert (part.start, part.size, part.uuid, part.label) == (SR.start, SR.size, uuid, "zeroth-sr")
    assert isinstance(_outcome(image, spec(), disk), AlreadyApplied)
    record = _record(disk)
    assert (record.devices, record.kept) == ((f"PARTUUID={uuid}",), True)


@pytest.mark.usefixtures("storage")
def test_it_stays_byte_for_byte_whatever_is_cut_off(disk: LoopDisk, image: InstallImage) -> None:
    """Run after run the power fails one step later, until all is done. Nothing is asked again, and nothing is lost."""
    before = _old_host(image, disk)
    old = disk.facts()
    uuid = old.partitions[Part.SR - 1].uuid
    answer = spec(disk=KEEP)
    first = _application(image, answer, disk)
    identity = first.plan.identity
    assert first.plan.kept
    assert first.plan.kept.volumes == ("web", "db")
    assert first.plan.kept.group_uuid == GROUP_UUID
    assert "volume group zeroth-sr with 2 volumes (web, db)" in outcome_text(first.plan, 200)
    actions = first.plan.actions[:-1]
    for number, action in enumerate(actions):
        application = first if number == 0 else _application(image, answer, disk)
        assert application.plan.kept
        assert application.plan.identity == identity
        if number:
            assert application.plan.resumes == (
                "finishing" if actions[number - 1].kind in (ActionKind.FINISH, ActionKind.EFI_LOADER) else "installing"
            )
        _cut(application, next(one for one in application.plan.actions if one.title == action.title))
        assert _digest(disk) == before, action.title
    _run(_application(image, answer, disk))
    _check_kept(image, disk, before, uuid)
    after = disk.facts()
    assert not {part.uuid for part in old.partitions} & {part.uuid for part in after.partitions[:-1]}


PRIMARY, ENTRIES, BACKUP = slice(SECTOR, 2 * SECTOR), slice(2 * SECTOR, 34 * SECTOR), slice(-33 * SECTOR, None)


@pytest.mark.usefixtures("storage")
def test_a_table_that_was_cut_off_half_written(disk: LoopDisk, image: InstallImage) -> None:
    """The mark says where the repository lies, whatever is left of the table."""
    before = _old_host(image, disk)
    uuid = disk.facts().partitions[Part.SR - 1].uuid
    answer = spec(disk=KEEP)
    for lost in ((PRIMARY,), (BACKUP,), (ENTRIES, BACKUP), (PRIMARY, ENTRIES, BACKUP)):
        application = _application(image, answer, disk)
        _cut(application, next(one for one in application.plan.actions if one.kind is ActionKind.TABLE))
        with disk.node.open("r+b", buffering=0) as file:
            for place in lost:
                start, end, _ = place.indices(16 * GIB)
                file.seek(start)
                file.write(bytes(end - start))
        flush(disk.node)
    # Another answer that keeps it needs consent, and finds it too; one that does not keep it needs consent as well.
    other = _outcome(image, answer, disk, digest="ee" * 32)
    assert isinstance(other, InstallPlan)
    assert other.resumes == ""
    assert other.kept
    assert other.kept.uuid == uuid
    assert isinstance(_outcome(image, spec(), disk, digest="ee" * 32), Refused)
    _run(_application(image, answer, disk))
    _check_kept(image, disk, before, uuid)


@pytest.mark.usefixtures("storage")
def test_what_cannot_be_kept(disk: LoopDisk, image: InstallImage) -> None:
    def why() -> str:
        refused = _outcome(image, spec(disk=KEEP), disk)
        assert isinstance(refused, Refused)
        return refused.problems[0].message

    assert "does not have the partitions of a zeroth host. It carries: nothing" in why()
    _run(_application(image, spec(), disk, digest=OLD_DIGEST))
    assert "its partition 7 (zeroth-sr) carries nothing that is known" in why()
    subprocess.run(["mkfs.ext4", "-q", "-F", partition_path(disk.node, Part.SR)], check=True)
    assert "carries ext4, not an LVM volume group" in why()
    assert isinstance(_outcome(image, spec(disk={"keep_sr": True}), disk), Refused)


STORAGE = {"select": "smallest", "sr_disks": ["size>=20GiB"]}


@pytest.fixture
def further(tmp_path: Path) -> Iterator[LoopDisk]:
    with loop_disk(tmp_path / "further", 20 * GIB, storage=True) as made:
        yield made


def test_a_further_disk_whatever_is_cut_off(disk: LoopDisk, further: LoopDisk, image: InstallImage) -> None:
    """Run after run the power fails one step later; with the consent of the first, since what it began is its own."""
    subprocess.run(["mkfs.ext4", "-q", "-F", further.node], check=True)
    refused = _outcome(image, _storage(), disk, further)
    assert isinstance(refused, Refused)
    assert [f"{further.node} is not empty" in problem.message for problem in refused.problems] == [True]
    answer = _storage(wipe_disks=["size>=20GiB"])
    first = _application(image, answer, disk, further)
    assert [what.startswith(f"{further.node}: ") for what in first.plan.destroys] == [True]
    assert f"Storage: {further.node}" in outcome_text(first.plan, 200)
    actions = first.plan.actions[:-1]
    for number, action in enumerate(actions):
        # Consent is in the answer as ever; that it is not needed any more once a table is there is seen below.
        application = first if number == 0 else _application(image, answer, disk, further)
        assert application.plan.identity == first.plan.identity
        same = [one for one in application.plan.actions if one.title == action.title]
        if same:
            _cut(application, same[0])
        if action.kind is ActionKind.SR_DISK:
            assert isinstance(_outcome(image, _storage(), disk, further), InstallPlan)
    _run(_application(image, answer, disk, further))
    _check_storage(image, disk, further, first.plan.identity)


def _storage(**more: Any) -> HostSpec:  # noqa: ANN401 - whatever the model takes
    return spec(disk={**STORAGE, **more})


def _check_storage(image: InstallImage, disk: LoopDisk, further: LoopDisk, identity: InstallId) -> None:
    facts = further.facts()
    assert facts.zeroth is None
    assert facts.table_uuid == identity.sr_disk_guid(1)
    [part] = facts.partitions
    assert (part.label, part.uuid, part.start) == ("zeroth-sr", identity.sr_partition_uuid(1), 2 * MIB)
    assert part.signatures == ()
    record = _record(disk)
    assert record.devices == tuple(f"PARTUUID={one.facts().partitions[-1].uuid}" for one in (disk, further))
    assert not record.kept
    assert isinstance(_outcome(image, _storage(), disk, further), AlreadyApplied)


@pytest.mark.usefixtures("storage")
def test_stale_metadata_of_an_earlier_repository_is_gone(
    disk: LoopDisk, further: LoopDisk, image: InstallImage
) -> None:  # fmt: skip
    _run(_application(image, _storage(), disk, further))
    for one, number in ((disk, Part.SR), (further, 1)):
        write_label(partition_path(one.node, number))
        assert "part of the volume group zeroth-sr" in one.facts().contents
    again = _storage(wipe=True)
    application = _application(image, again.model_copy(update={"reinstall": True}), disk, further)
    _run(application)
    _check_storage(image, disk, further, application.plan.identity)
    assert not disk.facts().partitions[Part.SR - 1].signatures


def test_a_disk_that_lost_its_table_is_made_again(disk: LoopDisk, further: LoopDisk, image: InstallImage) -> None:
    """What says that only boot loaders are missing counts only as long as every disk is the one that it was."""
    application = _application(image, _storage(), disk, further)
    _cut(application, next(one for one in application.plan.actions if one.kind is ActionKind.EFI_LOADER))
    assert _application(image, _storage(), disk, further).plan.resumes == "finishing"
    subprocess.run(["wipefs", "--quiet", "--all", further.node], check=True)
    clear_marker(further.node)
    flush(further.node)
    second = _application(image, _storage(), disk, further)
    assert second.plan.resumes == "installing"
    _run(second)
    _check_storage(image, disk, further, second.plan.identity)


def test_several_devices_are_all_needed(
    disk: LoopDisk, image: InstallImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, tmp_path / "bin", members=2)
    _old_host(image, disk)
    refused = _outcome(image, spec(disk=KEEP), disk)
    assert isinstance(refused, Refused)
    assert "lies on 2 devices, and 1 of them are in this machine" in refused.problems[0].message
    with ExitStack() as stack:
        other = stack.enter_context(loop_disk(tmp_path / "other", 3 * GIB, storage=True))
        write_label(other.node)
        plan = _outcome(image, spec(disk={**KEEP, "select": "size>=16GiB"}), disk, other)
        assert isinstance(plan, InstallPlan)
        assert plan.kept
        assert plan.kept.others == (str(other.node),)
        assert replace(plan.kept, others=()).uuid == disk.facts().partitions[Part.SR - 1].uuid
        assert {action.disk for action in plan.actions if action.disk} == {str(disk.node)}

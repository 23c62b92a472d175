"""Whole installations onto two loop devices, and a third that takes one's place: each disk has everything, whichever
fault came between.

This machine's kernel may have no md: :mod:`tests.unit.installer.mdadm` stands in for its tool. The lab's scenario
``mirror`` has the real one.
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
from uuid import UUID, uuid4

import pytest

from installer import replace as replacing
from installer.apply import Application, Places
from installer.image import InstallImage, read_image
from installer.plan import Action, ActionKind, AlreadyApplied, InstallPlan, Outcome, Refused
from installer.planner import PlanRequest, plan_installation
from installer.replace import Replacement, plan_replacement
from tests.unit.installer.loopdisk import LoopDisk, loop_disk
from tests.unit.installer.machines import DIGEST, MACHINE, machine, spec
from tests.unit.installer.medium import install_medium
from tests.unit.installer.mirrors import running, stand_in
from zeroth.deploy.arrays import assembled, opened_part
from zeroth.deploy.bootenv import BootState, read_boot_state
from zeroth.deploy.esp import Esp
from zeroth.deploy.journal import read_journal
from zeroth.deploy.layout import MIRRORED, InstallId, Part
from zeroth.deploy.legs import Leg, Mirror
from zeroth.deploy.loaders import EFI_PATH
from zeroth.deploy.running import legs_given
from zeroth.deploy.slotstate import SlotState
from zeroth.errors import UserError
from zeroth.progress import Step, Stream
from zeroth.spec.model import HostSpec
from zeroth.system.block import mounted, partition_path
from zeroth.system.facts import FirmwareFacts
from zeroth.system.size import GIB, MIB

pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="loop devices and mounts need root"), pytest.mark.thorough]

# Both, whatever their names.
MIRROR = {"layout": "mirror", "select": "size>=16GiB"}


class Fault(Exception):
    pass


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> InstallImage:
    return read_image(install_medium(tmp_path_factory.mktemp("medium"), 5 * MIB + 4096), Path("/nonexistent"))


@pytest.fixture
def disks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[LoopDisk, LoopDisk]]:
    stand_in(tmp_path, monkeypatch)
    with ExitStack() as stack:
        # The second is larger: the smaller one counts.
        sizes = {"one": 16 * GIB + 7 * MIB, "two": 16 * GIB + 300 * MIB}
        made = [
            stack.enter_context(loop_disk(tmp_path / name, size, laid_out=16 * GIB)) for name, size in sizes.items()
        ]
        yield made[0], made[1]
        assert not list((tmp_path / "arrays").iterdir()), "no array may be left running"


def _outcome(disks: tuple[LoopDisk, ...], image: InstallImage, answer: HostSpec | None = None) -> Outcome:
    facts = machine(*(disk.facts() for disk in disks), firmware=FirmwareFacts(kind="bios"))
    return plan_installation(facts, PlanRequest(answer or spec(disk=MIRROR), DIGEST, image, InstallId(uuid4())))


def _application(disks: tuple[LoopDisk, ...], image: InstallImage, answer: HostSpec | None = None) -> Application:
    plan = _outcome(disks, image, answer)
    assert isinstance(plan, InstallPlan), plan
    home = disks[0].node.parents[1]
    places = Places(home / "mounts", image.root.path.parent / "grubx64.efi", home / "dev")
    return Application(plan, answer or spec(disk=MIRROR), places)


def _run(application: Application) -> None:
    with Stream().step("Install") as step:
        assert application.run(step) == ()


def _check_leg(disk: LoopDisk, image: InstallImage, identity: InstallId, leg: int) -> None:
    """What one disk has to hold to start alone."""
    facts = disk.facts()
    assert facts.table_uuid == identity.leg_guid(leg)
    assert [part.uuid for part in facts.partitions] == [identity.partition_uuid(part, leg) for part in Part]
    for part in facts.partitions:
        member = Part(part.number) in MIRRORED
        assert ("linux_raid_member" in {sign.type for sign in part.signatures}) == member, part
    assert facts.zeroth is not None
    assert facts.zeroth.marker is None
    assert facts.zeroth.applied is not None, "a member alone tells what was applied"
    assert facts.zeroth.applied.machine == MACHINE

    esp = Esp(partition_path(disk.node, Part.ESP))
    for file in image.slot_files:
        assert esp.sha256(f"/zeroth/a/{file.name}") == file.sha256
    loader = image.root.path.parent / "grubx64.efi"
    assert esp.sha256("/EFI/BOOT/BOOTX64.EFI") == hashlib.sha256(loader.read_bytes()).hexdigest()
    for number, name in ((Part.SLOT_A, "root"), (Part.STATE, "state"), (Part.LOG, "log")):
        assert f"zeroth.{name}=MD_UUID={identity.array_uuid(number)} " in esp.read_text("/zeroth/a/entry.cfg")
    assert read_boot_state(esp) == BootState(committed="a")
    assert b"GRUB" in _head(disk.node, 512)
    assert any(_head(partition_path(disk.node, Part.BIOS), 512))

    home = disk.node.parents[1]
    with opened_part([disk.node], identity, Part.SLOT_A, home / "dev") as slot:
        assert hashlib.sha256(_head(slot, image.root.size)).hexdigest() == image.root.sha256
    with (
        opened_part([disk.node], identity, Part.STATE, home / "dev") as device,
        mounted(device, home / "look") as state,
    ):
        assert read_journal(state / "install/journal.jsonl")[-1]["what"] == "Finish the journal"
        assert (state / "a/store/hostspec.json").is_file()


def _check_installed(disks: tuple[LoopDisk, ...], image: InstallImage, identity: InstallId) -> None:
    for leg, disk in enumerate(disks, 1):
        _check_leg(disk, image, identity, leg)
    assert isinstance(_outcome(disks, image), AlreadyApplied)


def _head(device: Path, size: int) -> bytes:
    with device.open("rb") as file:
        return file.read(size)


def test_each_disk_has_everything(disks: tuple[LoopDisk, LoopDisk], image: InstallImage) -> None:
    application = _application(disks, image)
    assert application.plan.layout.disk_size == 16 * GIB
    _run(application)
    _check_installed(disks, image, application.plan.identity)


def test_one_disk_whose_second_is_missing(disks: tuple[LoopDisk, LoopDisk], image: InstallImage) -> None:
    answer = spec(disk={"layout": "mirror", "mirror_with": "missing"})
    application = _application(disks[:1], image, answer)
    assert any("zeroth disk replace" in text for text in application.plan.reservations)
    _run(application)
    _check_leg(disks[0], image, application.plan.identity, 1)
    assert disks[1].facts().contents == ()


# Those after which something else is left to do; the others are as with one disk.
STEPS = (ActionKind.BEGIN, ActionKind.ARRAYS, ActionKind.STATE, ActionKind.BIOS_LOADER, ActionKind.COMMIT)
LATE = (ActionKind.FINISH, ActionKind.EFI_LOADER, ActionKind.BIOS_LOADER)


@pytest.mark.parametrize("kind", STEPS)
def test_goes_on_after_a_fault(disks: tuple[LoopDisk, LoopDisk], image: InstallImage, kind: ActionKind) -> None:
    """Cut off after this step. The answer gives no consent: what the first run left counts as its own."""
    first = _application(disks, image)
    done = first.handlers[kind]

    def failing(action: Action, step: Step) -> None:
        done(action, step)
        raise Fault(kind)

    first.handlers[kind] = failing
    with pytest.raises(Fault):
        _run(first)
    if kind is ActionKind.COMMIT:
        _check_installed(disks, image, first.plan.identity)
        return
    # Disks are found in any order.
    second = _application((disks[1], disks[0]), image)
    assert second.plan.resumes == ("finishing" if kind in LATE else "installing")
    assert second.plan.identity == first.plan.identity
    if kind in LATE:
        assert [leg.disk.path for leg in second.plan.legs] == [str(disk.node) for disk in disks]
    _run(second)
    legs = tuple(disk for leg in second.plan.legs for disk in disks if str(disk.node) == leg.disk.path)
    _check_installed(legs, image, second.plan.identity)


@pytest.mark.parametrize("kind", [ActionKind.BEGIN, ActionKind.FINISH, ActionKind.COMMIT])
def test_goes_on_when_one_disk_has_its_mark_and_the_other_not(
    disks: tuple[LoopDisk, LoopDisk], image: InstallImage, kind: ActionKind, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """The power goes between the two writes of a mark."""
    from installer import apply

    first = _application(disks, image)
    name = "clear_marker" if kind is ActionKind.COMMIT else "write_marker"
    done = getattr(apply, name)
    handler = first.handlers[kind]

    def cut(disk: Path, *rest: object) -> None:
        if disk == disks[1].node:
            raise Fault
        done(disk, *rest)

    def failing(action: Action, step: Step) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(apply, name, cut)
            handler(action, step)

    first.handlers[kind] = failing
    with pytest.raises(Fault):
        _run(first)
    second = _application(disks, image)
    assert second.plan.resumes == ("finishing" if kind is ActionKind.COMMIT else "installing")
    _run(second)
    _check_installed(disks, image, first.plan.identity)


def test_what_is_on_either_disk_needs_consent(disks: tuple[LoopDisk, LoopDisk], image: InstallImage) -> None:
    first = _application(disks, image)
    _run(first)
    again = spec(disk=MIRROR, reinstall=True)
    refused = _outcome(disks, image, again)
    assert isinstance(refused, Refused)
    assert len([problem for problem in refused.problems if "is not empty" in problem.message]) == 2
    allowed = _application(disks, image, spec(disk={**MIRROR, "wipe": True}, reinstall=True))
    assert {phrase.partition(":")[0] for phrase in allowed.plan.destroys} == {str(disk.node) for disk in disks}


def test_another_mirror_is_not_gone_on_with(disks: tuple[LoopDisk, LoopDisk], image: InstallImage) -> None:
    """One disk of an interrupted installation and one of another begin again, with consent for what is no mark's."""
    first = _application(disks, image)
    first.handlers[ActionKind.STATE] = lambda action, step: (_ for _ in ()).throw(Fault())
    with pytest.raises(Fault):
        _run(first)
    other = InstallId(UUID(int=7), mirror=True)
    plan = replace(first.plan, identity=other)
    assert plan.identity.leg_of(disks[0].facts().table_uuid) == 0
    second = _application(disks, image)
    assert second.plan.resumes == "installing"
    assert second.plan.identity.value == first.plan.identity.value


@pytest.fixture
def third(tmp_path: Path, disks: tuple[LoopDisk, LoopDisk]) -> Iterator[LoopDisk]:
    with loop_disk(tmp_path / "three", 16 * GIB + 50 * MIB, laid_out=16 * GIB) as made:
        yield made


def _replacement(
    first: LoopDisk, new: LoopDisk, identity: InstallId, state: SlotState, *, erase: bool = False
) -> Replacement:  # fmt: skip
    arrays = first.node.parents[1] / "dev"
    found = {part: array for part in MIRRORED if (array := running(arrays / f"md{int(part)}"))}
    mirror = Mirror(identity, (Leg(first.node, 1, whole=True, generation=1),), found)
    # However far it came, it is not whole before it says so.
    waiting = Mirror(identity, mirror.legs, {part: replace(array, missing=1) for part, array in found.items()})
    facts = machine(first.facts(), new.facts(), firmware=FirmwareFacts(kind="bios"))
    plan = plan_replacement(waiting, facts, legs_given(state), erase=erase)
    return Replacement(plan, state, arrays, running, lambda seconds: None)


# What is done to the disk, in this order.
WRITES = (
    "write_marker",
    "wipe",
    "write_table",
    "add_member",
    "copy_boot_files",
    "install_bios_loader",
)


@pytest.mark.parametrize("cut", ["", *WRITES])
def test_a_disk_takes_the_place_of_another(
    disks: tuple[LoopDisk, LoopDisk], third: LoopDisk, image: InstallImage, cut: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off after each write, and gone on with, without being allowed again once something of the disk is gone.

    Before that, what is on it may be somebody's who has used it since.
    """
    application = _application(disks, image)
    _run(application)
    identity, first = application.plan.identity, disks[0]
    subprocess.run(["mkfs.ext4", "-q", "-F", third.node, "1G"], check=True)
    state = SlotState(first.node.parents[1] / "state")
    (state.root / "install").mkdir(parents=True)
    with assembled([first.node], identity, MIRRORED, first.node.parents[1] / "dev"):
        with pytest.raises(UserError, match="not empty"):
            _replacement(first, third, identity, state)
        if cut:
            done = getattr(replacing, cut)

            def failing(*words: Any, **options: Any) -> None:  # noqa: ANN401
                done(*words, **options)
                raise Fault(cut)

            with monkeypatch.context() as patch, Stream().step("Replace") as step, pytest.raises(Fault):
                patch.setattr(replacing, cut, failing)
                _replacement(first, third, identity, state, erase=True).run(step)
            if cut != "install_bios_loader":
                assert not Esp(partition_path(third.node, Part.ESP)).exists(EFI_PATH)
                assert b"GRUB" not in _head(third.node, 512)
        untouched = cut in ("", "write_marker")
        again = _replacement(first, third, identity, state, erase=untouched)
        assert again.plan.resumes != untouched
        with Stream().step("Replace") as step:
            assert again.run(step) == ()
    _check_leg(third, image, identity, again.plan.leg)
    # One that was noted and not used is not given again.
    assert legs_given(state) == again.plan.leg == (4 if cut == "wipe" else 3)
    assert read_journal(state.upgrades / "journal.jsonl")[-1]["status"] == "done"

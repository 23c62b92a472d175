"""Whole installations onto loop devices: the result, faults at every step, and reinstallations."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from installer.apply import Application, Places
from installer.image import ImageFile, InstallImage, SignedFiles, read_image
from installer.plan import Action, ActionKind, AlreadyApplied, InstallPlan, Outcome, Refused
from installer.planner import PlanRequest, plan_installation
from tests.unit.installer.loopdisk import LoopDisk, loop_disk
from tests.unit.installer.machines import DIGEST, MACHINE, machine, spec
from tests.unit.installer.medium import install_medium
from zeroth.deploy.bootenv import BootState, read_boot_state
from zeroth.deploy.esp import Esp
from zeroth.deploy.journal import read_journal
from zeroth.deploy.layout import InstallId, Part
from zeroth.deploy.marker import clear_marker
from zeroth.errors import UserError
from zeroth.progress import Step, Stream
from zeroth.spec.model import HostSpec
from zeroth.system.block import flush, mounted, partition_path
from zeroth.system.facts import FirmwareFacts
from zeroth.system.files import sha256_file
from zeroth.system.size import GIB, MIB

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="loop devices and mounts need root")


class Fault(Exception):
    pass


@pytest.fixture(scope="session")
def medium(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_medium(tmp_path_factory.mktemp("medium"), 9 * MIB + 4096)


@pytest.fixture
def image(medium: Path) -> InstallImage:
    return read_image(medium, Path("/nonexistent"))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[LoopDisk]:
    with loop_disk(tmp_path / "disk", 16 * GIB) as made:
        yield made


def _outcome(disk: LoopDisk, image: InstallImage, answer: HostSpec | None = None, uuid: UUID | None = None) -> Outcome:
    facts = machine(disk.facts(), firmware=FirmwareFacts(kind="bios"))
    answer = answer or spec()
    return plan_installation(facts, PlanRequest(answer, DIGEST, image, InstallId(uuid or uuid4())))


def _application(disk: LoopDisk, image: InstallImage, answer: HostSpec | None = None) -> Application:
    plan = _outcome(disk, image, answer)
    assert isinstance(plan, InstallPlan), plan
    places = Places(mounts=disk.node.parent / "mounts", efi_loader=image.root.path.parent / "grubx64.efi")
    return Application(plan, answer or spec(), places)


def _run(application: Application) -> None:
    with Stream().step("Install") as step:
        assert application.run(step) == ()


def _fail_at(application: Application, kind: ActionKind, *, after: bool) -> None:
    done = application.handlers[kind]

    def failing(action: Action, step: Step) -> None:
        if after:
            done(action, step)
        raise Fault(kind)

    application.handlers[kind] = failing


def _check_installed(disk: LoopDisk, image: InstallImage) -> None:
    facts = disk.facts()
    assert [part.label for part in facts.partitions] == [part.label for part in Part]
    assert facts.zeroth is not None
    assert facts.zeroth.marker is None
    assert facts.zeroth.applied is not None
    assert facts.zeroth.applied.digest == DIGEST
    assert facts.zeroth.applied.machine == MACHINE
    assert isinstance(_outcome(disk, image), AlreadyApplied)

    device = partition_path(disk.node, Part.SLOT_A)
    assert hashlib.sha256(_head(device, image.root.size)).hexdigest() == image.root.sha256
    esp = Esp(partition_path(disk.node, Part.ESP))
    for file in image.slot_files:
        assert esp.sha256(f"/zeroth/a/{file.name}") == file.sha256
    assert esp.read_text("/zeroth/a/SHA256SUMS") == "".join(f"{file.sha256}  {file.name}\n" for file in image.boot)
    loader = image.signed.selector.path if image.signed else image.root.path.parent / "grubx64.efi"
    assert esp.sha256("/EFI/BOOT/BOOTX64.EFI") == hashlib.sha256(loader.read_bytes()).hexdigest()
    for part, name in ((Part.SLOT_A, "root"), (Part.STATE, "state"), (Part.LOG, "log")):
        assert f"zeroth.{name}=PARTUUID={facts.partitions[part - 1].uuid} " in esp.read_text("/zeroth/a/entry.cfg")
    assert "source /zeroth/a/entry.cfg" in esp.read_text("/boot/grub/grub.cfg")
    assert read_boot_state(esp) == BootState(committed="a")
    # GRUB's boot sector points to its core at the start of the BIOS partition, and the core is there.
    sector = _head(disk.node, 512)
    assert b"GRUB" in sector
    assert sector[-2:] == b"\x55\xaa"
    assert int.from_bytes(sector[0x5C:0x64], "little") == facts.partitions[0].start // 512
    assert any(_head(partition_path(disk.node, Part.BIOS), 512))

    with mounted(partition_path(disk.node, Part.STATE), disk.node.parent / "state") as state:
        stored = state / "a/store/hostspec.json"
        assert stored.stat().st_mode & 0o777 == 0o600
        assert HostSpec.model_validate_json(stored.read_text()).management.nic == "52:54:00:00:00:01"
        entries = read_journal(state / "install/journal.jsonl")
        assert entries[-1]["what"] == "Finish the journal"
        assert entries[-1]["status"] == "done"
        assert not any((state / "install/grub").iterdir())
    with mounted(partition_path(disk.node, Part.LOG), disk.node.parent / "log") as log:
        assert (log / "zeroth").is_dir()


def _head(device: Path, size: int) -> bytes:
    with device.open("rb") as file:
        return file.read(size)


def test_an_empty_disk(disk: LoopDisk, image: InstallImage) -> None:
    assert disk.facts().contents == ()
    _run(_application(disk, image))
    _check_installed(disk, image)


# Hooks, mirrors, storage disks and repairs have tests of their own.
NOT_HERE = (ActionKind.WIPE, ActionKind.ARRAYS, ActionKind.HOOK, ActionKind.BOOT_ENTRY, ActionKind.COMMIT,
            ActionKind.BOOT_STATE, ActionKind.BOOT_COPY, ActionKind.SR_DISK, ActionKind.SR_DONE)  # fmt: skip
STEPS = [kind for kind in ActionKind if kind not in NOT_HERE]


def test_a_medium_for_secure_boot(disk: LoopDisk, image: InstallImage) -> None:
    folder = image.root.path.parent
    files = []
    for name in ("host.efi", "host.efi.sig", "selector.efi"):
        (folder / name).write_bytes(name.encode() * 1000)
        files.append(ImageFile(name, folder / name, len(name) * 1000, sha256_file(folder / name)))
    signed = replace(image, signed=SignedFiles((files[0], files[1]), files[2]))
    _run(_application(disk, signed))
    _check_installed(disk, signed)


@pytest.mark.thorough
@pytest.mark.parametrize("kind", STEPS)
def test_goes_on_after_a_fault(disk: LoopDisk, image: InstallImage, kind: ActionKind) -> None:
    """Cut off after this step. The answer gives no consent: what the first run left counts as its own."""
    first = _application(disk, image)
    _fail_at(first, kind, after=True)
    with pytest.raises(Fault):
        _run(first)
    second = _application(disk, image)
    late = (ActionKind.FINISH, ActionKind.EFI_LOADER, ActionKind.BIOS_LOADER)
    assert second.plan.resumes == ("finishing" if kind in late else "installing")
    assert second.plan.identity == first.plan.identity
    _run(second)
    _check_installed(disk, image)


def test_nothing_is_written_before_the_first_action(disk: LoopDisk, image: InstallImage) -> None:
    application = _application(disk, image)
    _fail_at(application, ActionKind.BEGIN, after=False)
    with pytest.raises(Fault):
        _run(application)
    assert disk.facts().contents == ()
    assert not any(_head(disk.node, 4 * MIB))


@pytest.mark.thorough
def test_an_older_host_needs_consent_and_leaves_nothing(disk: LoopDisk, image: InstallImage) -> None:
    _run(_application(disk, image))
    before = disk.facts()
    assert isinstance(_outcome(disk, image, spec(reinstall=True)), Refused)
    again = _application(disk, image, spec(reinstall=True, wipe=True))
    assert any("zeroth 0.1.0" in phrase for phrase in again.plan.destroys)
    _run(again)
    _check_installed(disk, image)
    after = disk.facts()
    assert not {part.uuid for part in before.partitions} & {part.uuid for part in after.partitions}


@pytest.mark.thorough
@pytest.mark.parametrize("fault", [ActionKind.BEGIN, ActionKind.WIPE, ActionKind.TABLE])
def test_a_foreign_disk_with_consent_goes_on_too(disk: LoopDisk, image: InstallImage, fault: ActionKind) -> None:
    subprocess.run(["mkfs.ext4", "-q", "-F", disk.node], check=True)
    answer = spec(wipe=True)
    first = _application(disk, image, answer)
    assert any("ext4" in phrase for phrase in first.plan.destroys)
    _fail_at(first, fault, after=True)
    with pytest.raises(Fault):
        _run(first)
    _run(_application(disk, image, answer))
    _check_installed(disk, image)
    assert {sign.type for sign in disk.facts().signatures} == {"PMBR", "gpt"}


SECTOR = 512
PRIMARY, ENTRIES, BACKUP = slice(SECTOR, 2 * SECTOR), slice(2 * SECTOR, 34 * SECTOR), slice(-33 * SECTOR, None)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "lost",
    [(PRIMARY,), (ENTRIES,), (BACKUP,), (PRIMARY, BACKUP), (ENTRIES, BACKUP), (PRIMARY, ENTRIES, BACKUP)],
    ids=["header", "entries", "backup", "header+backup", "entries+backup", "all"],
)
def test_a_table_that_was_cut_off_half_written(disk: LoopDisk, image: InstallImage, lost: tuple[slice, ...]) -> None:
    first = _application(disk, image)
    _fail_at(first, ActionKind.TABLE, after=True)
    with pytest.raises(Fault):
        _run(first)
    with disk.node.open("r+b", buffering=0) as file:
        for place in lost:
            start, end, _ = place.indices(16 * GIB)
            file.seek(start)
            file.write(bytes(end - start))
    flush(disk.node)
    assert _application(disk, image).plan.resumes == "installing"
    # What has no mark needs consent, whatever is left of the table.
    clear_marker(disk.node)
    assert isinstance(_outcome(disk, image), Refused)


def test_an_image_that_changes_under_way(disk: LoopDisk, image: InstallImage, tmp_path: Path) -> None:
    copy = tmp_path / "root.squashfs"
    copy.write_bytes(image.root.path.read_bytes()[:-1] + b"?")
    application = _application(disk, replace(image, root=replace(image.root, path=copy)))
    application.places = replace(application.places, efi_loader=image.root.path.parent / "grubx64.efi")
    with pytest.raises(UserError, match="changed while it was written"):
        _run(application)
    zeroth = disk.facts().zeroth
    assert zeroth is not None
    assert zeroth.marker is not None
    assert not any(_head(disk.node, 440)), "nothing may be bootable yet"


def test_the_log_of_a_failure_is_in_the_journal(disk: LoopDisk, image: InstallImage) -> None:
    application = _application(disk, image)
    _fail_at(application, ActionKind.BOOT_MENU, after=False)
    with pytest.raises(Fault):
        _run(application)
    with mounted(partition_path(disk.node, Part.STATE), tmp_mount(disk)) as state:
        last = read_journal(state / "install/journal.jsonl")[-1]
    assert (last["what"], last["status"]) == ("Write the boot menu", "failed")


def tmp_mount(disk: LoopDisk) -> Path:
    return disk.node.parent / "look"


def test_4kn(tmp_path: Path, image: InstallImage) -> None:
    with loop_disk(tmp_path / "disk", 16 * GIB, sector=4096) as large:
        facts = machine(large.facts(), firmware=FirmwareFacts(kind="uefi"))
        plan = plan_installation(facts, PlanRequest(spec(), DIGEST, image, InstallId(uuid4())))
        assert isinstance(plan, InstallPlan)
        assert ActionKind.BIOS_LOADER not in {action.kind for action in plan.actions}
        actions = tuple(action for action in plan.actions if action.kind is not ActionKind.BOOT_ENTRY)
        places = Places(mounts=tmp_path / "mounts", efi_loader=image.root.path.parent / "grubx64.efi")
        _run(Application(replace(plan, actions=actions), spec(), places))
        after = large.facts()
        assert after.table_uuid == plan.identity.disk_guid
        assert after.partitions[1].signatures[0].type == "vfat"
        assert Esp(partition_path(large.node, Part.ESP)).sha256("/zeroth/a/xen.gz") == image.boot[0].sha256

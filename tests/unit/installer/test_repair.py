"""Repairing what a host boots by, on a loop disk: each damage is found and put right, and nothing else is written."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from installer import repair as repairing
from installer.apply import Application, Places
from installer.image import ImageFile, InstallImage, SignedFiles, read_image
from installer.plan import ActionKind, InstallPlan
from installer.planner import PlanRequest, plan_installation
from installer.repair import Repair
from installer.repair_look import Leg
from installer.repair_session import RepairSession
from tests.unit.installer.loopdisk import LoopDisk, loop_disk
from tests.unit.installer.machines import DIGEST, disk, machine, spec
from tests.unit.installer.medium import write_medium
from zeroth.deploy.bootenv import ENVIRONMENT, BootState, read_boot_state, write_boot_state
from zeroth.deploy.bootmenu import ENTRY, MENU
from zeroth.deploy.esp import Esp
from zeroth.deploy.journal import read_journal
from zeroth.deploy.layout import InstallId, Part
from zeroth.deploy.loaders import EFI_PATH
from zeroth.deploy.slotfiles import BOOT_FILES, SUMS
from zeroth.deploy.slotstate import Pending, SlotState
from zeroth.errors import ExitCode, UserError
from zeroth.progress import Step, Stream
from zeroth.system.block import flush, mounted, partition_path
from zeroth.system.facts import FirmwareFacts
from zeroth.system.files import sha256_file
from zeroth.system.size import GIB, MIB

pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="loop devices and mounts need root"), pytest.mark.thorough]

CODE = 440
"""Bytes of a boot sector before the partition table's part of it."""
ESP_KINDS = [ActionKind.BOOT_STATE, ActionKind.BOOT_MENU, ActionKind.EFI_LOADER]


class Fault(Exception):
    pass


class Installed:
    """A disk with a host of version 0.1.0."""

    def __init__(self, folder: Path, disk: LoopDisk) -> None:
        sizes = {"root.squashfs": MIB, "xen.gz": 100_000, "vmlinuz": 99_999, "initrd.img": 77}
        write_medium(folder / "medium", {name: os.urandom(size) for name, size in sizes.items()}, "0.1.0")
        self.loader = folder / "grubx64.efi"
        self.loader.write_bytes(os.urandom(50_000))
        self.disk, self.folder = disk, folder
        self.image: InstallImage = read_image(folder / "medium", Path("/nonexistent"))
        self.places = Places(folder / "mounts", self.loader)
        request = PlanRequest(spec(), DIGEST, self.image, InstallId(uuid4()))
        plan = plan_installation(machine(disk.facts(), firmware=FirmwareFacts(kind="bios")), request)
        assert isinstance(plan, InstallPlan)
        with Stream().step("Install") as step:
            Application(plan, spec(), self.places).run(step)
        self.esp = Esp(partition_path(disk.node, Part.ESP))

    def session(self, firmware: str = "bios", entries: str = "", version: str = "0.1.0") -> RepairSession:
        kind = FirmwareFacts(kind="uefi" if firmware == "uefi" else "bios")
        facts = machine(self.disk.facts(), firmware=kind)
        return RepairSession(
            facts, image=lambda: self.image, places=self.places, version=version, entries=lambda: entries
        )

    def kinds(self) -> list[ActionKind]:
        """What a repair would do."""
        with Stream().step("Look") as step, self.session().planned(step) as found:
            return [action.kind for action in found.plan.actions]

    def repair(self, change: Callable[[Repair], None] = lambda repair: None) -> tuple[str, ...]:
        with Stream().step("Look") as step, self.session().planned(step) as found:
            change(found)
            return found.run(step)

    def wipe(self, start: int, size: int) -> None:
        with self.disk.node.open("r+b", buffering=0) as file:
            file.seek(start)
            file.write(bytes(size))
        flush(self.disk.node)

    def wipe_bios(self) -> None:
        self.wipe(0, CODE)
        self.wipe(MIB, 60_000)

    def boots_by(self) -> dict[str, str]:
        """Digests of everything that is booted by."""
        found = {path: self.esp.sha256(path) for path in self.esp.files()}
        with self.disk.node.open("rb") as file:
            found["boot sector"] = hashlib.sha256(file.read(512)).hexdigest()
            file.seek(MIB)
            found["core"] = hashlib.sha256(file.read(MIB)).hexdigest()
        return found

    def keeps(self) -> dict[Part, str]:
        """Digests of what no repair may write to."""
        found = {}
        for part in (Part.SLOT_A, Part.LOG):
            with partition_path(self.disk.node, part).open("rb") as file:
                found[part] = hashlib.sha256(file.read(8 * MIB)).hexdigest()
        return found


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """For tests that leave it as they found it."""
    folder = tmp_path_factory.mktemp("repair")
    with loop_disk(folder / "disk", 16 * GIB) as made:
        yield Installed(folder, made)


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Installed]:
    """For one test alone."""
    with loop_disk(tmp_path / "disk", 16 * GIB) as made:
        yield Installed(tmp_path, made)


def _state(host: Installed, do: Callable[[SlotState], None]) -> None:
    with mounted(partition_path(host.disk.node, Part.STATE), host.folder / "look") as folder:
        do(SlotState(folder))


DAMAGES: dict[str, tuple[Callable[[Installed], None], list[ActionKind]]] = {
    "nothing": (lambda host: None, []),
    "boot sector": (lambda host: host.wipe(0, CODE), [ActionKind.BIOS_LOADER]),
    "core": (lambda host: host.wipe(MIB + 512, 4096), [ActionKind.BIOS_LOADER]),
    "one byte of the core's first sector": (lambda host: host.wipe(MIB, 1), [ActionKind.BIOS_LOADER]),
    "menu lost": (lambda host: host.esp.remove(MENU), [ActionKind.BOOT_MENU]),
    "menu changed": (lambda host: host.esp.put_text("set timeout=9\n", MENU), [ActionKind.BOOT_MENU]),
    "boot state lost": (lambda host: host.esp.remove(ENVIRONMENT), [ActionKind.BOOT_STATE]),
    "boot state damaged": (lambda host: host.esp.put_bytes(b"#" * 1024, ENVIRONMENT), [ActionKind.BOOT_STATE]),
    "loader lost": (lambda host: host.esp.remove(EFI_PATH), [ActionKind.EFI_LOADER]),
    "another loader": (lambda host: host.esp.put_bytes(b"Windows", EFI_PATH), [ActionKind.EFI_LOADER]),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_each_damage_is_found_and_put_right(host: Installed, name: str) -> None:
    damage, kinds = DAMAGES[name]
    before, kept = host.boots_by(), host.keeps()
    damage(host)
    assert host.kinds() == kinds
    host.repair()
    assert host.boots_by() == before
    assert host.keeps() == kept
    assert host.kinds() == []


def _ruin(host: Installed) -> None:
    host.wipe_bios()
    for path in (MENU, ENVIRONMENT, EFI_PATH):
        host.esp.remove(path)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("kind", [*ESP_KINDS, ActionKind.BIOS_LOADER])
def test_goes_on_after_a_fault(host: Installed, kind: ActionKind, *, after: bool) -> None:
    before, kept = host.boots_by(), host.keeps()
    _ruin(host)

    def failing(repair: Repair) -> None:
        done = repair.handlers[kind]

        def fail(leg: Leg, step: Step) -> None:
            if after:
                done(leg, step)
            raise Fault(kind)

        repair.handlers[kind] = fail

    with pytest.raises(Fault):
        host.repair(failing)
    # Whatever is there is right, and what starts it is not there before.
    there = host.boots_by()
    assert all(there[path] == before[path] for path in host.esp.files())
    if EFI_PATH in host.esp.files():
        assert {MENU, ENVIRONMENT} <= set(host.esp.files())
    assert (kind is ActionKind.BIOS_LOADER and after) == (there["boot sector"] == before["boot sector"])
    host.repair()
    assert host.boots_by() == before
    assert host.keeps() == kept

    def journal(state: SlotState) -> None:
        entries = [entry for entry in read_journal(state.upgrades / "journal.jsonl") if entry["what"] == "repair"]
        assert [entry["error"] for entry in entries if entry["status"] == "failed"][-1] == str(kind)
        # After the last step there was nothing left to do.
        assert entries[-1]["status"] == ("failed" if after and kind is ActionKind.BIOS_LOADER else "done")

    _state(host, journal)


def test_a_cut_inside_a_step_is_repaired_too(host: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    before = host.boots_by()
    _ruin(host)
    with monkeypatch.context() as patch:

        def half(disk: Path, work: Path) -> None:
            host.wipe(MIB, 1024)
            raise Fault

        patch.setattr(repairing, "install_bios_loader", half)
        with pytest.raises(Fault):
            host.repair()
    host.repair()
    assert host.boots_by() == before


def test_a_boot_state_is_kept_and_a_lost_one_is_found_out_from_what_proved_itself_last(fresh: Installed) -> None:
    write_boot_state(fresh.esp, BootState("a", "b", 1))
    fresh.esp.remove(MENU)
    assert fresh.repair() == ()
    assert read_boot_state(fresh.esp) == BootState("a", "b", 1)
    for name in (*BOOT_FILES, SUMS, ENTRY):
        copy = fresh.folder / "copy"
        fresh.esp.fetch(f"/zeroth/a/{name}", copy)
        fresh.esp.put(copy, f"/zeroth/b/{name}", sha256_file(copy))

    def upgraded(state: SlotState) -> None:
        note = Pending(version="0.1.0", source="a", source_version="0.1.0", root_hash="aa" * 32)
        state.upgrades.mkdir(exist_ok=True)
        state.note("b", note)
        (state.folder("b") / "store").mkdir(parents=True)
        stored = state.folder("a") / "store/hostspec.json"
        (state.folder("b") / "store/hostspec.json").write_bytes(stored.read_bytes())

    _state(fresh, upgraded)
    fresh.esp.remove(ENVIRONMENT)
    notes = fresh.repair()
    assert read_boot_state(fresh.esp) == BootState("a")
    assert any("slot a proved itself last" in note for note in notes)
    assert any("waited in slot b is not tried" in note for note in notes)

    def proved(state: SlotState) -> None:
        state.journal().add("trial", "done", slot="b")
        state.prove("b")

    _state(fresh, proved)
    fresh.esp.remove(ENVIRONMENT)
    assert any("slot b proved itself last" in note for note in fresh.repair())
    assert read_boot_state(fresh.esp) == BootState("b")
    _state(fresh, lambda state: state.journal().add("back", "done", slot="a"))
    fresh.esp.remove(ENVIRONMENT)
    fresh.repair()
    assert read_boot_state(fresh.esp) == BootState("a")
    # Slot a cannot be started: what to do is said, and the menu is there to go on to slot b.
    fresh.esp.put_bytes(b"rotten", "/zeroth/a/vmlinuz")
    (note,) = fresh.repair()
    assert "damaged (vmlinuz)" in note
    assert "start slot b" in note
    assert fresh.esp.read_text("/zeroth/a/vmlinuz") == "rotten"


@pytest.mark.parametrize("name", [*BOOT_FILES, SUMS, ENTRY])
def test_nothing_is_written_when_no_slot_can_be_started(host: Installed, name: str) -> None:
    path, copy = f"/zeroth/a/{name}", host.folder / "copy"
    host.esp.fetch(path, copy)
    host.esp.remove(path)
    host.wipe(0, CODE)
    before = host.boots_by()
    with pytest.raises(UserError, match=f"neither slot.*{name}") as caught:
        host.repair()
    assert caught.value.code == ExitCode.MACHINE
    assert host.boots_by() == before
    host.esp.put(copy, path, sha256_file(copy))
    host.repair()


def test_the_firmware_entry(host: Installed) -> None:
    uuid = host.disk.facts().partitions[Part.ESP - 1].uuid
    line = f"Boot0003* zeroth\tHD(2,GPT,{uuid},0x1000,0x200000)/\\EFI\\BOOT\\BOOTX64.EFI\n"
    other = "Boot0001* Windows\tHD(1,GPT,aaaaaaaa-0000-4000-8000-000000000000,0x800,0x1)/File(x)\n"
    for entries, kinds in ((line, []), (other, [ActionKind.BOOT_ENTRY]), ("", [ActionKind.BOOT_ENTRY])):
        with Stream().step("Look") as step, host.session("uefi", other + entries).planned(step) as found:
            assert [action.kind for action in found.plan.actions] == kinds
            assert any("firmware" in check.message for check in found.plan.checks)


def test_an_older_system_is_refused(host: Installed) -> None:
    with (
        pytest.raises(UserError, match="older 0.0.9"),
        Stream().step("Look") as step,
        host.session(version="0.0.9").planned(step),
    ):
        pass


def test_secure_boot_needs_a_signed_medium(fresh: Installed) -> None:
    for name in ("host.efi", "host.efi.sig"):
        fresh.esp.put_text(name, f"/zeroth/a/{name}")
    with pytest.raises(UserError, match="the medium is not signed"):
        fresh.repair()
    selector = fresh.folder / "selector.efi"
    selector.write_text("signed")
    file = ImageFile("selector.efi", selector, 6, sha256_file(selector))
    fresh.image = replace(fresh.image, signed=SignedFiles((), file))
    fresh.repair()
    assert fresh.esp.sha256(EFI_PATH) == file.sha256
    selector.write_text("damaged")
    with pytest.raises(UserError, match="selector.efi is damaged"):
        fresh.repair()


def test_which_host_is_meant(host: Installed) -> None:
    one = host.disk.facts()
    two = one.model_copy(update={"path": "/dev/sdb", "links": ("/dev/disk/by-id/two",)})

    def refused(*disks: object, wanted: str | None = None) -> UserError:
        facts = machine(*disks)  # type: ignore[arg-type]
        with (
            pytest.raises(UserError) as caught,
            Stream().step("Look") as step,
            RepairSession(facts, wanted, places=host.places).planned(step),
        ):
            pass
        return caught.value

    assert "no disk of this machine" in refused(disk("/dev/sdc")).message
    several = refused(one, two)
    assert "several hosts" in several.message
    assert "/dev/sdb (0.1.0)" in several.hint
    assert "/dev/sdz" in refused(one, two, wanted="/dev/sdz").message
    busy = one.partitions[1].model_copy(update={"in_use": ("target2 is mounted on /x",)})
    used = one.model_copy(update={"partitions": (one.partitions[0], busy, *one.partitions[2:])})
    assert "is mounted on /x" in refused(used).message


def test_the_plan_names_places_and_holds_as_json(host: Installed) -> None:
    _ruin(host)
    with Stream().step("Look") as step, host.session().planned(step) as found:
        said = found.plan.as_json()
    assert said["committed_from"] == "slot state"
    places = {(action.kind, action.start, action.size) for action in found.plan.actions}
    assert places == {(kind, 2 * MIB, GIB) for kind in ESP_KINDS} | {(ActionKind.BIOS_LOADER, MIB, MIB)}
    host.repair()

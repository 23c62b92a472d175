"""Doing what a plan says, step by step, with a journal.

Until the first action nothing is written. From then on the mark on the disk tells what a power cut left (see
:mod:`zeroth.deploy.marker`), and every step may be done again: none builds on what an earlier run left half-done.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from installer.chroot import installed_system
from installer.hooks import HookRunner
from installer.hostkeys import HostKey, host_keys, make_host_keys
from installer.image import EFI_LOADER, InstallImage
from installer.nics import pinned
from installer.plan import Action, ActionKind, InstallPlan, Leg
from zeroth.deploy.arrays import array_device, assembled, make_arrays, wipe, write_sr_table, write_table
from zeroth.deploy.bootenv import BootState, make_boot_state
from zeroth.deploy.bootmenu import MENU
from zeroth.deploy.esp import Esp
from zeroth.deploy.journal import Journal
from zeroth.deploy.layout import MIRRORED, Part
from zeroth.deploy.loaders import install_bios_loader, install_efi_loader, loader_workspace, offer_boot_entry
from zeroth.deploy.localsr import RECORD, LocalSrRecord, write_record
from zeroth.deploy.marker import clear_marker, write_marker
from zeroth.deploy.slots import FileImage, write_slot
from zeroth.errors import ExitCode, UserError
from zeroth.progress import Step
from zeroth.spec.model import REVEALED, HostSpec
from zeroth.system.block import exclusive, flush, mounted, partition_path
from zeroth.system.facts import MarkerFacts
from zeroth.system.files import atomic_write, sha256_file
from zeroth.system.multipath import on_a_path
from zeroth.system.run import run

__all__ = ["Application", "Places", "check_before"]

_SLOT = "a"
_BOOT = f"/zeroth/{_SLOT}"


@dataclass(frozen=True)
class Places:
    """Where things are on the machine that installs.

    :ivar mounts: a folder under which the target's file systems are mounted.
    :ivar efi_loader: GRUB as an EFI program, from the image.
    :ivar arrays: the folder of the nodes of md arrays.
    """

    mounts: Path = Path("/run/zeroth/target")
    efi_loader: Path = EFI_LOADER
    arrays: Path = Path("/dev")


class Application:
    """One run of a plan.

    :param spec: the answer, without plain passwords.
    :param hooks: runs those of the stage ``post``.
    :ivar log_made: there is a log partition of this installation; before, one of its number is somebody else's.
    """

    def __init__(
        self, plan: InstallPlan, spec: HostSpec, places: Places | None = None, hooks: HookRunner | None = None
    ) -> None:
        if plan.image is None:
            raise UserError("there is no medium to install from", "Start the machine from the installation medium.")
        self.plan = plan
        self.spec = spec
        self.places = places or Places()
        self.hooks = hooks or HookRunner(spec)
        self.journal = Journal()
        self.reservations: list[str] = []
        self.host_keys: tuple[HostKey, ...] = ()
        self.log_made = plan.resumes == "finishing"
        self._image: InstallImage = plan.image
        self._disks = tuple(Path(disk.path) for disk in plan.disks)
        self._mounts = ExitStack()
        self._folders: dict[Part, Path] = {}
        self.handlers: dict[ActionKind, Callable[[Action, Step], None]] = {
            ActionKind.BEGIN: self._begin,
            ActionKind.WIPE: self._wipe,
            ActionKind.TABLE: self._table,
            ActionKind.SR_DISK: self._sr_disk,
            ActionKind.SR_DONE: self._sr_done,
            ActionKind.ARRAYS: self._arrays,
            ActionKind.MAKE_FAT: self._make_fat,
            ActionKind.MAKE_EXT4: self._make_ext4,
            ActionKind.ROOT_IMAGE: self._root_image,
            ActionKind.BOOT_FILES: self._boot_files,
            ActionKind.BOOT_MENU: self._boot_menu,
            ActionKind.STATE: self._state,
            ActionKind.FINISH: self._finish,
            ActionKind.EFI_LOADER: self._efi_loader,
            ActionKind.BIOS_LOADER: self._bios_loader,
            ActionKind.BOOT_ENTRY: self._boot_entry,
            ActionKind.HOOK: self._hook,
            ActionKind.COMMIT: self._commit,
        }

    def run(self, step: Step) -> tuple[str, ...]:
        """Do every action in order.

        :returns: reservations: what did not work and does not matter for booting.
        :raises UserError: when the machine refuses; the disk then says by its mark how far it came.
        """
        with ExitStack() as locks, self._mounts:
            for disk in (*self.plan.disks, *(leg.disk for leg in self.plan.sr_disks)):
                # Of the paths those that are left: one may be lost at any time.
                for node in (disk.path, *filter(os.path.exists, disk.paths)):
                    locks.enter_context(exclusive(Path(node)))
            for action in self.plan.actions:
                with step.step(action.title) as running:
                    self.journal.add(action.title, "begin")
                    try:
                        self.handlers[action.kind](action, running)
                    except Exception as error:
                        self.journal.add(action.title, "failed", error=str(error))
                        raise
                    self.journal.add(action.title, "done")
        return tuple(self.reservations)

    # The disk as a whole

    def _begin(self, action: Action, step: Step) -> None:
        self._mark("installing", [Path(path) for path in (action.disk, action.mirror) if path])

    def _wipe(self, action: Action, step: Step) -> None:
        """Old metadata must not come back to life where a new partition happens to begin or end."""
        storage = {leg.disk.path: leg.disk for leg in self.plan.sr_disks}
        if action.disk in storage:
            wipe(storage[action.disk])
        else:
            wipe(self._leg(action).disk, Part.SR if self.plan.kept else None)

    def _table(self, action: Action, step: Step) -> None:
        leg = self._leg(action)
        write_table(Path(leg.disk.path), leg.layout, self.plan.identity, leg.number)

    def _sr_disk(self, action: Action, step: Step) -> None:
        leg = next(leg for leg in self.plan.sr_disks if leg.disk.path == action.disk)
        write_sr_table(Path(action.disk), leg.place, self.plan.identity, leg.number)

    def _sr_done(self, action: Action, step: Step) -> None:
        clear_marker(Path(action.disk))

    def _arrays(self, action: Action, step: Step) -> None:
        arrays = make_arrays(self._disks, self.plan.identity, self.places.arrays)
        self._mounts.enter_context(arrays)
        # An earlier mirror's volume group lies where the new array begins.
        storage = array_device(Part.SR, self.places.arrays)
        run(["wipefs", "--all", storage])
        flush(storage)

    def _finish(self, action: Action, step: Step) -> None:
        if not self._folders:
            # Going on after an interruption: the journal is there already.
            if self.plan.identity.mirror:
                needed = (Part.STATE, Part.LOG)
                arrays = assembled(self._disks, self.plan.identity, needed, self.places.arrays)
                self._mounts.enter_context(arrays)
            self._open_journal()
        self.host_keys = host_keys(self._folder(Part.STATE) / _SLOT / "etc" / "upper")
        self._mark("finishing", self._disks)

    def _commit(self, action: Action, step: Step) -> None:
        # Unmounted first: the mark goes when everything else is on the disk.
        self.journal.add(action.title, "done")
        self.journal.let_go()
        self._mounts.close()
        self._folders.clear()
        for disk in self._disks:
            clear_marker(disk)

    def _mark(self, phase: Literal["installing", "finishing"], disks: Sequence[Path]) -> None:
        plan = self.plan
        kept = plan.kept.facts if plan.kept else None
        for disk in disks:
            write_marker(disk, MarkerFacts(phase=phase, digest=plan.digest, install=plan.identity.value, sr=kept))

    # File systems

    def _make_fat(self, action: Action, step: Step) -> None:
        for leg, esp in zip(self.plan.legs, self._esp().each, strict=True):
            esp.make("ZEROTH-ESP", self.plan.identity.filesystem_uuid(Part.ESP, leg.number)[:8])

    def _make_ext4(self, action: Action, step: Step) -> None:
        assert action.part is not None
        device = self._device(action.part)
        uuid = self.plan.identity.filesystem_uuid(action.part)
        # No blocks kept back for root: nothing but root writes here, and the log partition exists to be filled.
        run(["mkfs.ext4", "-q", "-F", "-m", "0", "-L", action.part.label, "-U", uuid, device])
        flush(device)
        if action.part is Part.STATE:
            self._open_journal()
        self.log_made |= action.part is Part.LOG

    def _state(self, action: Action, step: Step) -> None:
        """The answer for first boot, and what recognises it when it comes again."""
        management = pinned(self.spec.management, self.plan.nics)
        # Hooks are done when the host starts, and their texts may hold secrets.
        spec = self.spec.model_copy(update={"management": management, "hooks": ()})
        state = self._folder(Part.STATE)
        atomic_write(
            state / _SLOT / "store" / "hostspec.json",
            spec.model_dump_json(indent=2, context=REVEALED) + "\n",
            mode=0o600,
        )
        applied = {
            "digest": self.plan.digest,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "version": self._image.version,
            "machine": self.plan.machine,
            "install": str(self.plan.identity.value),
            "mirror": self.plan.identity.mirror,
            "root_sha256": self._image.root.sha256,
        }
        if self.plan.local_sr:
            local = LocalSrRecord(
                uuid=self.plan.identity.sr_uuid,
                devices=self.plan.sr_devices,
                kept=self.plan.kept is not None,
                group_uuid=self.plan.kept.group_uuid if self.plan.kept else "",
            )
            write_record(state / _SLOT / "store" / RECORD, local)
        atomic_write(state / "install" / "applied.json", json.dumps(applied, indent=2) + "\n")
        make_host_keys(state / _SLOT / "etc" / "upper")
        # What finds no place of its own later, and so must be there with the right mode: logs.
        (self._folder(Part.LOG) / "zeroth").mkdir(mode=0o750, exist_ok=True)

    def _hook(self, action: Action, step: Step) -> None:
        state, log = self._folder(Part.STATE), self._folder(Part.LOG)
        where = self.places.mounts / "root"
        with installed_system(self._device(Part.SLOT_A), state, log, _SLOT, where) as chroot:
            inside = None if self.spec.hooks[action.hook - 1].nochroot else chroot
            self.hooks.environment["ZEROTH_ROOT"] = "/" if inside else str(where)
            self.reservations += self.hooks.run(action.hook, step, inside)

    # What is booted

    def _root_image(self, action: Action, step: Step) -> None:
        assert action.part is not None
        root = self._image.root
        write_slot(FileImage(root.path, root.size, root.sha256), self._device(action.part), step)

    def _boot_files(self, action: Action, step: Step) -> None:
        esp = self._esp()
        files = self._image.slot_files
        for number, file in enumerate(files):
            step.update(number, of=len(files), message=file.name)
            esp.put(file.path, f"{_BOOT}/{file.name}", file.sha256)
        sums = "".join(f"{file.sha256}  {file.name}\n" for file in self._image.boot)
        esp.put_text(sums, f"{_BOOT}/SHA256SUMS")
        esp.make_folder("/EFI/BOOT")

    def _boot_menu(self, action: Action, step: Step) -> None:
        esp = self._esp()
        # The slot that is installed has no other to go back to: it is never on trial.
        make_boot_state(esp, BootState(committed=_SLOT, generation=1))
        for name, text in self.plan.boot_entries.items():
            esp.put_text(text, f"{_BOOT}/{name}")
        esp.put_text(self.plan.boot_menu, MENU)

    def _efi_loader(self, action: Action, step: Step) -> None:
        signed = self._image.signed
        install_efi_loader(self._esp(), signed.selector.path if signed else self.places.efi_loader)

    def _bios_loader(self, action: Action, step: Step) -> None:
        disk = self._leg(action).disk
        apart = self.plan.identity.mirror or disk.paths
        with loader_workspace() if apart else nullcontext(self._grub_folder()) as work:
            on_a_path(disk, lambda node: install_bios_loader(node, work))

    def _grub_folder(self) -> Path:
        folder = self._folder(Part.STATE) / "install" / "grub"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _boot_entry(self, action: Action, step: Step) -> None:
        self.reservations += offer_boot_entry(self._leg(action).disk, step)

    # Helpers

    def _leg(self, action: Action) -> Leg:
        return next(leg for leg in self.plan.legs if leg.disk.path == action.disk)

    def _device(self, part: Part) -> Path:
        """The device of a part that the disks hold together."""
        if self.plan.identity.mirror and part in MIRRORED:
            return array_device(part, self.places.arrays)
        return partition_path(self._disks[0], part)

    def _esp(self) -> Esp:
        return Esp(*(partition_path(disk, Part.ESP) for disk in self._disks))

    def _open_journal(self) -> None:
        self.journal.keep_in(self._folder(Part.STATE) / "install" / "journal.jsonl")

    def _folder(self, part: Part) -> Path:
        """Where a file system of the target is mounted; it stays so until the end."""
        if part not in self._folders:
            where = self.places.mounts / part.label
            self._folders[part] = self._mounts.enter_context(mounted(self._device(part), where))
        return self._folders[part]


def check_before(places: Places) -> None:
    """What can be known to be missing before the first write.

    :raises UserError: when the image has no EFI loader.
    """
    try:
        sha256_file(places.efi_loader)
    except OSError as error:
        message = f"the EFI loader {places.efi_loader} cannot be read: {error.strerror}"
        raise UserError(message, "The image is incomplete; build it again.", code=ExitCode.MACHINE) from None

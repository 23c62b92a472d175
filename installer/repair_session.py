"""From a machine to the plan of a repair: which host, what it should boot by, what differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from installer.apply import Places, check_before
from installer.image import InstallImage
from installer.repair import Repair, plan_repair
from installer.repair_look import Wanted, find_host, look, opened_host, starts_signed
from zeroth import __version__
from zeroth.deploy.bootenv import boot_state_problem, merged, read_boot_state
from zeroth.deploy.bootmenu import render_boot_menu
from zeroth.deploy.esp import Esp
from zeroth.deploy.layout import Part
from zeroth.deploy.running import installation
from zeroth.deploy.slotstate import Slot, SlotState
from zeroth.deploy.upgrade import is_older
from zeroth.errors import ExitCode, UserError
from zeroth.progress import Step
from zeroth.spec.stored import load_spec
from zeroth.system.block import partition_path
from zeroth.system.facts import DiskFacts, Facts
from zeroth.system.files import sha256_file
from zeroth.system.mdraid import Array, read_array
from zeroth.system.multipath import open_map
from zeroth.system.run import run

__all__ = ["RepairSession"]


def _entries() -> str:
    """What the firmware lists; nothing when it does not answer."""
    try:
        return run(["efibootmgr", "--verbose"]).stdout
    except UserError:
        return ""


@dataclass(frozen=True)
class RepairSession:
    """One look at a machine.

    :param disk: a disk of the host that is meant; None for the only one.
    :param image: the medium, if there is one.
    :param version: of the programs that repair.
    :param entries: tells what the UEFI firmware lists.
    :param look_at: reads an array.
    """

    facts: Facts
    disk: str | None = None
    image: Callable[[], InstallImage | None] = lambda: None
    places: Places = field(default_factory=Places)
    version: str = __version__
    entries: Callable[[], str] = _entries
    look_at: Callable[[Path], Array | None] = read_array

    @contextmanager
    def planned(self, step: Step) -> Iterator[Repair]:
        """The repair of the host, ready to run. Its state partition is mounted for the time of the block.

        :raises UserError: when there is no such host, it cannot be repaired, or this system is not the one to do it.
        """
        host = find_host(self.facts, self.disk)
        for disk in host.disks:
            open_map(disk, tuple(Part))
        opened = opened_host(host, self.places.mounts, self.places.arrays, self.look_at)
        with opened as (state, disks), TemporaryDirectory(prefix="zeroth-repair-") as work:
            identity, installed = installation(state)
            slot = _committed(disks, state)
            proved = state.proved(slot)
            version = proved.version if proved else installed
            if is_older(self.version, version):
                raise UserError(
                    f"the host's version is {version}, and this system is the older {self.version}",
                    "Start the medium of the host's version, or a newer one.",
                )
            menu = render_boot_menu(load_spec(state.folder(slot) / "store" / "hostspec.json").dom0.serial)
            loader, digest = self._loader(signed=starts_signed(disks))
            uefi = self.facts.firmware.kind == "uefi"
            wanted = Wanted(menu, digest, self.entries() if uefi else None)
            legs = [look(disk, identity.leg_of(disk.table_uuid), wanted, Path(work), step) for disk in disks]
            yield Repair(plan_repair(legs, state, identity, version, menu, loader, uefi=uefi), state)

    def _loader(self, *, signed: bool) -> tuple[Path, str]:
        """The EFI loader that the host should have, and its SHA-256.

        :raises UserError: when it is not here.
        """
        if not signed:
            check_before(self.places)
            return self.places.efi_loader, sha256_file(self.places.efi_loader)
        image = self.image()
        if image is None or image.signed is None:
            why = "the medium is not signed" if image else "there is no medium here that would be"
            raise UserError(
                f"this host starts by Secure Boot, whose boot loader is signed, and {why}",
                "Start the rescue system of a medium that was signed with the same key. Nothing was written.",
                code=ExitCode.MACHINE,
            )
        selector = image.signed.selector
        found = sha256_file(selector.path)
        if found != selector.sha256:
            raise UserError(
                f"{selector.name} is damaged (SHA-256 {found}, should be {selector.sha256})",
                "Write the medium again. Nothing was written.", where=str(selector.path), code=ExitCode.MACHINE,
            )  # fmt: skip
        return selector.path, selector.sha256


def _committed(disks: tuple[DiskFacts, ...], state: SlotState) -> Slot:
    """The slot that is started by default, or was."""
    esps = [Esp(partition_path(Path(disk.path), Part.ESP)) for disk in disks]
    known = tuple(read_boot_state(esp) for esp in esps if not boot_state_problem(esp))
    if not known:
        return state.last_proved()
    return "b" if merged(known).committed == "b" else "a"

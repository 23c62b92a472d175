"""Finding the host whose boot loader is to be repaired, and looking at what it boots by. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from installer.hosts import FoundHost, found_hosts, identified, state_device, titles
from installer.preflight import Check, Result
from zeroth.deploy.arrays import DEVICES
from zeroth.deploy.booted import booted
from zeroth.deploy.bootenv import ENVIRONMENT, BootState, boot_state_problem, read_boot_state
from zeroth.deploy.bootmenu import MENU
from zeroth.deploy.esp import Esp
from zeroth.deploy.layout import Part
from zeroth.deploy.loaders import EFI_PATH, bios_loader_problem, has_boot_entry
from zeroth.deploy.running import installation
from zeroth.deploy.signedboot import PROGRAM
from zeroth.deploy.slotfiles import SlotFiles, read_slot_files
from zeroth.deploy.slotstate import SLOTS, Slot, SlotState
from zeroth.errors import ExitCode, UserError
from zeroth.progress import Step
from zeroth.system.block import mounted, partition_path
from zeroth.system.facts import DiskFacts, Facts, PartitionFacts
from zeroth.system.mdraid import Array, read_array

__all__ = ["Leg", "Wanted", "find_host", "look", "opened_host", "place_of", "starts_signed"]


@dataclass(frozen=True)
class Wanted:
    """What the boot files that are no slot's own should be.

    :ivar menu: the text of GRUB's menu.
    :ivar loader: the SHA-256 of the EFI loader.
    :ivar entries: what the UEFI firmware lists (``efibootmgr --verbose``); None on a machine without.
    """

    menu: str
    loader: str
    entries: str | None


@dataclass(frozen=True)
class Leg:
    """One disk of the host, and what is wrong with what it boots by; an empty text is nothing.

    :ivar formatted: its ESP has a file system.
    :ivar boot: the boot state; None when it is lost.
    """

    disk: DiskFacts
    number: int
    formatted: bool
    slots: Mapping[Slot, SlotFiles]
    boot: BootState | None
    boot_problem: str = ""
    menu: str = ""
    loader: str = ""
    bios: str = ""
    entry: str = ""

    @property
    def esp(self) -> Esp:
        """Its EFI system partition."""
        return Esp(partition_path(Path(self.disk.path), Part.ESP))

    @property
    def damaged(self) -> int:
        """How many of its slots cannot be started, though something is in them; all when it has no file system."""
        return sum(files.state == "damaged" for files in self.slots.values()) if self.formatted else len(SLOTS)

    def checks(self, *, uefi: bool) -> Iterator[Check]:
        """What was looked at, and how it is."""
        for slot, files in self.slots.items():
            bad = f"damaged or missing: {', '.join(files.damaged)}" if files.damaged else ""
            yield self._check(f"boot files of slot {slot}", bad, "whole" if files.whole else "holds nothing")
        found = f"slot {self.boot.committed} is started by default" if self.boot else ""
        yield self._check("boot state (grubenv)", self.boot_problem, found)
        yield self._check("boot menu (grub.cfg)", self.menu, "as the host's settings have it")
        yield self._check("EFI loader", self.loader, "as it should be")
        if self.disk.logical_sector == 512:
            yield self._check("BIOS loader", self.bios, "as it should be")
        if uefi:
            yield self._check("EFI boot entry", self.entry, "the firmware has it")

    def _check(self, name: str, problem: str, well: str) -> Check:
        result = Result.FAIL if problem else Result.PASS
        return Check(f"{self.disk.path}: {name}", result, problem or well, "See the plan." if problem else "")


def find_host(facts: Facts, wanted: str | None) -> FoundHost:
    """The host on this machine's disks.

    :param wanted: the path of a disk of it, any of its names; without, there must be one host alone.
    :raises UserError: when there is none, or more than one, or not that one.
    """
    hosts = found_hosts(facts.disks)
    there = titles(hosts)
    if not hosts:
        raise UserError(
            "no disk of this machine carries a finished installation of zeroth",
            "An installation that was cut off goes on when the installer runs again. A disk whose partition table is "
            "lost cannot be repaired by this command.", code=ExitCode.MACHINE,
        )  # fmt: skip
    if wanted is not None:
        chosen = [host for host in hosts
                  if any(wanted in (disk.path, *disk.links, *disk.paths) for disk in host.disks)]  # fmt: skip
        if not chosen:
            raise UserError(f"{wanted} carries no finished installation of zeroth", there, where="--disk")
        return chosen[0]
    if len(hosts) > 1:
        raise UserError("this machine has several hosts on its disks", f"Say --disk. {there}")
    return hosts[0]


@contextmanager
def opened_host(
    host: FoundHost,
    mounts: Path,
    arrays: Path = DEVICES,
    look_at: Callable[[Path], Array | None] = read_array,
) -> Iterator[tuple[SlotState, tuple[DiskFacts, ...]]]:
    """The host's state, and its disks that hold everything, for the time of the block.

    :param mounts: a folder under which its state partition is mounted, unless the host runs.
    :raises UserError: when a disk does not belong to the installation, or is in use.
    """
    for disk in host.disks:
        busy = [why for part in disk.partitions if part.number in (Part.BIOS, Part.ESP) for why in part.in_use]
        if busy or disk.read_only:
            why = "; ".join(busy) or f"{disk.path} can only be read"
            raise UserError(f"what the host boots by cannot be written: {why}", "Unmount it.", code=ExitCode.MACHINE)
    with state_device(host, arrays, look_at) as (device, disks), ExitStack() as held:
        state = _running(host) or SlotState(held.enter_context(mounted(device, mounts / "repair")))
        identified(host, disks, state)
        yield state, disks


def _running(host: FoundHost) -> SlotState | None:
    """The state of the host when it is the one that runs here."""
    try:
        booted()
    except UserError:
        return None
    state = SlotState()
    identity, _ = installation(state)
    return state if identity.leg_of(host.disks[0].table_uuid) else None


def starts_signed(disks: tuple[DiskFacts, ...]) -> bool:
    """Whether a slot has the program that Secure Boot starts."""
    esps = [Esp(partition_path(Path(disk.path), Part.ESP)) for disk in disks]
    return any(esp.exists(f"/zeroth/{slot}/{PROGRAM}") for esp in esps for slot in SLOTS)


def look(disk: DiskFacts, number: int, wanted: Wanted, work: Path, step: Step) -> Leg:
    """Look at one disk.

    :param number: of the leg.
    :param work: any folder, for a moment.
    """
    esp = Esp(partition_path(Path(disk.path), Part.ESP))
    place = place_of(disk, Part.ESP)
    formatted = any(sign.type == "vfat" for sign in place.signatures)
    slots = {slot: SlotFiles("empty") for slot in SLOTS}
    for number_, slot in enumerate(SLOTS if formatted else ()):
        step.update(number_, of=len(SLOTS), message=f"{disk.path}: slot {slot}")
        slots[slot] = read_slot_files(esp, slot)
    problem = boot_state_problem(esp) if formatted else "is missing"
    # The tool that writes it refuses larger sectors, from which no BIOS starts.
    bios = "" if disk.logical_sector != 512 else bios_loader_problem(
        Path(disk.path), place_of(disk, Part.BIOS).start, work
    )  # fmt: skip
    listed = wanted.entries is None or has_boot_entry(wanted.entries, place.uuid)
    return Leg(
        disk=disk,
        number=number,
        formatted=formatted,
        slots=slots,
        boot=None if problem else read_boot_state(esp),
        boot_problem=f"{ENVIRONMENT} {problem}" if problem else "",
        menu=_file_problem(esp, MENU, wanted.menu) if formatted else f"{MENU} is missing",
        loader=_loader_problem(esp, wanted.loader) if formatted else f"{EFI_PATH} is missing",
        bios=bios,
        entry="" if listed else "the firmware has none for this disk",
    )


def place_of(disk: DiskFacts, part: Part) -> PartitionFacts:
    """A partition as it is on the disk: an older version may have laid it out another way.

    :raises UserError: when there is none of that number.
    """
    found = next((one for one in disk.partitions if one.number == part), None)
    if found is None:
        raise UserError(f"{disk.path} has no partition {int(part)}", "Install again.", code=ExitCode.MACHINE)
    return found


def _file_problem(esp: Esp, path: str, text: str) -> str:
    return _problem(esp, path, lambda: esp.read_text(path) == text, "not what the host's settings make of it")


def _loader_problem(esp: Esp, digest: str) -> str:
    return _problem(esp, EFI_PATH, lambda: esp.sha256(EFI_PATH) == digest, "another program")


def _problem(esp: Esp, path: str, same: Callable[[], bool], otherwise: str) -> str:
    if not esp.exists(path):
        return f"{path} is missing"
    try:
        return "" if same() else f"{path} is {otherwise}"
    except UserError:
        return f"{path} cannot be read"

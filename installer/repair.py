"""Repairing what a host boots by, without touching what it holds: a plan, and doing it.

Written is only what differs from what the installer would write: GRUB's environment block, its menu, the loaders of
both firmwares and the firmware's entry; of a mirror also the boot files of a disk that fell behind, from the other.
Images, state and storage stay as they are. What starts a slot comes after everything that it speaks of, and every step
may be done again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from installer.plan import Action, ActionKind
from installer.preflight import Check
from installer.repair_look import Leg, place_of
from zeroth.deploy.bootenv import ENVIRONMENT, BootState, make_boot_state, merged
from zeroth.deploy.bootmenu import MENU
from zeroth.deploy.bootsync import copy_boot_files
from zeroth.deploy.layout import InstallId, Part
from zeroth.deploy.loaders import (
    bios_loader_problem,
    install_bios_loader,
    install_efi_loader,
    loader_workspace,
    offer_boot_entry,
)
from zeroth.deploy.slotstate import SLOTS, Slot, SlotState, other_slot
from zeroth.errors import ExitCode, UserError
from zeroth.progress import Step
from zeroth.system.block import exclusive
from zeroth.system.multipath import on_a_path

__all__ = ["Repair", "RepairPlan", "plan_repair"]


@dataclass(frozen=True)
class RepairPlan:
    """What is wrong, and what will be written.

    :ivar legs: the disks; the first is the one that others are copied from.
    :ivar version: of the host.
    :ivar boot: which slot is started by default.
    :ivar lost: the boot state is lost on every disk, and was found out from the slots' state.
    :ivar menu: the text of GRUB's menu.
    :ivar loader: the EFI loader.
    :ivar reservations: what stays wrong, and what to do about it.
    """

    legs: tuple[Leg, ...]
    identity: InstallId
    version: str
    uefi: bool
    boot: BootState
    lost: bool
    menu: str
    loader: Path
    actions: tuple[Action, ...]
    reservations: tuple[str, ...] = ()

    @property
    def checks(self) -> tuple[Check, ...]:
        """Everything that was looked at."""
        return tuple(check for leg in self.legs for check in leg.checks(uefi=self.uefi))

    def as_json(self) -> Mapping[str, object]:
        """For ``--json``."""
        return {
            "disks": [leg.disk.path for leg in self.legs],
            "version": self.version,
            "install": str(self.identity.value),
            "committed": self.boot.committed,
            "committed_from": "slot state" if self.lost else "boot state",
            "slots": {
                leg.disk.path: {slot: files.as_json() for slot, files in leg.slots.items()} for leg in self.legs
            },
            "checks": [check.as_json() for check in self.checks],
            "actions": [action.as_json() for action in self.actions],
            "reservations": list(self.reservations),
        }


@dataclass(frozen=True)
class _Host:
    legs: tuple[Leg, ...]
    boot: BootState
    lost: bool


def plan_repair(
    legs: Sequence[Leg], state: SlotState, identity: InstallId, version: str, menu: str, loader: Path, *, uefi: bool
) -> RepairPlan:
    """Decide. Changes nothing.

    :param legs: every disk of the host that is there and holds everything.
    :raises UserError: when no slot can be started by whatever is written.
    """
    host = _judged(legs, state)
    first = host.legs[0]
    if not any(files.whole for leg in host.legs for files in leg.slots.values()):
        said = "; ".join(_damage(leg, slot) for leg in host.legs for slot in SLOTS)
        raise UserError(
            f"neither slot of the host on {first.disk.path} has boot files that can be started: {said}",
            "Nothing was written. The host's state and the disks of its guests are as they were: save what is needed "
            "from them, then install again.", code=ExitCode.MACHINE,
        )  # fmt: skip
    return RepairPlan(
        legs=host.legs,
        identity=identity,
        version=version,
        uefi=uefi,
        boot=host.boot,
        lost=host.lost,
        menu=menu,
        loader=loader,
        actions=_actions(host),
        reservations=_reservations(host, state, identity),
    )


def _judged(legs: Sequence[Leg], state: SlotState) -> _Host:
    """The best disk first, and what all of them say together."""
    ranked = tuple(sorted(legs, key=_rank))
    # In this order: where two disks are equally new and differ, the one that is copied from is believed.
    known = tuple(leg.boot for leg in ranked if leg.boot)
    boot = merged(known) if known else BootState(state.last_proved(), generation=1)
    return _Host(ranked, boot, not known)


def _rank(leg: Leg) -> tuple[int, int, int, int]:
    """Newest first, of equally new ones that with the fewest tries left, and of those the one that has less damage."""
    newness, tries = (-leg.boot.generation, leg.boot.tries) if leg.boot else (1, 0)
    return newness, tries, leg.damaged, leg.number


def _actions(host: _Host) -> tuple[Action, ...]:
    first = host.legs[0]
    copied = [leg for leg in host.legs[1:] if _is_copied(first, leg)]
    found: list[Action] = []
    for leg in host.legs:
        if leg not in copied:
            found += _on_esp(leg, several=len(host.legs) > 1)
    found += [_action(leg, ActionKind.BOOT_COPY, f"Copy the boot files from {first.disk.path}", Part.ESP, several=True)
              for leg in copied]  # fmt: skip
    several = len(host.legs) > 1
    found += [_action(leg, ActionKind.BIOS_LOADER, "Install GRUB for BIOS", Part.BIOS, several=several)
              for leg in host.legs if leg.bios]  # fmt: skip
    # The first leg last: firmware tries first what was added last.
    found += [_action(leg, ActionKind.BOOT_ENTRY, "Add the EFI boot entry", None, several=several)
              for leg in sorted(host.legs, key=lambda leg: -leg.number) if leg.entry]  # fmt: skip
    return tuple(found)


def _is_copied(first: Leg, leg: Leg) -> bool:
    """Whether a disk gets the boot files of the first: it fell behind, and loses nothing by it."""
    behind = leg.boot is None or (first.boot is not None and _differs(leg.boot, first.boot))
    worse = any(first.slots[slot].whole and not leg.slots[slot].whole for slot in SLOTS)
    return (not leg.formatted or behind or worse) and not _would_lose(first, leg)


def _differs(one: BootState, other: BootState) -> bool:
    return one != other or one.generation != other.generation


def _would_lose(first: Leg, leg: Leg) -> bool:
    return any(leg.slots[slot].whole and not first.slots[slot].whole for slot in SLOTS)


def _on_esp(leg: Leg, *, several: bool) -> list[Action]:
    """The state before the menu that goes by it, and the menu before what reads it."""
    wrong = (
        (leg.boot_problem, ActionKind.BOOT_STATE, "Write the boot state"),
        (leg.menu, ActionKind.BOOT_MENU, "Write the boot menu"),
        (leg.loader, ActionKind.EFI_LOADER, "Install GRUB for UEFI"),
    )
    return [_action(leg, kind, title, Part.ESP, several=several) for why, kind, title in wrong if why]


def _action(leg: Leg, kind: ActionKind, title: str, part: Part | None, *, several: bool) -> Action:
    named = f"{title} on {leg.disk.path}" if several and kind is not ActionKind.BOOT_COPY else title
    if kind is ActionKind.BOOT_COPY:
        named = f"{title} to {leg.disk.path}"
    if part is None:
        return Action(kind, named, 0, 0, disk=leg.disk.path)
    place = place_of(leg.disk, part)
    return Action(kind, named, place.start, place.size, part, leg.disk.path)


def _reservations(host: _Host, state: SlotState, identity: InstallId) -> tuple[str, ...]:
    found = []
    first = host.legs[0]
    if host.lost:
        found.append(f"which slot is started by default was lost: slot {host.boot.committed} proved itself last")
        waiting = other_slot(host.boot.committed)
        if state.pending(waiting):
            found.append(f"the upgrade that waited in slot {waiting} is not tried: apply it again")
    # A slot that nothing was written to yet is no damage, unless it is the one to be started.
    bad = [slot for slot in SLOTS if first.slots[slot].state == "damaged"
           or (slot == host.boot.committed and not first.slots[slot].whole)]  # fmt: skip
    found += [f"{_damage(first, slot)}: {_advice(slot, host.boot.committed)}" for slot in bad]
    found += [
        f"{leg.disk.path} has a slot whole that {first.disk.path} has not: their boot files stay apart"
        for leg in host.legs[1:]
        if _would_lose(first, leg)
    ]
    if identity.mirror and len(host.legs) == 1:
        found.append(f"of this mirror only {first.disk.path} is there and whole: only it is repaired")
    return tuple(found)


def _damage(leg: Leg, slot: Slot) -> str:
    files = leg.slots[slot]
    what = f"damaged ({', '.join(files.damaged)})" if files.damaged else "empty"
    return f"slot {slot} on {leg.disk.path} is {what}"


def _advice(slot: str, committed: str) -> str:
    """What to do about a slot that cannot be started."""
    if slot != committed:
        return "an upgrade writes it anew"
    other = other_slot(slot)
    return (
        f"upgrade the host from the medium, which writes slot {other} and takes the host's state along, or start "
        f"slot {other} as it is, as the boot menu does by itself"
    )


@dataclass
class Repair:
    """One run of a plan.

    :param state: of the host, for the journal.
    """

    plan: RepairPlan
    state: SlotState
    reservations: list[str] = field(default_factory=list)
    handlers: dict[ActionKind, Callable[[Leg, Step], None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.handlers = {
            ActionKind.BOOT_STATE: self._boot_state,
            ActionKind.BOOT_MENU: self._boot_menu,
            ActionKind.EFI_LOADER: self._efi_loader,
            ActionKind.BOOT_COPY: self._copy,
            ActionKind.BIOS_LOADER: self._bios_loader,
            ActionKind.BOOT_ENTRY: self._boot_entry,
        }

    def run(self, step: Step) -> tuple[str, ...]:
        """Do every action in order.

        :returns: reservations: those of the plan, and what did not work and does not matter for booting.
        :raises UserError: when the machine refuses; the same command goes on later.
        """
        self.reservations = list(self.plan.reservations)
        self.state.upgrades.mkdir(parents=True, exist_ok=True)
        journal = self.state.journal()
        legs = {leg.disk.path: leg for leg in self.plan.legs}
        with ExitStack() as locks:
            for path in sorted(legs):
                locks.enter_context(exclusive(Path(path)))
            for action in self.plan.actions:
                with step.step(action.title) as running:
                    journal.add("repair", "begin", step=action.title)
                    try:
                        self.handlers[action.kind](legs[action.disk], running)
                    except BaseException as error:
                        told = str(error) or type(error).__name__
                        journal.add("repair", "failed", step=action.title, error=told)
                        raise
                    journal.add("repair", "done", step=action.title)
        return tuple(self.reservations)

    def _boot_state(self, leg: Leg, step: Step) -> None:
        # Of a disk that cannot be copied to, nobody knows how new its files are: it counts as the older.
        known = leg == self.plan.legs[0]
        make_boot_state(leg.esp, self.plan.boot if known else replace(self.plan.boot, generation=0))

    def _boot_menu(self, leg: Leg, step: Step) -> None:
        leg.esp.put_text(self.plan.menu, MENU)

    def _efi_loader(self, leg: Leg, step: Step) -> None:
        install_efi_loader(leg.esp, self.plan.loader)

    def _copy(self, leg: Leg, step: Step) -> None:
        if not leg.formatted:
            leg.esp.make("ZEROTH-ESP", self.plan.identity.filesystem_uuid(Part.ESP, leg.number)[:8])
        elif leg.boot is None:
            # It cannot be written in its place.
            leg.esp.remove(ENVIRONMENT)
        copy_boot_files(self.plan.legs[0].esp, leg.esp, step)

    def _bios_loader(self, leg: Leg, step: Step) -> None:
        disk = Path(leg.disk.path)
        with loader_workspace() as work:
            on_a_path(leg.disk, lambda node: install_bios_loader(node, work))
            wrong = bios_loader_problem(disk, place_of(leg.disk, Part.BIOS).start, work)
        if wrong:
            raise UserError(f"{disk} does not keep what is written to it: {wrong}", "Replace the disk.",
                            code=ExitCode.MACHINE)  # fmt: skip

    def _boot_entry(self, leg: Leg, step: Step) -> None:
        self.reservations += offer_boot_entry(leg.disk, step)

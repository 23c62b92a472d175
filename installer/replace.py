"""Giving a host on two disks a second disk again: a plan, and doing it.

Everything that one disk has, the other gets: partition table, boot files, its part of every mirror, boot loaders and
the firmware's entry. It becomes bootable when it holds all that it starts with, and not before; local storage comes
last. The mark on it tells a later run that it may go on: every step may be done again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from installer.disks import choose_disks
from installer.keeping import bare_table
from installer.preflight import check_disk, failures
from zeroth.deploy.arrays import DEVICES, array_device, wipe, write_table
from zeroth.deploy.bootsync import copy_boot_files
from zeroth.deploy.esp import Esp
from zeroth.deploy.layout import MIRRORED, InstallId, Layout, Part, Partition
from zeroth.deploy.legs import Leg, Mirror
from zeroth.deploy.loaders import install_bios_loader, loader_workspace, offer_boot_entry
from zeroth.deploy.marker import clear_marker, write_marker
from zeroth.deploy.running import note_leg
from zeroth.deploy.slotstate import SlotState
from zeroth.errors import ExitCode, UserError
from zeroth.progress import Step
from zeroth.spec.model import DiskSpec
from zeroth.spec.selector import parse_selector
from zeroth.system.block import exclusive, partition_path
from zeroth.system.facts import DiskFacts, Facts, MarkerFacts
from zeroth.system.mdraid import Array, add_member, drop_members, read_array
from zeroth.system.size import MIB, Size

__all__ = ["ReplacePlan", "Replacement", "plan_replacement"]

# The kernel fills one after the other, in an order of its own. The local storage may take hours, and a disk starts
# without it: it is added when all else is there.
_FIRST = tuple(part for part in MIRRORED if part is not Part.SR)
_PAUSE = 2.0


@dataclass(frozen=True)
class ReplacePlan:
    """What is done to which disk.

    :ivar source: the disk that is whole.
    :ivar leg: the number that the new disk gets.
    :ivar destroys: what is lost on it, one phrase each.
    :ivar leaves: disks that are partly in the mirror, and are taken out of it.
    :ivar resumes: an earlier run was interrupted, and goes on.
    """

    disk: DiskFacts
    leg: int
    source: Path
    identity: InstallId
    layout: Layout
    uefi: bool
    destroys: tuple[str, ...] = ()
    leaves: tuple[Path, ...] = ()
    resumes: bool = False

    def as_json(self) -> Mapping[str, object]:
        """For ``--json``. Sizes in bytes."""
        return {
            "disk": self.disk.path,
            "disk_size": self.disk.size,
            "serial": self.disk.serial,
            "leg": self.leg,
            "source": str(self.source),
            "destroys": list(self.destroys),
            "leaves": [str(disk) for disk in self.leaves],
            "resumes": self.resumes,
        }

    def lines(self) -> list[str]:
        """The same in words."""
        disk = self.disk
        named = f", serial {disk.serial}" if disk.serial else ""
        found = [f"{disk.path} ({Size(disk.size).approx()}{named}) becomes a copy of {self.source}: partition table, "
                 "boot files, mirrors, boot loaders" + (" and the firmware's entry" if self.uefi else "")]  # fmt: skip
        found += [f"{disk} is taken out of the mirror, which it is part of no more than in part"
                  for disk in self.leaves if disk != Path(self.disk.path)]  # fmt: skip
        if self.resumes:
            found.append("an interrupted run goes on")
        elif self.destroys:
            found += ["WILL BE DESTROYED:", *(f"- {what}" for what in self.destroys)]
        else:
            found.append("the disk is empty; nothing is lost")
        return found


def plan_replacement(
    mirror: Mirror, facts: Facts, given: int, wanted: str | None = None, *, erase: bool = False
) -> ReplacePlan:
    """Decide. Changes nothing.

    :param given: the highest number that a disk of this mirror was given.
    :param wanted: a selector for the new disk; without one, the only disk that is left must do.
    :param erase: what is on the disk may be lost.
    :raises UserError: when there is nothing to do, or with all reasons why not.
    """
    if mirror.whole:
        raise UserError("the mirror is whole: there is no disk to replace", code=ExitCode.INPUT)
    sources = [leg for leg in mirror.legs if leg.whole]
    if not sources:
        raise UserError("no disk of this host is whole", "See `zeroth disk status`.", code=ExitCode.MACHINE)
    source = _facts_of(sources[0], facts)
    left = tuple(disk for disk in facts.disks if Path(disk.path) not in [leg.disk for leg in sources])
    choice = choose_disks(_selection(wanted), left)
    if not choice.legs:
        said = "; ".join(f"{verdict.disk.path}: {verdict.why}" for verdict in choice.verdicts)
        raise UserError("; ".join(choice.problems) + (f" ({said})" if said else ""), "Name it with --disk.")
    disk = _let_go(choice.legs[0], mirror)
    layout = _layout_of(source)
    marker = disk.zeroth.marker if disk.zeroth else None
    number = mirror.identity.leg_of(disk.table_uuid)
    resumes = (
        marker is not None
        and marker.phase == "rebuilding"
        and marker.install == mirror.identity.value
        # Without a table yet; nor has anybody put it to another use meanwhile.
        and (number > 0 or bare_table(disk))
    )
    problems = [] if resumes else [check.message for check in failures(check_disk(disk, facts, allowed=erase))]
    if mirror.identity.sr_disk_of(disk.table_uuid):
        # Also while nothing of it is in use.
        problems.append(f"{disk.path} is part of this host's local storage repository")
    if disk.paths:
        problems.append(f"{disk.path} is seen over several paths ({', '.join(disk.paths)}), and cannot be mirrored")
    if disk.logical_sector != source.logical_sector:
        problems.append(
            f"{disk.path} has {disk.logical_sector} byte sectors, and {source.path} {source.logical_sector}"
        )
    need = layout[Part.SR].end + MIB
    if disk.size < need:
        problems.append(f"{disk.path} is too small: {Size(disk.size).approx()}, and {Size(need).approx()} are needed")
    if problems:
        hint = "If everything on it may be lost, say --erase." if disk.contents and not erase else "Take another disk."
        raise UserError("; ".join(problems), hint)
    # A number that no disk has, also none that lies in a drawer and was a leg of this host before.
    fresh = max(given, *(leg.number for leg in mirror.legs)) + 1
    stay = {Path(source.path), *([Path(disk.path)] if resumes else [])}
    return ReplacePlan(
        disk=disk,
        leg=number if resumes and number else fresh,
        source=Path(source.path),
        identity=mirror.identity,
        layout=layout,
        uefi=facts.firmware.kind == "uefi",
        destroys=() if resumes else disk.contents,
        leaves=tuple(sorted({one.disk for array in mirror.arrays.values() for one in array.members} - stay)),
        resumes=resumes,
    )


def _selection(wanted: str | None) -> DiskSpec:
    try:
        parse_selector(wanted or "only")
    except ValueError as error:
        raise UserError(str(error), where="--disk", code=ExitCode.USAGE) from None
    return DiskSpec(select=wanted or "only")


def _let_go(disk: DiskFacts, mirror: Mirror) -> DiskFacts:
    """A disk without the uses that end with the replacement: of a leg that failed, by what is left of it in arrays."""
    members = {
        f"{one.device.name} is part of {array.device.name}"
        for array in mirror.arrays.values() for one in array.members if one.disk == Path(disk.path)
    }  # fmt: skip
    return disk.model_copy(update={"in_use": tuple(use for use in disk.in_use if use not in members)})


def _facts_of(leg: Leg, facts: Facts) -> DiskFacts:
    found = next((disk for disk in facts.disks if Path(disk.path) == leg.disk), None)
    if found is None or len(found.partitions) < len(Part):
        raise UserError(f"the partitions of {leg.disk} cannot be read", code=ExitCode.MACHINE)
    return found


def _layout_of(disk: DiskFacts) -> Layout:
    """As it is on the disk: an older version may have laid it out another way."""
    parts = {part.number: part for part in disk.partitions}
    places = tuple(Partition(part, parts[part].start, parts[part].size) for part in Part)
    return Layout(disk.size, disk.logical_sector, places)


@dataclass
class Replacement:
    """One run of a plan.

    :param state: of the host.
    :param arrays: the folder of the nodes of md arrays.
    :param look: reads an array.
    :param sleep: waits for some seconds.
    """

    plan: ReplacePlan
    state: SlotState
    arrays: Path = DEVICES
    look: Callable[[Path], Array | None] = read_array
    sleep: Callable[[float], None] = time.sleep
    reservations: list[str] = field(default_factory=list)

    def run(self, step: Step) -> tuple[str, ...]:
        """Do everything.

        :returns: reservations: what did not work and does not matter for booting.
        :raises UserError: when the machine refuses; the same command goes on later.
        """
        what = f"replace a disk by {self.plan.disk.path}"
        self.state.upgrades.mkdir(parents=True, exist_ok=True)
        journal = self.state.journal()
        journal.add(what, "begin", leg=self.plan.leg)
        steps: Sequence[tuple[str, Callable[[Step], None]]] = (
            ("Let go of what is lost", self._drop),
            ("Write the partition table and the boot files", self._prepare),
            ("Fill the mirrors of the system", self._fill_system),
            ("Make the disk bootable", self._bootable),
            ("Fill the mirror of the local storage", self._fill_storage),
        )
        try:
            for title, do in steps:
                with step.step(title) as running:
                    do(running)
        except BaseException as error:
            journal.add(what, "failed", error=str(error) or type(error).__name__)
            raise
        journal.add(what, "done")
        return tuple(self.reservations)

    @property
    def _disk(self) -> Path:
        return Path(self.plan.disk.path)

    @property
    def _esps(self) -> tuple[Esp, Esp]:
        return Esp(partition_path(self.plan.source, Part.ESP)), Esp(partition_path(self._disk, Part.ESP))

    def _array(self, part: Part) -> Array:
        array = self.look(array_device(part, self.arrays))
        if array is None:
            raise UserError(
                f"the mirror of {part.label} does not run", "See the kernel's messages (dmesg).", code=ExitCode.MACHINE
            )
        return array

    def _drop(self, step: Step) -> None:
        for part in MIRRORED:
            array = self._array(part)
            leaving = [one for one in array.members if one.disk in self.plan.leaves and one.state != "faulty"]
            drop_members(array.device, [one.device for one in leaving])

    def _prepare(self, step: Step) -> None:
        plan = self.plan
        done = plan.resumes and plan.disk.table_uuid == plan.identity.leg_guid(plan.leg)
        with exclusive(self._disk):
            write_marker(self._disk, MarkerFacts(phase="rebuilding", digest="", install=plan.identity.value))
            if not done:
                note_leg(self.state, plan.leg)
                wipe(plan.disk)
                write_table(self._disk, plan.layout, plan.identity, plan.leg)
            source, target = self._esps
            target.make("ZEROTH-ESP", plan.identity.filesystem_uuid(Part.ESP, plan.leg)[:8])
            copy_boot_files(source, target, step, loader=False)

    def _fill_system(self, step: Step) -> None:
        with exclusive(self._disk):
            self._add(_FIRST)
        self._wait(_FIRST, step)

    def _fill_storage(self, step: Step) -> None:
        with exclusive(self._disk):
            self._add((Part.SR,))
            # From here on the kernel goes on by itself, also after a restart.
            clear_marker(self._disk)
        self._wait((Part.SR,), step)

    def _add(self, parts: Sequence[Part]) -> None:
        for part in parts:
            array = self._array(part)
            member = partition_path(self._disk, part)
            if member not in [one.device for one in array.members]:
                add_member(array.device, member)

    def _wait(self, parts: Sequence[Part], step: Step) -> None:
        while True:
            arrays = [self._array(part) for part in parts]
            short = [array for array in arrays if array.missing]
            lost = [array for array in short
                    if not any(one.disk == self._disk and one.state != "faulty" for one in array.members)]  # fmt: skip
            if lost:
                raise UserError(
                    f"{self._disk} failed while {lost[0].device} was copied to it", "Take another disk.",
                    code=ExitCode.MACHINE,
                )  # fmt: skip
            filled = sum(array.size if array not in short else array.done or 0 for array in arrays)
            step.update(filled, of=sum(array.size for array in arrays))
            if not short:
                return
            self.sleep(_PAUSE)

    def _bootable(self, step: Step) -> None:
        source, target = self._esps
        with ExitStack() as held:
            held.enter_context(exclusive(self._disk))
            # Once more: the host may have been upgraded meanwhile.
            copy_boot_files(source, target, step)
            if self.plan.layout.sector_size == 512:
                install_bios_loader(self._disk, held.enter_context(loader_workspace()))
            if self.plan.uefi:
                self.reservations += offer_boot_entry(self.plan.disk, step)

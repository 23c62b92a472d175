"""From facts and an answer to a plan, or to all the reasons why there is none. Pure: reads and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from installer.disks import Choice, Resumption, choose_disks, resumable_phase, resumption
from installer.hooks import hook_title
from installer.image import InstallImage
from installer.keeping import KeptSr, kept_sr
from installer.nics import NicChoice, choose_nics
from installer.plan import Action, ActionKind, AlreadyApplied, InstallPlan, Leg, Outcome, Problem, Refused, SrLeg
from installer.preflight import (
    Check,
    check_disk,
    check_image,
    check_machine,
    check_mirror,
    check_nics,
    check_paths,
    check_storage,
    check_trial,
    failures,
    warnings,
)
from zeroth.deploy.bootmenu import boot_entry, render_boot_menu, render_entries
from zeroth.deploy.imagedefaults import ImageDefaults
from zeroth.deploy.layout import InstallId, Layout, Part, make_layout, make_layout_before, mirror_size
from zeroth.deploy.marker import MARKER_OFFSET, MARKER_SIZE
from zeroth.errors import UserError
from zeroth.spec.gaps import gaps
from zeroth.spec.model import DiskSpec, HostSpec, LocalSr, RunMode, Stage
from zeroth.spec.model.disks import Layout as Disks
from zeroth.system.facts import DiskFacts, Facts, NicFacts

__all__ = ["PlanRequest", "plan_installation"]

ALONE = "the mirror has one disk: nothing survives its loss until `zeroth disk replace` gives it a second"
_NO_DISK_HINT = (
    "Is the controller switched on in the firmware, in a mode that Linux has a driver for (AHCI, not RAID)?"
)
_CHOICE_HINT = (
    "Name the disk in the answer: a path under /dev/disk/by-id, serial=, wwn=, model=, or what it is: "
    "ssd, hdd, transport=, size>=, smallest, largest; several with & between them."
)


@dataclass(frozen=True)
class PlanRequest:
    """What is asked for.

    :ivar digest: of the answer; recognises the same answer again.
    :ivar image: None when planning away from the medium.
    :ivar identity: taken for a fresh installation; one that goes on keeps its own.
    """

    spec: HostSpec
    digest: str
    image: InstallImage | None
    identity: InstallId


def plan_installation(facts: Facts, request: PlanRequest) -> Outcome:
    """Decide. All problems are collected, not only the first."""
    spec = request.spec
    if spec.mode is RunMode.UPGRADE:
        return Refused((Problem("an upgrade is planned on the host itself", "Start it from the medium."),))
    if not spec.reinstall:
        done = _already_applied(facts, request.digest)
        if done:
            return done
    choice = choose_disks(spec.disk, facts.disks)
    nics = choose_nics(spec.management, facts.nics)
    kept, wrong = _kept(facts, spec.disk, choice)
    checks = _preflight(facts, request, choice, nics, kept)
    found = gaps(spec)
    hint = _CHOICE_HINT if facts.disks else _NO_DISK_HINT
    problems = [
        *(Problem(text, hint) for text in choice.problems),
        *([wrong] if wrong else []),
        *(Problem(check.message, check.hint) for check in failures(checks)),
        *(Problem(str(gap), "Leave it out of the answer.") for gap in found if gap.refused),
    ]
    if problems or not nics.nics:
        return Refused(tuple(problems), choice.verdicts, checks)
    reservations = (*warnings(checks), *choice.notes, *(str(gap) for gap in found if not gap.refused))
    return _install(facts, request, choice, checks, nics.nics, reservations, kept)


def _kept(facts: Facts, spec: DiskSpec, choice: Choice) -> tuple[KeptSr | None, Problem | None]:
    """The local storage repository that stays, or why there is none; neither where none is asked for."""
    if not spec.keep_sr or _mirrored(spec) or not choice.legs:
        return None, None
    disk = choice.legs[0]
    try:
        kept = kept_sr(disk, facts.disks)
        make_layout_before(disk.size, disk.logical_sector, kept.partition)
    except UserError as error:
        return None, Problem(error.message, error.hint)
    return kept, None


def _preflight(
    facts: Facts, request: PlanRequest, choice: Choice, nics: NicChoice, kept: KeptSr | None
) -> tuple[Check, ...]:
    spec = request.spec.disk
    disks: list[Check] = []
    going_on = resumption(choice.legs, request.digest, choice.sr).phase == "finishing"
    for disk in (*choice.legs, *choice.sr):
        own = going_on or resumable_phase(disk, request.digest)
        allowed = spec.wipe or disk.path in choice.consent or own
        disks += check_disk(disk, facts, allowed=bool(allowed), boots=disk in choice.legs)
    return (
        *disks,
        *(check_mirror(choice.legs) if _mirrored(spec) and choice.legs else ()),
        *check_paths(choice.legs, facts, request.image),
        *check_storage(choice.legs, choice.sr, kept.summary if kept else "", mirror=_mirrored(spec)),
        *check_image(_layout(choice, spec, kept), request.image, mirror=_mirrored(spec)),
        *check_nics(nics.nics, nics.problem, any_there=bool(facts.nics)),
        *check_trial(request.spec.management),
        *check_machine(facts, request.spec, request.image),
    )


def _mirrored(disk: DiskSpec) -> bool:
    return disk.layout is Disks.MIRROR


def _layout(choice: Choice, spec: DiskSpec, kept: KeptSr | None) -> Layout | None:
    """The layout of the disks that are chosen; None when there are none, or one is too small."""
    if not choice.legs:
        return None
    try:
        return _lay_out(choice.legs, kept, mirror=_mirrored(spec))
    except UserError:
        return None


def _lay_out(legs: Sequence[DiskFacts], kept: KeptSr | None, *, mirror: bool) -> Layout:
    """The same on every disk, as the smallest allows."""
    if kept:
        return make_layout_before(legs[0].size, legs[0].logical_sector, kept.partition)
    size = mirror_size(*(disk.size for disk in legs)) if mirror else legs[0].size
    return make_layout(size, legs[0].logical_sector)


def _already_applied(facts: Facts, digest: str) -> AlreadyApplied | None:
    for disk in facts.disks:
        applied = disk.zeroth.applied if disk.zeroth else None
        if (
            applied
            and applied.digest == digest
            and applied.machine == facts.dmi.identity
            and not any(_unfinished_with(other, disk, digest) for other in facts.disks)
        ):
            return AlreadyApplied(disk, applied.time)
    return None


def _unfinished_with(other: DiskFacts, disk: DiskFacts, digest: str) -> bool:
    """Whether a disk, or the one that mirrors it, says that their installation is not finished."""
    if other.path == disk.path:
        return bool(resumable_phase(disk, digest))
    marker = other.zeroth.marker if other.zeroth and resumable_phase(other, digest) else None
    return marker is not None and InstallId(marker.install).leg_of(disk.table_uuid) > 0


def _install(
    facts: Facts,
    request: PlanRequest,
    choice: Choice,
    checks: tuple[Check, ...],
    nics: tuple[NicFacts, ...],
    reservations: tuple[str, ...],
    kept: KeptSr | None,
) -> InstallPlan:
    mirror = _mirrored(request.spec.disk)
    resumed = resumption(choice.legs, request.digest, choice.sr)
    value = resumed.install or request.identity.value
    identity = InstallId(value, mirror=mirror)
    layout = _lay_out(resumed.legs, kept, mirror=mirror)
    uefi = facts.firmware.kind == "uefi"
    version = request.image.version if request.image else ""
    image = request.image
    defaults = image.defaults if image else ImageDefaults()
    wwid = resumed.legs[0].wwid
    entry = boot_entry("a", version, identity, request.spec.dom0, image.tree if image else None, defaults, wwid)
    legs = tuple(Leg(disk, layout, number) for number, disk in enumerate(resumed.legs, 1))
    sr_disks = tuple(SrLeg(disk, number) for number, disk in enumerate(choice.sr, 1))
    if mirror and len(legs) == 1:
        reservations = (*reservations, ALONE)
    return InstallPlan(
        legs=legs,
        identity=identity,
        digest=request.digest,
        uefi=uefi,
        machine=facts.dmi.identity,
        nics=nics,
        bond=request.spec.management.bond.name if request.spec.management.bond else "",
        image=request.image,
        boot_menu=render_boot_menu(request.spec.dom0.serial),
        boot_entries=render_entries(entry),
        actions=_actions(_Disks(legs, sr_disks, mirror=mirror, kept=kept), resumed, request, uefi=uefi),
        verdicts=choice.verdicts,
        checks=checks,
        resumes=resumed.phase,
        destroys=() if resumed.phase == "finishing" else _destroyed([*resumed.legs, *choice.sr], request.digest, kept),
        reservations=reservations,
        hooks=request.spec.hooks,
        try_network=request.spec.management.try_first,
        sr_disks=sr_disks,
        kept=kept,
        local_sr=request.spec.disk.local_sr is LocalSr.LVM,
    )


def _destroyed(disks: Sequence[DiskFacts], digest: str, kept: KeptSr | None) -> tuple[str, ...]:
    """What is lost on disks that an interrupted installation did not make its own already.

    :param kept: what stays, on the first.
    """
    first, *others = disks
    if kept:
        lost = tuple(part for part in first.partitions if part.uuid != kept.uuid)
        first = first.model_copy(update={"partitions": lost})
    found = [(disk, what) for disk in (first, *others) if not resumable_phase(disk, digest) for what in disk.contents]
    return tuple(f"{disk.path}: {what}" if others else what for disk, what in found)


def _actions(disks: _Disks, resumed: Resumption, request: PlanRequest, *, uefi: bool) -> tuple[Action, ...]:
    data = () if resumed.phase == "finishing" else _data_actions(disks, request)
    return (*data, *_loader_actions(disks, uefi=uefi))


@dataclass(frozen=True)
class _Disks:
    """The disks of a plan, to make actions for."""

    legs: tuple[Leg, ...]
    storage: tuple[SrLeg, ...]
    mirror: bool
    kept: KeptSr | None

    def at(self, kind: ActionKind, title: str, start: int, size: int, part: Part | None = None) -> Action:
        """One that writes the same to every disk."""
        second = self.legs[1].disk.path if len(self.legs) > 1 else ""
        return Action(kind, title, start, size, part, self.legs[0].disk.path, mirror=second)

    def on(self, kind: ActionKind, title: str, part: Part, size: int | None = None) -> Action:
        """One that writes to a partition of every disk."""
        place = self.legs[0].layout[part]
        return self.at(kind, title, place.start, place.size if size is None else size, part)

    def each(self, kind: ActionKind, title: str, start: int, size: int, part: Part | None = None) -> list[Action]:
        """One for every disk, that has it to itself."""
        return [self.one(leg, kind, title, start, size, part) for leg in self.legs]

    def sr(self, kind: ActionKind, title: str, start: int, size: int) -> list[Action]:
        """One for every further disk of the local storage repository; ``size`` 0 means all of it."""
        return [
            Action(kind, f"{title} {leg.disk.path}", start, size or leg.disk.size, None, leg.disk.path)
            for leg in self.storage
        ]

    def one(
        self, leg: Leg, kind: ActionKind, title: str, start: int, size: int, part: Part | None = None
    ) -> Action:  # fmt: skip
        named = f"{title} on {leg.disk.path}" if len(self.legs) > 1 else title
        return Action(kind, named, start, size, part, leg.disk.path)


def _data_actions(disks: _Disks, request: PlanRequest) -> tuple[Action, ...]:
    image = request.image
    first = disks.legs[0].layout
    arrays = first[Part.SLOT_A].start, first[Part.SR].end - first[Part.SLOT_A].start
    every = [*(leg.disk for leg in disks.legs), *(leg.disk for leg in disks.storage)]
    full = {disk.path for disk in every if disk.contents}
    kept = f", partition {int(Part.SR)} as it is" if disks.kept else ""
    return (
        disks.at(ActionKind.BEGIN, "Begin the journal", MARKER_OFFSET, MARKER_SIZE),
        *disks.sr(ActionKind.BEGIN, "Begin the journal on", MARKER_OFFSET, MARKER_SIZE),
        *(disks.one(leg, ActionKind.WIPE, "Wipe old signatures", 0, disks.kept.start if disks.kept else leg.disk.size)
          for leg in disks.legs if leg.disk.path in full),
        *(action for action in disks.sr(ActionKind.WIPE, "Wipe old signatures on", 0, 0) if action.disk in full),
        *(disks.one(leg, ActionKind.TABLE, f"Write the partition table (GPT{kept})", 0, leg.disk.size)
          for leg in disks.legs),
        *disks.sr(ActionKind.SR_DISK, "Write the partition table (GPT) on", 0, 0),
        *([disks.at(ActionKind.ARRAYS, "Make the mirrors (RAID 1)", *arrays)] if disks.mirror else []),
        disks.on(ActionKind.MAKE_FAT, "Make the EFI system partition", Part.ESP),
        disks.on(ActionKind.MAKE_EXT4, "Make the state file system", Part.STATE),
        disks.on(ActionKind.MAKE_EXT4, "Make the log file system", Part.LOG),
        disks.on(ActionKind.ROOT_IMAGE, "Write the root image", Part.SLOT_A, image.root.size if image else None),
        disks.on(ActionKind.BOOT_FILES, "Copy Xen, kernel and initrd", Part.ESP),
        disks.on(ActionKind.BOOT_MENU, "Write the boot menu", Part.ESP),
        disks.on(ActionKind.STATE, "Write the host's settings", Part.STATE),
        *_hook_actions(request.spec),
    )  # fmt: skip


def _hook_actions(spec: HostSpec) -> tuple[Action, ...]:
    """What the answer has run in the new system: while it can still fail, and is not bootable yet."""
    return tuple(
        Action(ActionKind.HOOK, hook_title(number, hook), 0, 0, hook=number)
        for number, hook in enumerate(spec.hooks, 1)
        if hook.stage is Stage.POST
    )


def _loader_actions(disks: _Disks, *, uefi: bool) -> tuple[Action, ...]:
    """What makes the disks bootable: last, when everything that is booted into is in place."""
    layout = disks.legs[0].layout
    bios = layout[Part.BIOS]
    # BIOS cannot start from 4Kn disks at all, and GRUB's tool refuses them.
    for_bios = layout.sector_size == 512
    core = disks.each(ActionKind.BIOS_LOADER, "Install GRUB for BIOS", bios.start, bios.size, Part.BIOS)
    # The first disk last: firmware tries first what was added last.
    entries = reversed(disks.each(ActionKind.BOOT_ENTRY, "Add the EFI boot entry", 0, 0))
    return (
        disks.at(ActionKind.FINISH, "Data complete", MARKER_OFFSET, MARKER_SIZE),
        disks.on(ActionKind.EFI_LOADER, "Install GRUB for UEFI", Part.ESP),
        *(core if for_bios else ()),
        *(entries if uefi else ()),
        # Before the disk that is installed on: what says there that all is done must be true.
        *disks.sr(ActionKind.SR_DONE, "Finish the journal on", MARKER_OFFSET, MARKER_SIZE),
        disks.at(ActionKind.COMMIT, "Finish the journal", MARKER_OFFSET, MARKER_SIZE),
    )

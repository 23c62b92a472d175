"""From facts and an answer to a plan, or to all the reasons why there is none. Pure: reads and changes nothing."""

from __future__ import annotations

from dataclasses import dataclass

from installer.disks import Choice, choose_disks, resumable_phase
from installer.hooks import hook_title
from installer.image import InstallImage
from installer.nics import NicChoice, choose_nic
from installer.plan import Action, ActionKind, AlreadyApplied, InstallPlan, Leg, Outcome, Problem, Refused
from installer.preflight import (
    Check,
    check_disk,
    check_image,
    check_machine,
    check_nic,
    check_trial,
    failures,
    warnings,
)
from zeroth.deploy.bootmenu import boot_entry, render_boot_menu, render_entries
from zeroth.deploy.imagedefaults import ImageDefaults
from zeroth.deploy.layout import InstallId, Layout, Part, make_layout
from zeroth.deploy.marker import MARKER_OFFSET, MARKER_SIZE
from zeroth.errors import UserError
from zeroth.spec.gaps import gaps
from zeroth.spec.model import HostSpec, Stage
from zeroth.system.facts import DiskFacts, Facts, NicFacts

__all__ = ["PlanRequest", "plan_installation"]

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
    if not spec.reinstall:
        done = _already_applied(facts, request.digest)
        if done:
            return done
    choice = choose_disks(spec.disk, facts.disks)
    nics = choose_nic(spec.management.nic, facts.nics)
    checks = _preflight(facts, request, choice, nics)
    found = gaps(spec)
    problems = [
        *(Problem(text, _CHOICE_HINT) for text in choice.problems),
        *(Problem(check.message, check.hint) for check in failures(checks)),
        *(Problem(str(gap), "Leave it out of the answer.") for gap in found if gap.refused),
    ]
    if problems or nics.nic is None:
        return Refused(tuple(problems), choice.verdicts, checks)
    reservations = (*warnings(checks), *choice.notes, *(str(gap) for gap in found if not gap.refused))
    return _install(facts, request, choice, checks, nics.nic, reservations)


def _preflight(facts: Facts, request: PlanRequest, choice: Choice, nics: NicChoice) -> tuple[Check, ...]:
    disks: list[Check] = []
    for disk in choice.legs:
        allowed = request.spec.disk.wipe or disk.path in choice.consent or resumable_phase(disk, request.digest)
        disks += check_disk(disk, facts, allowed=bool(allowed))
    return (
        *disks,
        *check_image(_layout(choice), request.image),
        check_nic(nics.nic, nics.problem),
        *check_trial(request.spec.management),
        *check_machine(facts, request.spec, request.image),
    )


def _layout(choice: Choice) -> Layout | None:
    """The layout of the disk that is chosen; None when there is none, or it is too small."""
    if not choice.legs:
        return None
    try:
        return make_layout(choice.legs[0].size, choice.legs[0].logical_sector)
    except UserError:
        return None


def _already_applied(facts: Facts, digest: str) -> AlreadyApplied | None:
    for disk in facts.disks:
        applied = disk.zeroth.applied if disk.zeroth else None
        if (
            applied
            and applied.digest == digest
            and applied.machine == facts.dmi.identity
            and not resumable_phase(disk, digest)
        ):
            return AlreadyApplied(disk, applied.time)
    return None


def _install(
    facts: Facts,
    request: PlanRequest,
    choice: Choice,
    checks: tuple[Check, ...],
    nic: NicFacts,
    reservations: tuple[str, ...],
) -> InstallPlan:
    disk = choice.legs[0]
    phase = resumable_phase(disk, request.digest)
    marker = disk.zeroth.marker if disk.zeroth else None
    identity = InstallId(marker.install) if phase and marker else request.identity
    layout = make_layout(disk.size, disk.logical_sector)
    uefi = facts.firmware.kind == "uefi"
    version = request.image.version if request.image else ""
    image = request.image
    defaults = image.defaults if image else ImageDefaults()
    entry = boot_entry("a", version, identity, request.spec.dom0, image.tree if image else None, defaults)
    actions = (
        *(() if phase == "finishing" else _data_actions(disk, layout, request)),
        *_loader_actions(disk, layout, uefi),
    )
    return InstallPlan(
        legs=(Leg(disk, layout),),
        identity=identity,
        digest=request.digest,
        uefi=uefi,
        machine=facts.dmi.identity,
        nic=nic,
        image=request.image,
        boot_menu=render_boot_menu(request.spec.dom0.serial),
        boot_entries=render_entries(entry),
        actions=actions,
        verdicts=choice.verdicts,
        checks=checks,
        resumes=phase,
        destroys=() if phase else disk.contents,
        reservations=reservations,
        hooks=request.spec.hooks,
        try_network=request.spec.management.try_first,
    )


def _data_actions(disk: DiskFacts, layout: Layout, request: PlanRequest) -> tuple[Action, ...]:
    image = request.image

    def on(kind: ActionKind, title: str, part: Part, size: int | None = None) -> Action:
        place = layout[part]
        return Action(kind, title, place.start, place.size if size is None else size, part, disk.path)

    wipe = Action(ActionKind.WIPE, "Wipe old signatures", 0, disk.size, disk=disk.path)
    return (
        Action(ActionKind.BEGIN, "Begin the journal", MARKER_OFFSET, MARKER_SIZE, disk=disk.path),
        *((wipe,) if disk.contents else ()),
        Action(ActionKind.TABLE, "Write the partition table (GPT)", 0, disk.size, disk=disk.path),
        on(ActionKind.MAKE_FAT, "Make the EFI system partition", Part.ESP),
        on(ActionKind.MAKE_EXT4, "Make the state file system", Part.STATE),
        on(ActionKind.MAKE_EXT4, "Make the log file system", Part.LOG),
        on(ActionKind.ROOT_IMAGE, "Write the root image", Part.SLOT_A, image.root.size if image else None),
        on(ActionKind.BOOT_FILES, "Copy Xen, kernel and initrd", Part.ESP),
        on(ActionKind.BOOT_MENU, "Write the boot menu", Part.ESP),
        on(ActionKind.STATE, "Write the host's settings", Part.STATE),
        *_hook_actions(request.spec),
    )


def _hook_actions(spec: HostSpec) -> tuple[Action, ...]:
    """What the answer has run in the new system: while it can still fail, and is not bootable yet."""
    return tuple(
        Action(ActionKind.HOOK, hook_title(number, hook), 0, 0, hook=number)
        for number, hook in enumerate(spec.hooks, 1)
        if hook.stage is Stage.POST
    )


def _loader_actions(disk: DiskFacts, layout: Layout, uefi: bool) -> tuple[Action, ...]:
    """What makes the disk bootable: last, when everything that is booted into is in place."""
    bios, esp = layout[Part.BIOS], layout[Part.ESP]
    core = Action(ActionKind.BIOS_LOADER, "Install GRUB for BIOS", bios.start, bios.size, Part.BIOS, disk.path)
    entry = Action(ActionKind.BOOT_ENTRY, "Add the EFI boot entry", 0, 0)
    # BIOS cannot start from 4Kn disks at all, and GRUB's tool refuses them.
    for_bios = layout.sector_size == 512
    return (
        Action(ActionKind.FINISH, "Data complete", MARKER_OFFSET, MARKER_SIZE, disk=disk.path),
        Action(ActionKind.EFI_LOADER, "Install GRUB for UEFI", esp.start, esp.size, Part.ESP, disk.path),
        *((core,) if for_bios else ()),
        *((entry,) if uefi else ()),
        Action(ActionKind.COMMIT, "Finish the journal", MARKER_OFFSET, MARKER_SIZE, disk=disk.path),
    )

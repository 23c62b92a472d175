"""From facts and an answer to a plan, or to all the reasons why there is none. Pure: reads and changes nothing."""

from __future__ import annotations

from dataclasses import dataclass

from installer.disks import Choice, choose_disks, resumable_phase
from installer.image import InstallImage
from installer.nics import choose_nic
from installer.plan import Action, ActionKind, AlreadyApplied, InstallPlan, Outcome, Problem, Refused
from zeroth.deploy.bootmenu import boot_entry, render_boot_menu, render_entries
from zeroth.deploy.layout import InstallId, Layout, Part, make_layout
from zeroth.deploy.marker import MARKER_OFFSET, MARKER_SIZE
from zeroth.errors import UserError
from zeroth.spec.gaps import gaps
from zeroth.spec.model import HostSpec
from zeroth.system.facts import DiskFacts, Facts, NicFacts
from zeroth.system.size import MIB, Size

__all__ = ["PlanRequest", "plan_installation"]

# What Xen takes for itself and its tables beside domain 0, on a machine of a few GiB; measured with Xen 4.20.
_XEN_OVERHEAD = 192 * MIB
_MEMORY_HINT = "Give domain 0 less memory in the answer, or the machine more."
_WIPE_HINT = (
    "Check that this is the right disk. If everything on it may be lost, say so in the answer "
    "(kickstart: `zerombr` and `clearpart --all`; otherwise `disk.wipe: true`, or `disk.wipe_disks` with this disk)."
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
    if not spec.reinstall:
        done = _already_applied(facts, request.digest)
        if done:
            return done
    choice = choose_disks(spec.disk, facts.disks)
    nics = choose_nic(spec.management.nic, facts.nics)
    problems = []
    if nics.problem:
        problems.append(Problem(nics.problem, "Name one in the answer, by its MAC address."))
    problems += _memory_problems(facts, spec)
    found = gaps(spec)
    problems += [Problem(str(gap), "Leave it out of the answer.") for gap in found if gap.refused]
    problems = [*(Problem(text, _CHOICE_HINT) for text in choice.problems), *problems]
    if not choice.legs:
        return Refused(tuple(problems), choice.verdicts)
    disk = choice.legs[0]
    problems = [*_disk_problems(disk, facts, request, choice.consent), *problems]
    problems += _image_problems(disk, request.image)
    if problems or nics.nic is None:
        return Refused(tuple(problems), choice.verdicts)
    gapped = (str(gap) for gap in found if not gap.refused)
    reservations = (nics.reservation, *choice.notes, *_reservations(facts), *gapped)
    return _install(facts, request, choice, disk, nics.nic, tuple(text for text in reservations if text))


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


def _disk_problems(disk: DiskFacts, facts: Facts, request: PlanRequest, consent: frozenset[str]) -> list[Problem]:
    problems = []
    if disk.read_only:
        problems.append(Problem(f"{disk.path} is read-only", "Is it write-protected? Choose another disk."))
    if disk.unreadable:
        problems.append(Problem(f"{disk.path} cannot be read: {disk.unreadable}", "Choose another disk."))
    if disk.in_use:
        hint = "Free it (unmount, stop the array or volume group), or choose another disk."
        problems.append(Problem(f"{disk.path} is in use: {'; '.join(disk.in_use)}", hint))
    if disk.logical_sector == 4096 and facts.firmware.kind == "bios":
        problems.append(
            Problem(
                f"{disk.path} has 4096 byte sectors (4Kn), and BIOS cannot boot from such a disk",
                "Switch the firmware to UEFI, or choose a disk with 512 byte sectors (512n or 512e).",
            )
        )
    try:
        make_layout(disk.size, disk.logical_sector)
    except UserError as error:
        problems.append(Problem(f"{disk.path}: {error.message}", error.hint))
    allowed = request.spec.disk.wipe or disk.path in consent or resumable_phase(disk, request.digest)
    if disk.contents and not disk.unreadable and not allowed:
        carries = "; ".join(disk.contents)
        problems.append(
            Problem(f"{disk.path} is not empty, and the answer does not allow to erase it: {carries}", _WIPE_HINT)
        )
    return problems


def _memory_problems(facts: Facts, spec: HostSpec) -> list[Problem]:
    need = spec.dom0.memory + _XEN_OVERHEAD
    if not facts.memory or facts.memory >= need:
        return []
    has = Size(facts.memory).approx()
    return [Problem(f"domain 0 with {spec.dom0.memory} does not fit into this machine's memory ({has})", _MEMORY_HINT)]


def _image_problems(disk: DiskFacts, image: InstallImage | None) -> list[Problem]:
    if image is None:
        return []
    try:
        layout = make_layout(disk.size, disk.logical_sector)
    except UserError:
        return []
    problems = []
    slot, esp = layout[Part.SLOT_A].size, layout[Part.ESP].size
    if image.root.size > slot:
        size = Size(image.root.size).approx()
        problems.append(
            Problem(f"the root image ({size}) does not fit into a slot ({Size(slot)})", "Use a larger disk.")
        )
    # Both slots' files, and some room for the file system itself.
    if 2 * image.boot_size > esp - 16 * MIB:
        problems.append(Problem("the boot files of two slots do not fit into the ESP", "Build a smaller image."))
    return problems


def _reservations(facts: Facts) -> tuple[str, ...]:
    found = []
    if not facts.cpu.virtualization:
        found.append(
            "the processor offers no hardware virtualization (or the firmware hides it): only PV guests will run"
        )
    if facts.firmware.secure_boot:
        found.append("Secure Boot is on: the installed host starts only with Secure Boot turned off")
    return tuple(found)


def _install(
    facts: Facts,
    request: PlanRequest,
    choice: Choice,
    disk: DiskFacts,
    nic: NicFacts,
    reservations: tuple[str, ...],
) -> InstallPlan:
    phase = resumable_phase(disk, request.digest)
    marker = disk.zeroth.marker if disk.zeroth else None
    identity = InstallId(marker.install) if phase and marker else request.identity
    layout = make_layout(disk.size, disk.logical_sector)
    uefi = facts.firmware.kind == "uefi"
    version = request.image.version if request.image else ""
    tree = request.image.tree if request.image else None
    entry = boot_entry("a", version, identity, request.spec.dom0, tree)
    actions = (
        *(() if phase == "finishing" else _data_actions(disk, layout, request.image)),
        *_loader_actions(layout, uefi),
    )
    return InstallPlan(
        disk=disk,
        layout=layout,
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
        resumes=phase,
        destroys=() if phase else disk.contents,
        reservations=reservations,
    )


def _data_actions(disk: DiskFacts, layout: Layout, image: InstallImage | None) -> tuple[Action, ...]:
    def on(kind: ActionKind, title: str, part: Part, size: int | None = None) -> Action:
        place = layout[part]
        return Action(kind, title, place.start, place.size if size is None else size, part)

    wipe = Action(ActionKind.WIPE, "Wipe old signatures", 0, disk.size)
    return (
        Action(ActionKind.BEGIN, "Begin the journal", MARKER_OFFSET, MARKER_SIZE),
        *((wipe,) if disk.contents else ()),
        Action(ActionKind.TABLE, "Write the partition table (GPT)", 0, disk.size),
        on(ActionKind.MAKE_FAT, "Make the EFI system partition", Part.ESP),
        on(ActionKind.MAKE_EXT4, "Make the state file system", Part.STATE),
        on(ActionKind.MAKE_EXT4, "Make the log file system", Part.LOG),
        on(ActionKind.ROOT_IMAGE, "Write the root image", Part.SLOT_A, image.root.size if image else None),
        on(ActionKind.BOOT_FILES, "Copy Xen, kernel and initrd", Part.ESP),
        on(ActionKind.BOOT_MENU, "Write the boot menu", Part.ESP),
        on(ActionKind.STATE, "Write the host's settings", Part.STATE),
    )


def _loader_actions(layout: Layout, uefi: bool) -> tuple[Action, ...]:
    """What makes the disk bootable: last, when everything that is booted into is in place."""
    bios, esp = layout[Part.BIOS], layout[Part.ESP]
    core = Action(ActionKind.BIOS_LOADER, "Install GRUB for BIOS", bios.start, bios.size, Part.BIOS)
    entry = Action(ActionKind.BOOT_ENTRY, "Add the EFI boot entry", 0, 0)
    # BIOS cannot start from 4Kn disks at all, and GRUB's tool refuses them.
    for_bios = layout.sector_size == 512
    return (
        Action(ActionKind.FINISH, "Data complete", MARKER_OFFSET, MARKER_SIZE),
        Action(ActionKind.EFI_LOADER, "Install GRUB for UEFI", esp.start, esp.size, Part.ESP),
        *((core,) if for_bios else ()),
        *((entry,) if uefi else ()),
        Action(ActionKind.COMMIT, "Finish the journal", MARKER_OFFSET, MARKER_SIZE),
    )

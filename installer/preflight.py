"""Whether a machine serves for the installation that is asked for: a list of checks, each passed, warned of or failed.

Pure. A failed check refuses the installation; a warning goes with the plan and is told again at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from installer.image import InstallImage
from zeroth.deploy.layout import (
    ARRAY_HEAD,
    MINIMUM_SR_DISK,
    SR_DISK_START,
    Layout,
    Part,
    make_layout,
    mirror_size,
)
from zeroth.deploy.signedboot import MOST_DOM0_MEMORY
from zeroth.errors import UserError
from zeroth.spec.model import Dom0Spec, HostSpec, ManagementNetwork
from zeroth.system.facts import DiskFacts, Facts, NicFacts
from zeroth.system.multipath import is_wwid
from zeroth.system.size import GIB, MIB, Size

__all__ = [
    "Check", "Result", "check_disk", "check_image", "check_machine", "check_mirror", "check_nics", "check_paths",
    "check_storage", "check_trial", "failures", "warnings",
]  # fmt: skip

# What Xen takes for itself and its tables beside domain 0, on a machine of a few GiB; measured with Xen 4.20.
_XEN_OVERHEAD = 192 * MIB
# What is left for guests below this is not worth the machine.
_FOR_GUESTS = 512 * MIB
# A clock outside of this was lost (a dead battery) or never set. Its own certificate would be of no use to the host.
_EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)
_LATEST = datetime(2056, 1, 1, tzinfo=UTC)
_WIPE_HINT = (
    "Check that this is the right disk. If everything on it may be lost, say so in the answer "
    "(kickstart: `zerombr` and `clearpart --all`; otherwise `disk.wipe: true`, or `disk.wipe_disks` with this disk)."
)
_FREE_HINT = "Free it (unmount, stop the array or volume group), or choose another disk."


class Result(StrEnum):
    """How a check ended."""

    PASS = "pass"  # noqa: S105 - no password
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    :ivar name: what, in a word or two: ``memory``.
    :ivar message: what was found, for people; of a failed check the reason.
    :ivar hint: what to do; empty for a passed check.
    """

    name: str
    result: Result
    message: str
    hint: str = ""

    def as_json(self) -> Mapping[str, object]:
        """For ``--json``."""
        return {"check": self.name, "result": self.result.value, "message": self.message, "hint": self.hint or None}


def check_machine(facts: Facts, spec: HostSpec, image: InstallImage | None = None) -> tuple[Check, ...]:
    """What has nothing to do with the choice of disks and cards.

    :param image: None when planning away from the medium.
    """
    signed = image is not None and image.signed is not None
    return (
        _memory(facts, spec),
        _virtualization(facts),
        _firmware(facts, signed=signed),
        *(_signed_settings(spec) if signed and facts.firmware.secure_boot else ()),
        _clock(facts),
    )


_NONE_FOUND = "See `zeroth probe`; is it switched off in the firmware, or does Linux have no driver for it?"


def check_nics(nics: Sequence[NicFacts], problem: str, *, any_there: bool = True) -> tuple[Check, ...]:
    """The cards of the management network.

    :param problem: why there are none.
    :param any_there: whether the machine has cards at all.
    """
    if not nics:
        hint = "Name them in the answer, by their MAC addresses." if any_there else _NONE_FOUND
        return (Check("network card", Result.FAIL, problem, hint),)
    return tuple(map(_card, nics))


def _card(nic: NicFacts) -> Check:
    if nic.carrier:
        speed = f", {nic.speed} Mb/s" if nic.speed else ""
        return Check("network card", Result.PASS, f"{nic.name} ({nic.mac}) has a link{speed}")
    return Check("network card", Result.WARN, f"{nic.name} ({nic.mac}) has no link: is the cable in?", "Plug it in.")


def check_trial(management: ManagementNetwork) -> tuple[Check, ...]:
    """Whether the network is going to be tried; nothing where it is."""
    if management.try_first:
        return ()
    message = "the management network is not tried before the disk is written to, as the answer says"
    return (Check("management network", Result.WARN, message, "Leave out `network --no-try` (management.try_first)."),)


def check_disk(disk: DiskFacts, facts: Facts, *, allowed: bool, boots: bool = True) -> tuple[Check, ...]:
    """A disk that is to be written to.

    :param allowed: what is on it may be erased.
    :param boots: it is started from, and gets zeroth's partitions.
    """
    found = [*_state_of(disk, allowed=allowed), *(_bootable(disk, facts) if boots else ())]
    if all(check.result is Result.PASS for check in found):
        return (Check(f"disk {disk.path}", Result.PASS, f"{Size(disk.size).approx()}, {_empty(disk, allowed)}"),)
    return tuple(check for check in found if check.result is not Result.PASS)


def check_mirror(legs: Sequence[DiskFacts]) -> tuple[Check, ...]:
    """Whether disks go together; each by itself was looked at before."""
    if len(legs) < 2:
        return ()
    first, second = legs
    if first.logical_sector != second.logical_sector:
        message = (
            f"{first.path} has {first.logical_sector} byte sectors and {second.path} {second.logical_sector} byte "
            "sectors: a mirror needs two disks with the same"
        )
        return (Check("mirror", Result.FAIL, message, "Choose two disks of the same kind (512 or 4Kn)."),)
    size = mirror_size(first.size, second.size)
    larger = max(legs, key=lambda disk: disk.size)
    if larger.size - size >= 2 * GIB:
        left = Size(larger.size - size).approx()
        message = f"the smaller disk counts: of {larger.path} {left} stay unused"
        return (Check("mirror", Result.WARN, message, "Choose two disks of the same size."),)
    return (Check("mirror", Result.PASS, f"{first.path} and {second.path}, {Size(size).approx()} each"),)


def check_storage(
    legs: Sequence[DiskFacts], disks: Sequence[DiskFacts], kept: str = "", *, mirror: bool = False
) -> tuple[Check, ...]:
    """The local storage repository: whether its further disks go together with the first; each was looked at before.

    :param kept: what stays of an earlier one, in words; empty for a new one.
    """
    found = [Check("local storage", Result.PASS, f"stays as it is: {kept}")] if kept else []
    for disk in disks:
        if disk.size < MINIMUM_SR_DISK + SR_DISK_START + MIB:
            message = f"{disk.path} is too small for guests' disks ({Size(disk.size).approx()})"
            found.append(Check("local storage", Result.FAIL, message, "Leave it out of disk.sr_disks."))
        if legs and disk.logical_sector != legs[0].logical_sector:
            message = (
                f"{disk.path} has {disk.logical_sector} byte sectors and {legs[0].path} {legs[0].logical_sector} byte "
                "sectors: a volume group needs disks with the same"
            )
            hint = "Leave it out of disk.sr_disks, and make a storage repository of its own of it."
            found.append(Check("local storage", Result.FAIL, message, hint))
        if disk.paths:
            # The boot entry names the host's own disk alone, and what is not named is not joined.
            message = f"{disk.path} is seen over several paths, and takes no part in the local storage"
            hint = "Leave it out of disk.sr_disks, and make a storage repository of its own of it."
            found.append(Check("local storage", Result.FAIL, message, hint))
        if mirror:
            message = f"{disk.path} is not mirrored: guests' disks on it are lost with it"
            found.append(Check("local storage", Result.WARN, message, "Leave it out of disk.sr_disks."))
    return tuple(found)


def check_paths(legs: Sequence[DiskFacts], facts: Facts, image: InstallImage | None) -> tuple[Check, ...]:
    """Whether a host can be started from disks that are seen over several paths; nothing where there are none.

    :param image: None when planning away from the medium.
    """
    joined = [disk for disk in legs if disk.paths]
    if not joined:
        return ()
    names = " and ".join(disk.path for disk in joined)
    if len(legs) > 1:
        message = f"{names} {'are' if len(joined) > 1 else 'is'} seen over several paths, and cannot be mirrored"
        hint = "Install on one such disk: its storage mirrors it already; or on two that are built in."
        return (Check("paths", Result.FAIL, message, hint),)
    if not is_wwid(joined[0].wwid):
        message = f"the WWID of {names} is not one that a host could be started by"
        return (Check("paths", Result.FAIL, message, "Choose a disk whose identity is an NAA or EUI-64."),)
    if image is not None and image.signed is not None and facts.firmware.kind == "uefi":
        message = f"{names} is seen over several paths, and a signed program cannot be told so"
        return (Check("paths", Result.FAIL, message, "Use a medium that was built without --secure-boot."),)
    listed = ", ".join(joined[0].paths)
    if len(joined[0].paths) == 1:
        message = f"only one path to {names} is there: {listed}"
        return (Check("paths", Result.WARN, message, "Are all cables in?"),)
    return (Check("paths", Result.PASS, f"{names} over {len(joined[0].paths)}: {listed}"),)


def check_image(layout: Layout | None, image: InstallImage | None, *, mirror: bool = False) -> tuple[Check, ...]:
    """Whether the image fits into the partitions it goes to.

    :param layout: of the smallest disk; None for one too small.
    :param image: None when planning away from the medium.
    :param mirror: the partitions are mirrored, which takes a little of each.
    """
    if image is None or layout is None:
        return ()
    slot, esp = layout[Part.SLOT_A].size - (ARRAY_HEAD if mirror else 0), layout[Part.ESP].size
    found = []
    size = Size(image.root.size).approx()
    if image.root.size > slot:
        message = f"the root image ({size}) does not fit into a slot ({Size(slot)})"
        found.append(Check("image", Result.FAIL, message, "Use a larger disk."))
    # Both slots' files, and some room for the file system itself.
    if 2 * image.boot_size > esp - 16 * MIB:
        message = "the boot files of two slots do not fit into the ESP"
        found.append(Check("image", Result.FAIL, message, "Build a smaller image."))
    return tuple(found) or (Check("image", Result.PASS, f"zeroth {image.version}, {size}, fits"),)


def _memory(facts: Facts, spec: HostSpec) -> Check:
    has = Size(facts.memory).approx()
    if not facts.memory:
        return Check("memory", Result.WARN, "how much there is is not known", "Record the machine again.")
    left = facts.memory - spec.dom0.memory - _XEN_OVERHEAD
    if left < 0:
        return Check(
            "memory",
            Result.FAIL,
            f"domain 0 with {spec.dom0.memory} does not fit into this machine's memory ({has})",
            "Give domain 0 less memory in the answer, or the machine more.",
        )
    if left < _FOR_GUESTS:
        message = f"{has}, of which domain 0 takes {spec.dom0.memory}: next to nothing is left for guests"
        return Check("memory", Result.WARN, message, "Give the machine more memory.")
    return Check("memory", Result.PASS, f"{has}, {Size(left).approx()} of it for guests")


def _virtualization(facts: Facts) -> Check:
    cpu = facts.cpu
    if cpu.virtualization:
        return Check("processor", Result.PASS, f"{cpu.count} x {cpu.model or 'unknown'}, {cpu.virtualization}")
    message = "the processor offers no hardware virtualization (or the firmware hides it): only PV guests will run"
    return Check("processor", Result.WARN, message, "Turn VT-x or AMD-V (SVM) on in the firmware's settings.")


def _firmware(facts: Facts, *, signed: bool) -> Check:
    kind = facts.firmware.kind.upper()
    if facts.firmware.secure_boot and not signed:
        message = "Secure Boot is on: the installed host starts only with Secure Boot turned off"
        hint = "Turn Secure Boot off in the firmware's settings, or build the medium with --secure-boot."
        return Check("firmware", Result.WARN, message, hint)
    state = {True: ", Secure Boot on", False: ", Secure Boot off", None: ""}[facts.firmware.secure_boot]
    return Check("firmware", Result.PASS, kind + state)


def _signed_settings(spec: HostSpec) -> Iterator[Check]:
    """What of an answer a signed program, which is the same on every host, does not take from it."""
    dom0, plain = spec.dom0, Dom0Spec()
    left = [
        name
        for name, differs in (
            ("xen_append", bool(dom0.xen_append)),
            ("linux_append", bool(dom0.linux_append)),
            ("serial", dom0.serial != plain.serial),
            (f"memory above {MOST_DOM0_MEMORY}", dom0.memory > MOST_DOM0_MEMORY),
        )
        if differs
    ]
    if left:
        message = f"under Secure Boot dom0.{', dom0.'.join(left)} of the answer have no effect: arguments are signed"
        yield Check("boot arguments", Result.WARN, message, "Build them into the image: boot in zeroth-image.yaml.")


def _clock(facts: Facts) -> Check:
    hint = "Set it in the firmware's settings; is the battery dead?"
    try:
        time = datetime.fromisoformat(facts.clock)
    except ValueError:
        return Check("clock", Result.WARN, "the time is not known", hint)
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    if _EARLIEST <= time < _LATEST:
        return Check("clock", Result.PASS, f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC")
    message = f"the clock says {time:%Y-%m-%d}: certificates will not be valid until it is set right"
    return Check("clock", Result.WARN, message, hint)


def _state_of(disk: DiskFacts, *, allowed: bool) -> Iterator[Check]:
    name = f"disk {disk.path}"

    def failed(what: str, hint: str) -> Check:
        return Check(name, Result.FAIL, f"{disk.path} {what}", hint)

    if disk.read_only:
        yield failed("is read-only", "Is it write-protected? Choose another disk.")
    if disk.unreadable:
        yield failed(f"cannot be read: {disk.unreadable}", "Choose another disk.")
    if disk.in_use:
        yield failed(f"is in use: {'; '.join(disk.in_use)}", _FREE_HINT)
    if disk.contents and not disk.unreadable and not allowed:
        carries = "; ".join(disk.contents)
        yield failed(f"is not empty, and the answer does not allow to erase it: {carries}", _WIPE_HINT)
    if disk.transport == "usb":
        message = f"{disk.path} is attached by USB: slow, soon worn out, and lost with a loose plug"
        yield Check(name, Result.WARN, message, "Choose a disk that is built in.")


def _bootable(disk: DiskFacts, facts: Facts) -> Iterator[Check]:
    name = f"disk {disk.path}"
    if disk.logical_sector == 4096 and facts.firmware.kind == "bios":
        message = f"{disk.path} has 4096 byte sectors (4Kn), and BIOS cannot boot from such a disk"
        hint = "Switch the firmware to UEFI, or choose a disk with 512 byte sectors (512n or 512e)."
        yield Check(name, Result.FAIL, message, hint)
    try:
        make_layout(disk.size, disk.logical_sector)
    except UserError as error:
        yield Check(name, Result.FAIL, f"{disk.path}: {error.message}", error.hint)


def _empty(disk: DiskFacts, allowed: bool) -> str:
    return "may be erased" if disk.contents and allowed else "empty"


def failures(checks: Sequence[Check]) -> tuple[Check, ...]:
    """Those that refuse the installation."""
    return tuple(check for check in checks if check.result is Result.FAIL)


def warnings(checks: Sequence[Check]) -> tuple[str, ...]:
    """What the user should know although nothing is refused."""
    return tuple(check.message for check in checks if check.result is Result.WARN)

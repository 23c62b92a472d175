"""An installation as data: what will be done, where, in which order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from installer.disks import Verdict
from installer.image import InstallImage
from installer.keeping import KeptSr
from installer.preflight import Check
from zeroth.deploy.arrays import array_device
from zeroth.deploy.layout import InstallId, Layout, Part, SrDisk
from zeroth.spec.fetch.found import without_password
from zeroth.spec.model import Hook
from zeroth.system.facts import DiskFacts, NicFacts
from zeroth.system.size import Size

__all__ = ["Action", "ActionKind", "AlreadyApplied", "InstallPlan", "Leg", "Outcome", "Problem", "Refused", "SrLeg"]


class ActionKind(StrEnum):
    """What an action does; :mod:`installer.apply` has one function for each, but for those that only a repair has."""

    BEGIN = "begin journal"
    WIPE = "wipe signatures"
    TABLE = "write partition table"
    SR_DISK = "write partition table of a storage disk"
    SR_DONE = "finish journal of a storage disk"
    ARRAYS = "make mirrors"
    MAKE_FAT = "make FAT file system"
    MAKE_EXT4 = "make ext4 file system"
    ROOT_IMAGE = "write root image"
    BOOT_FILES = "copy boot files"
    BOOT_MENU = "write boot menu"
    STATE = "write host state"
    FINISH = "mark as finishing"
    BIOS_LOADER = "install BIOS boot loader"
    EFI_LOADER = "install EFI boot loader"
    BOOT_ENTRY = "add EFI boot entry"
    HOOK = "run hook"
    COMMIT = "finish journal"
    BOOT_STATE = "write boot state"
    BOOT_COPY = "copy the other disk's boot files"


@dataclass(frozen=True)
class Action:
    """One step that changes the machine.

    :ivar title: the step's name for people.
    :ivar start: first byte on the disk that it may write; ``size`` bytes from there. Both 0 when it writes elsewhere.
    :ivar disk: the path of that disk; empty when it writes elsewhere.
    :ivar mirror: the path of a second disk, on which it writes the same bytes; else empty.
    :ivar hook: the number of the answer's hook that it runs, from 1; else 0.
    """

    kind: ActionKind
    title: str
    start: int
    size: int
    part: Part | None = None
    disk: str = ""
    hook: int = 0
    mirror: str = ""

    def as_json(self) -> dict[str, object]:
        """For ``--json``."""
        return {
            "action": self.kind.value,
            "title": self.title,
            "disk": self.disk or None,
            "mirror": self.mirror or None,
            "partition": int(self.part) if self.part else None,
            "start": self.start,
            "size": self.size,
        }


@dataclass(frozen=True)
class Leg:
    """One disk that is installed on and started from.

    :ivar number: 1, and 2 for the second disk of a mirror.
    """

    disk: DiskFacts
    layout: Layout
    number: int = 1


@dataclass(frozen=True)
class SrLeg:
    """A further disk of the local storage repository.

    :ivar number: from 1.
    """

    disk: DiskFacts
    number: int

    @property
    def place(self) -> SrDisk:
        """Where its partition lies."""
        return SrDisk(self.disk.size, self.disk.logical_sector)


@dataclass(frozen=True)
class InstallPlan:
    """Everything that is needed to install, decided.

    :ivar legs: the disk that is installed on; of a mirror both, or the one that is there.
    :ivar digest: of the answer.
    :ivar nics: the cards of the management network: one, or those of its bond.
    :ivar bond: the bond's name; empty without one.
    :ivar resumes: ``installing`` or ``finishing`` when an interrupted installation goes on; else empty.
    :ivar destroys: what is lost, one phrase each.
    :ivar checks: the preflight report; nothing in it failed.
    :ivar reservations: what the user should know.
    :ivar boot_menu: the text of GRUB's menu.
    :ivar boot_entries: the texts of the slot's own entries, by file name, in the order to write them.
    :ivar image: None when planned away from the medium.
    :ivar hooks: the programs that the answer has the installer run, of all stages.
    :ivar sr_disks: further disks of the local storage repository.
    :ivar kept: the local storage repository that stays as it is.
    :ivar local_sr: there shall be a local storage repository that first boot makes, or takes over.
    :ivar try_network: the management network is tried before the first action; planning tries nothing.
    """

    legs: tuple[Leg, ...]
    identity: InstallId
    digest: str
    uefi: bool
    machine: str
    nics: tuple[NicFacts, ...]
    image: InstallImage | None
    boot_menu: str
    boot_entries: Mapping[str, str]
    actions: tuple[Action, ...]
    verdicts: tuple[Verdict, ...]
    checks: tuple[Check, ...] = ()
    resumes: str = ""
    destroys: tuple[str, ...] = ()
    reservations: tuple[str, ...] = ()
    hooks: tuple[Hook, ...] = ()
    try_network: bool = True
    bond: str = ""
    sr_disks: tuple[SrLeg, ...] = ()
    kept: KeptSr | None = None
    local_sr: bool = True

    @property
    def disk(self) -> DiskFacts:
        """The first disk."""
        return self.legs[0].disk

    @property
    def layout(self) -> Layout:
        """The partitions of the first disk."""
        return self.legs[0].layout

    @property
    def disks(self) -> tuple[DiskFacts, ...]:
        """Every disk that is installed on."""
        return tuple(leg.disk for leg in self.legs)

    @property
    def sr_devices(self) -> tuple[str, ...]:
        """What the local storage repository lies on, as the host finds it again: ``PARTUUID=...`` or a path."""
        if self.kept:
            return (f"PARTUUID={self.kept.uuid}", *self.kept.others)
        own = f"PARTUUID={self.identity.partition_uuid(Part.SR)}"
        first = str(array_device(Part.SR)) if self.identity.mirror else own
        return (first, *(f"PARTUUID={self.identity.sr_partition_uuid(leg.number)}" for leg in self.sr_disks))

    def as_json(self) -> Mapping[str, object]:
        """For ``--json``; holds no secret."""
        return {
            "outcome": "install",
            "disk": self.disk.path,
            "paths": list(self.disk.paths),
            "mirror": self._mirror_json(),
            "disk_size": self.disk.size,
            "serial": self.disk.serial,
            "install": str(self.identity.value),
            "answer_digest": self.digest,
            "image_version": self.image.version if self.image else None,
            "management_nic": _nic_json(self.nics[0]),
            "management_bond": {"name": self.bond, "nics": [_nic_json(nic) for nic in self.nics]}
            if self.bond
            else None,
            "network_trial": "not tried yet" if self.try_network else "left out",
            "resumes": self.resumes or None,
            "destroys": list(self.destroys),
            "keeps_sr": self.kept.as_json() if self.kept else None,
            "sr_disks": [
                {
                    "disk": leg.disk.path,
                    "disk_size": leg.disk.size,
                    "serial": leg.disk.serial,
                    "start": leg.place.start,
                    "size": leg.place.size,
                    "uuid": self.identity.sr_partition_uuid(leg.number),
                }
                for leg in self.sr_disks
            ],
            "reservations": list(self.reservations),
            "partitions": [
                {
                    "number": int(p.part),
                    "label": p.part.label,
                    "start": p.start,
                    "size": p.size,
                    "uuid": self.identity.uuid_of(p),
                    "kept": bool(p.uuid),
                }
                for p in self.layout.partitions
            ],
            "hooks": [_hook_json(number, hook) for number, hook in enumerate(self.hooks, 1)],
            "actions": [action.as_json() for action in self.actions],
            "disks": [_verdict_json(verdict) for verdict in self.verdicts],
            "preflight": [check.as_json() for check in self.checks],
        }

    def _mirror_json(self) -> Mapping[str, object] | None:
        """The second disk; None where there shall be none."""
        if not self.identity.mirror:
            return None
        if len(self.legs) == 1:
            return {"disk": None}
        second = self.legs[1]
        return {
            "disk": second.disk.path,
            "disk_size": second.disk.size,
            "serial": second.disk.serial,
            "uuids": [self.identity.partition_uuid(p.part, second.number) for p in second.layout.partitions],
        }


@dataclass(frozen=True)
class Problem:
    """A reason not to install."""

    message: str
    hint: str = ""


@dataclass(frozen=True)
class Refused:
    """All reasons why nothing is done."""

    problems: tuple[Problem, ...]
    verdicts: tuple[Verdict, ...] = ()
    checks: tuple[Check, ...] = ()

    def as_json(self) -> Mapping[str, object]:
        """For ``--json``."""
        return {
            "outcome": "refused",
            "problems": [{"message": problem.message, "hint": problem.hint} for problem in self.problems],
            "disks": [_verdict_json(verdict) for verdict in self.verdicts],
            "preflight": [check.as_json() for check in self.checks],
        }


@dataclass(frozen=True)
class AlreadyApplied:
    """This machine has this answer's installation; there is nothing to do."""

    disk: DiskFacts
    time: str

    def as_json(self) -> Mapping[str, object]:
        """For ``--json``."""
        return {"outcome": "already applied", "disk": self.disk.path, "time": self.time}


Outcome = InstallPlan | Refused | AlreadyApplied


def _hook_json(number: int, hook: Hook) -> dict[str, object]:
    """Not its words: they may hold a secret."""
    return {
        "number": number,
        "stage": hook.stage.value,
        "url": without_password(hook.url) if hook.url else None,
        "sha256": hook.digest,
        "interpreter": hook.interpreter,
        "timeout": hook.timeout,
        "ok": list(hook.ok),
        "fatal": hook.fatal,
        "nochroot": hook.nochroot,
    }


def _nic_json(nic: NicFacts) -> dict[str, object]:
    neighbour = nic.neighbour.model_dump() if nic.neighbour else None
    return {"name": nic.name, "mac": nic.mac, "neighbour": neighbour}


def _verdict_json(verdict: Verdict) -> dict[str, object]:
    disk = verdict.disk
    return {
        "path": disk.path,
        "paths": list(disk.paths),
        "size": disk.size,
        "readable_size": Size(disk.size).approx(),
        "model": disk.model,
        "serial": disk.serial,
        "contents": list(disk.contents),
        "taken": verdict.taken,
        "why": verdict.why,
    }

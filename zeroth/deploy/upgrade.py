"""An upgrade as data: what goes where, decided and refused before anything is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from zeroth.deploy.bootenv import BootState
from zeroth.deploy.layout import InstallId, Part
from zeroth.deploy.signedboot import PROGRAM
from zeroth.deploy.slotstate import Slot, other_slot
from zeroth.deploy.zup_header import Header, Kind
from zeroth.errors import ExitCode, UserError
from zeroth.spec.model import Dom0Spec
from zeroth.system.run import run
from zeroth.system.size import MIB, Size

__all__ = ["NEEDED", "RunningHost", "UpgradePlan", "is_older", "plan_upgrade"]

NEEDED = ("xen.gz", "vmlinuz", "initrd.img")
"""Boot files without which no entry starts."""
_OURS = frozenset({"entry.cfg", "repair.cfg", "sha256sums"})
_STATE_ROOM = 64 * MIB


@dataclass(frozen=True)
class RunningHost:
    """What an upgrade has to know of the host that it upgrades.

    :ivar slot: it runs from.
    :ivar trial: that slot has not proved itself.
    :ivar boot: what the boot menu is told.
    :ivar root_hash: of the running image.
    :ivar held: what the other slot holds now, for people; empty when nothing that starts.
    :ivar esp: device of the EFI system partition.
    :ivar other_esps: those of the other disks of a mirror, which are written too.
    :ivar target: device of the other slot.
    :ivar room: bytes that it holds.
    :ivar state_free: bytes that are free on the state partition.
    :ivar state_used: bytes of the running slot's state, which is copied.
    :ivar signed: it was started by a signed program, under Secure Boot.
    :ivar multipath: the WWID of its disk when that is seen over several paths; else empty.
    """

    slot: Slot
    trial: bool
    boot: BootState
    version: str
    architecture: str
    root_hash: str
    held: str
    identity: InstallId
    dom0: Dom0Spec
    esp: Path
    target: Path
    room: int
    state_free: int
    state_used: int
    signed: bool = False
    other_esps: tuple[Path, ...] = ()
    multipath: str = ""


@dataclass(frozen=True)
class UpgradePlan:
    """An upgrade, decided.

    :ivar slot: that is written.
    :ivar replaces: what is lost in it; empty when there is nothing.
    :ivar notes: what the user should know.
    """

    host: RunningHost
    header: Header
    slot: Slot
    replaces: str
    notes: tuple[str, ...]

    @property
    def part(self) -> Part:
        """The partition of the slot."""
        return Part.SLOT_A if self.slot == "a" else Part.SLOT_B

    def as_json(self) -> Mapping[str, object]:
        """For ``--json``. Sizes in bytes."""
        header = self.header
        return {
            "from": {"slot": self.host.slot, "version": self.host.version},
            "to": {"slot": self.slot, "version": header.version, "profile": header.profile},
            "device": str(self.host.target),
            "root": header.root.size,
            "boot": sum(payload.size for payload in header.payloads if payload.kind is Kind.BOOT),
            "root_hash": header.tree.root_hash,
            "replaces": self.replaces or None,
            "notes": list(self.notes),
        }


def plan_upgrade(host: RunningHost, header: Header, *, allow_downgrade: bool = False) -> UpgradePlan | None:
    """Decide; None when the host runs this very image already.

    :raises UserError: with all reasons why not.
    """
    if header.tree.root_hash == host.root_hash:
        return None
    older = is_older(header.version, host.version)
    problems = [
        *_where_it_runs(host),
        *_what_comes(host, header),
        *(["it would go back to an older version, whose programs may not read what the newer ones wrote"]
          if older and not allow_downgrade else []),
    ]  # fmt: skip
    if problems:
        hint = "To go back all the same: --allow-downgrade." if older and len(problems) == 1 else ""
        raise UserError(
            f"this host (zeroth {host.version}) is not upgraded to {header.version}: " + "; ".join(problems),
            hint or "Nothing was written.",
            code=ExitCode.INPUT if older else ExitCode.MACHINE,
        )
    notes = []
    if older:
        notes.append("this is an older version: where it cannot read the stores, the host goes back by itself")
    if header.version == host.version:
        notes.append("it has the same version as the running image, and other content")
    if host.boot.trial and host.boot.tries:
        notes.append(f"the upgrade that waits in slot {host.boot.trial} is given up")
    return UpgradePlan(host, header, other_slot(host.slot), host.held, tuple(notes))


def is_older(version: str, than: str) -> bool:
    """Whether a version comes before another, as dpkg sorts them: ``1.0~rc1`` before ``1.0``."""
    return run(["dpkg", "--compare-versions", version, "lt", than], ok=(0, 1)).status == 0


def _where_it_runs(host: RunningHost) -> Sequence[str]:
    if host.trial:
        return [f"it runs from slot {host.slot}, which has not proved itself yet"]
    if host.slot != host.boot.committed:
        return [
            f"it runs from slot {host.slot}, and slot {host.boot.committed} is the one that is started by default "
            "(to stay with the running one: zeroth slot back)"
        ]
    return []


def _what_comes(host: RunningHost, header: Header) -> Sequence[str]:
    problems = []
    if header.architecture != host.architecture:
        problems.append(f"the file is for {header.architecture}, and this is {host.architecture}")
    if header.root.size > host.room:
        problems.append(
            f"its image ({Size(header.root.size).approx()}) does not fit into {host.target} ({Size(host.room)})"
        )
    need = (
        host.state_used + max(payload.size for payload in header.payloads if payload.kind is Kind.BOOT) + _STATE_ROOM
    )
    if need > host.state_free:
        problems.append(
            f"the state partition has {Size(host.state_free).approx()} free, and {Size(need).approx()} are needed"
        )
    names = [payload.name.lower() for payload in header.payloads if payload.kind is Kind.BOOT]
    problems += [f"the file holds no {name}" for name in NEEDED if name not in names]
    if host.signed and PROGRAM not in names:
        problems.append(f"Secure Boot is on, and the file holds no {PROGRAM}: it was built without --secure-boot")
    problems += [f"the file holds {name}, which is the host's own" for name in names if name in _OURS]
    return problems

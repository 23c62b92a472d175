"""How an upgrade went, from what the state partition and the boot menu keep of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zeroth.deploy.bootenv import BootState
from zeroth.deploy.journal import read_journal
from zeroth.deploy.prepare import read_report
from zeroth.deploy.slotstate import SLOTS, Pending, Slot, SlotState

__all__ = ["UpgradeStatus", "upgrade_status"]


@dataclass(frozen=True)
class UpgradeStatus:
    """How it stands.

    :ivar running: the slot that runs.
    :ivar waiting: slot and upgrade that has not proved itself; None when there is none.
    :ivar proved: the upgrade in the running slot; None when the installer put there what runs.
    :ivar failure: why the waiting upgrade failed, as far as it could tell; else empty.
    :ivar etc: what became of each file of /etc that had been changed, at the upgrade to the running slot.
    """

    running: Slot
    boot: BootState
    waiting: tuple[Slot, Pending] | None
    proved: Pending | None
    failure: str
    etc: Sequence[Mapping[str, str]]

    @property
    def failed(self) -> bool:
        """An upgrade used up its tries, and this is the old slot again."""
        slot = self.waiting[0] if self.waiting else ""
        return bool(slot) and slot == self.boot.trial and slot != self.running and not self.boot.tries

    def lines(self) -> list[str]:
        """In words."""
        found = []
        if self.waiting:
            slot, note = self.waiting
            what = f"the upgrade to {note.version} in slot {slot}"
            if slot == self.running:
                found.append(f"{what} is being tried")
            elif self.failed:
                found.append(f"{what} failed: {self.failure or 'it did not start'}")
            elif slot == self.boot.trial:
                found.append(f"{what} is tried at the next start of this machine")
            else:
                found.append(f"{what} was taken back")
        if self.proved:
            found.append(f"upgraded from {self.proved.source_version} to {self.proved.version}, {self.proved.time}")
        found += [f"/etc/{one['path']}: {one['why'] or one['outcome']}" for one in self.conflicts]
        return found or ["no upgrade was applied"]

    @property
    def conflicts(self) -> list[Mapping[str, str]]:
        """What could not be merged."""
        return [one for one in self.etc if one.get("outcome") == "conflict"]

    def as_json(self) -> Mapping[str, object]:
        """For ``--json``."""
        waiting = {"slot": self.waiting[0], **self.waiting[1].model_dump()} if self.waiting else None
        return {
            "running": self.running,
            "waiting": waiting,
            "failed": self.failed,
            "failure": self.failure or None,
            "upgraded": self.proved.model_dump() if self.proved else None,
            "etc": list(self.etc),
        }


def upgrade_status(state: SlotState, running: Slot, boot: BootState) -> UpgradeStatus:
    """Read it.

    :raises UserError: when a note of ours is damaged.
    """
    pending = [(slot, note) for slot in SLOTS if (note := state.pending(slot))]
    waiting = pending[0] if pending else None
    return UpgradeStatus(
        running, boot, waiting, state.proved(running), _failure(state, waiting), read_report(state, running)
    )


def _failure(state: SlotState, waiting: tuple[Slot, Pending] | None) -> str:
    """The last failure since the upgrade was applied."""
    if waiting is None:
        return ""
    try:
        entries = read_journal(state.upgrades / "journal.jsonl")
    except OSError:
        return ""
    failure = ""
    for entry in entries:
        if entry.get("what") == "apply":
            failure = ""
        elif entry.get("status") == "failed":
            failure = str(entry.get("error", ""))
    return failure

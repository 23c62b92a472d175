"""What the state partition keeps for the slots: a folder of state for each, and the upgrade that is under way.

::

    a/ b/                   state of each slot: store/ (on the host /var/lib/zeroth), etc/upper (what differs in /etc)
    upgrade/b.json          slot b holds an upgrade that has not proved itself (:class:`Pending`)
    upgrade/b.proved.json   the same after it has
    upgrade/base/           /etc of the image that was running when the upgrade was applied
    upgrade/journal.jsonl   what was done, and why a trial failed
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zeroth.deploy.journal import Journal, read_journal
from zeroth.errors import ExitCode, UserError
from zeroth.system.files import atomic_write, fsync_directory

__all__ = ["SLOTS", "STATE", "Pending", "Slot", "SlotState", "other_slot", "remove_tree"]

STATE = Path("/run/zeroth/state")
Slot = Literal["a", "b"]
SLOTS: tuple[Slot, ...] = ("a", "b")
_LIMIT = 1 << 16


class Pending(BaseModel):
    """An upgrade, as it is noted before its slot can be started.

    :ivar version: in the slot.
    :ivar source: the slot whose state it goes on with.
    :ivar source_version: of that slot.
    :ivar time: when it was applied, ISO 8601, UTC.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Annotated[str, Field(max_length=64)]
    source: Slot
    source_version: Annotated[str, Field(max_length=64)]
    root_hash: str
    time: str = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))


def other_slot(slot: str) -> Slot:
    """The slot that is not this one."""
    return "b" if slot == "a" else "a"


class SlotState:
    """The state partition, mounted at ``root``."""

    def __init__(self, root: Path = STATE) -> None:
        self.root = root

    @property
    def upgrades(self) -> Path:
        """The folder of what upgrades keep."""
        return self.root / "upgrade"

    @property
    def base(self) -> Path:
        """/etc of the image that an upgrade replaces, as the image has it."""
        return self.upgrades / "base"

    def folder(self, slot: Slot) -> Path:
        """The state of a slot."""
        return self.root / slot

    def pending_path(self, slot: Slot) -> Path:
        """The note of an upgrade that has not proved itself."""
        return self.upgrades / f"{slot}.json"

    def proved_path(self, slot: Slot) -> Path:
        """The note of an upgrade that has."""
        return self.upgrades / f"{slot}.proved.json"

    def pending(self, slot: Slot) -> Pending | None:
        """The upgrade in a slot that has not proved itself, if there is one.

        :raises UserError: when its note is damaged.
        """
        return _read(self.pending_path(slot))

    def proved(self, slot: Slot) -> Pending | None:
        """The upgrade in a slot that has proved itself; None for what the installer put there.

        :raises UserError: when its note is damaged.
        """
        return _read(self.proved_path(slot))

    def last_proved(self) -> Slot:
        """The slot that was made the one to start by default last, as far as it was noted: for a lost boot state.

        :raises UserError: when the note of an upgrade is damaged.
        """
        path = self.upgrades / "journal.jsonl"
        made = [entry.get("slot") for entry in (read_journal(path) if path.exists() else [])
                if (entry.get("what"), entry.get("status")) in (("trial", "done"), ("back", "done"))]  # fmt: skip
        slot: Slot = "b" if made[-1:] == ["b"] else "a"
        # What was written over since can't be it: it has not proved itself.
        return other_slot(slot) if self.pending(slot) else slot

    def note(self, slot: Slot, pending: Pending) -> None:
        """Note an upgrade, durably."""
        atomic_write(self.pending_path(slot), pending.model_dump_json(indent=1) + "\n")

    def prove(self, slot: Slot) -> None:
        """The upgrade in a slot has proved itself."""
        path = self.pending_path(slot)
        if path.exists():
            path.replace(self.proved_path(slot))
            fsync_directory(self.upgrades)

    def forget(self, slot: Slot) -> None:
        """Remove the state of a slot whose image goes away, and what was noted of it."""
        for path in (self.pending_path(slot), self.proved_path(slot)):
            path.unlink(missing_ok=True)
        remove_tree(self.folder(slot))

    def journal(self) -> Journal:
        """The journal, to add to."""
        journal = Journal()
        journal.keep_in(self.upgrades / "journal.jsonl")
        return journal


def remove_tree(path: Path) -> None:
    """Remove a folder and all in it, if it exists; under its name there is never half of it."""
    trash = path.with_name(f".{path.name}.gone")
    if trash.exists():
        shutil.rmtree(trash)
    if path.exists():
        path.replace(trash)
        fsync_directory(path.parent)
        shutil.rmtree(trash)


def _read(path: Path) -> Pending | None:
    try:
        with path.open("rb") as file:
            return Pending.model_validate_json(file.read(_LIMIT))
    except FileNotFoundError:
        return None
    except ValidationError:
        raise UserError(
            "the note of an upgrade is damaged", "Apply the upgrade again.", where=str(path), code=ExitCode.MACHINE
        ) from None

"""Going back by hand to the slot that was left: what that costs, and doing it."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime

from zeroth.deploy.bootenv import BootState, read_boot_state, write_boot_state
from zeroth.deploy.esp import Esp
from zeroth.deploy.etcmerge import MADE, read_entry
from zeroth.deploy.journal import read_journal
from zeroth.deploy.running import entry_title
from zeroth.deploy.slotfiles import read_slot_files
from zeroth.deploy.slotstate import Slot, SlotState, other_slot
from zeroth.errors import ExitCode, UserError
from zeroth.system.run import run

__all__ = ["WayBack", "check_way_back", "go_back", "lost_settings"]


@dataclass(frozen=True)
class WayBack:
    """What going back means.

    :ivar slot: that will be started by default.
    :ivar title: what is in it.
    :ivar lost: what the host loses, a phrase each.
    """

    slot: Slot
    title: str
    lost: tuple[str, ...]


def check_way_back(state: SlotState, esp: Esp) -> WayBack:
    """Whether there is a way back from the slot that is started by default, and what it costs. Changes nothing.

    :raises UserError: when the other slot holds nothing that has proved itself, or its boot files are damaged.
    """
    committed = read_boot_state(esp).committed
    left: Slot = "a" if committed == "a" else "b"
    slot = other_slot(left)
    title = entry_title(esp, slot)
    if not title or not (state.folder(slot) / "store").is_dir():
        raise UserError(f"slot {slot} holds nothing to go back to", code=ExitCode.MACHINE)
    if state.pending(slot):
        raise UserError(
            f"slot {slot} ({title}) never proved itself", "Apply the upgrade again to try it again.",
            code=ExitCode.MACHINE,
        )  # fmt: skip
    if damaged := read_slot_files(esp, slot).damaged:
        raise UserError(f"{', '.join(damaged)} of slot {slot} is damaged", "Install again.", code=ExitCode.MACHINE)
    stores = [str(state.folder(one) / "store" / "store.db") for one in (slot, left)]
    said = run([sys.executable, "-I", "-m", "zeroth", "host", "lost", *stores, "--json"]).stdout
    return WayBack(slot, title, (*json.loads(said), *lost_settings(state, slot, left)))


def go_back(state: SlotState, esp: Esp, way: WayBack) -> None:
    """Make the other slot the one that is started by default."""
    state.journal().add("back", "done", slot=way.slot)
    write_boot_state(esp, BootState(committed=way.slot))


def lost_settings(state: SlotState, slot: Slot, left: Slot) -> list[str]:
    """Files of /etc that were changed in the slot that is left after it had proved itself."""
    since = _proved_at(state, left)
    upper, other = state.folder(left) / "etc" / "upper", state.folder(slot) / "etc" / "upper"
    found = []
    for path in sorted(upper.rglob("*")):
        name = path.relative_to(upper)
        if path.is_dir() and not path.is_symlink():
            continue
        if str(name) not in MADE and path.lstat().st_mtime > since and read_entry(path) != read_entry(other / name):
            found.append(f"/etc/{name}: changed since")
    return found


def _proved_at(state: SlotState, slot: Slot) -> float:
    """Seconds since 1970; 0 for what the installer put there."""
    path = state.upgrades / "journal.jsonl"
    entries = read_journal(path) if path.exists() else []
    times = [entry["time"] for entry in entries
             if (entry.get("what"), entry.get("status"), entry.get("slot")) == ("trial", "done", slot)]  # fmt: skip
    return datetime.fromisoformat(str(times[-1])).astimezone(UTC).timestamp() if times else 0.0

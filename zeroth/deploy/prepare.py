"""Giving a slot on trial its own state: a copy of that of the slot it comes from, with /etc merged into it.

Runs at each try of a slot, from the initrd, with the programs of the new image, before anything uses the state. The
slot it comes from is only read, so it finds its state as it left it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from zeroth.deploy.etcmerge import Merged, Outcome, merge_etc
from zeroth.deploy.slotstate import Slot, SlotState, remove_tree
from zeroth.errors import ExitCode, UserError
from zeroth.system.files import atomic_write, fsync_directory
from zeroth.system.run import run

__all__ = ["REPORT", "prepare_slot", "read_report"]

REPORT = "etc-merge.json"
"""In a slot's state: what became of each changed file of /etc."""


def prepare_slot(state: SlotState, slot: Slot, image_etc: Path, say: Callable[[str], None]) -> tuple[Merged, ...]:
    """Make the state of a slot anew.

    :param image_etc: /etc of the slot's image, without an overlay.
    :raises UserError: when there is no upgrade in that slot, or the accounts of the two images do not go together.
    """
    journal = state.journal()
    try:
        pending = state.pending(slot)
        if pending is None:
            raise UserError(f"there is no upgrade in slot {slot}", "Apply it again.", code=ExitCode.MACHINE)
        source, fresh = state.folder(pending.source), state.root / f"{slot}.new"
        say(f"slot {slot} gets a copy of the state of slot {pending.source}")
        remove_tree(fresh)
        _copy(source, fresh)
        _forget_lower(fresh / "etc" / "upper")
        merged = merge_etc(state.base, image_etc, fresh / "etc" / "upper")
        atomic_write(fresh / REPORT, json.dumps([one.as_json() for one in merged], indent=1) + "\n")
        run(["sync", "--file-system", fresh])
        remove_tree(state.folder(slot))
        fresh.replace(state.folder(slot))
        fsync_directory(state.root)
    except Exception as error:
        journal.add("prepare", "failed", slot=slot, error=str(error))
        raise
    journal.add("prepare", "done", slot=slot, source=pending.source, version=pending.version)
    for one in merged:
        if one.outcome is Outcome.CONFLICT:
            say(f"/etc/{one.path}: {one.why}")
    return merged


def read_report(state: SlotState, slot: Slot) -> list[dict[str, str]]:
    """What became of each changed file of /etc when the slot was prepared last; empty when it never was."""
    try:
        report = json.loads((state.folder(slot) / REPORT).read_text())
    except (OSError, ValueError):
        return []
    return report if isinstance(report, list) else []


def _forget_lower(upper: Path) -> None:
    """Overlayfs notes which file of the lower side a changed one came from, by a number that means another one now."""
    for path in (upper, *upper.rglob("*")):
        # Most have none, and not every file system can have them.
        with suppress(OSError):
            os.removexattr(path, "trusted.overlay.origin", follow_symlinks=False)


def _copy(source: Path, target: Path) -> None:
    """Everything but the overlay's work folder, which is the kernel's."""
    target.mkdir(mode=0o755)
    for path in sorted(source.iterdir()):
        if path.name == "etc":
            (target / "etc").mkdir()
            run(["cp", "--archive", "--", path / "upper", target / "etc" / "upper"])
        elif path.name != REPORT:
            run(["cp", "--archive", "--", path, target / path.name])

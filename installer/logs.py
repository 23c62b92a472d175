"""The installer's log, kept on the host that it made."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from installer.apply import Places
from installer.plan import InstallPlan
from zeroth.deploy.arrays import opened_part
from zeroth.deploy.layout import Part
from zeroth.system.block import exclusive, mounted

__all__ = ["keep_log"]


def keep_log(log: Path, plan: InstallPlan, places: Places) -> None:
    """Copy the log onto the log partition of what was installed.

    :raises UserError, OSError: the installation did not get as far as to make one, or it cannot be written.
    """
    disks = [Path(disk.path) for disk in plan.disks]
    # Locked: udev re-reads the table of a disk that was written to, and the partitions are gone for a moment.
    with ExitStack() as held:
        for disk in disks:
            held.enter_context(exclusive(disk))
        part = opened_part(disks, plan.identity, Part.LOG, places.arrays)
        folder = held.enter_context(mounted(held.enter_context(part), places.mounts / "log"))
        target = folder / "zeroth" / "install.log"
        target.parent.mkdir(mode=0o750, exist_ok=True)
        with target.open("ab") as file:
            file.write(log.read_bytes())

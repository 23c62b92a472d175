"""What a disk that lost its power says, looked at from outside: whether everything after a cut can go on from it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from installer.plan import AlreadyApplied, InstallPlan, Outcome
from installer.planner import PlanRequest, plan_installation
from tests.lab.blklog import Flag, WriteLog, replay, walk
from tests.lab.host import LabError
from tests.lab.machine import Machine
from tests.lab.stage import expect
from tests.lab.trial import OLD_SLOT
from tests.unit.installer.loopdisk import LoopDisk, loop_disk
from tests.unit.installer.machines import recorded
from zeroth.deploy.bootenv import BootState, read_boot_state
from zeroth.deploy.esp import Esp
from zeroth.deploy.layout import InstallId, Part, make_layout
from zeroth.spec.model import HostSpec
from zeroth.system.block import partition_path
from zeroth.system.facts import DiskFacts
from zeroth.system.run import run

__all__ = ["check_installation", "check_untouched", "check_upgrade", "installed_digest"]

_MACHINE = "lab-bios-empty"
_JOURNAL = "/install/journal.jsonl"


def check_installation(log: WriteLog, path: Path, spec: HostSpec, digest: str) -> int:
    """Look at the disk as it was at every flush of an installation.

    At each the installer has a next step for which nobody must be asked: to begin (again), to go on with the boot
    loaders, or nothing, when the installation is complete. The journal can be read whenever there is one.

    :param path: an empty raw disk.
    :param spec: the answer, without consent to overwrite anything.
    :returns: how many flushes there were.
    """
    count, steps, made = 0, [], False
    for entry in walk(log, path):
        with _attached(path) as disk:
            found = disk.facts()
            steps.append(_next_step(found, spec, digest))
            where = f"flush {entry.number} of {log.count}"
            expect(steps[-1] != "", f"{where}: the installer would refuse the disk")
            if any(sign.type == "ext4" for part in found.partitions for sign in part.signatures):
                readable = _read_journal(partition_path(disk.node, Part.STATE), where)
                # A cut while mkfs is at work leaves half a file system, which is made again from its beginning.
                expect(readable or not made, f"{where}: the state partition cannot be read any more")
                made = readable
        count += 1
    order = [step for number, step in enumerate(steps) if number == 0 or steps[number - 1] != step]
    expect(order == ["begin", "begin again", "go on", "done"][-len(order) :], f"next steps in turn: {order}")
    expect(made, "the state partition has no file system that can be read")
    expect(order[-1] == "done", f"at the end the installer would {order[-1]}")
    return count


def installed_digest(log: WriteLog, path: Path) -> str:
    """The digest of the answer that the whole log installs.

    :param path: an empty raw disk; it is gone afterwards.
    """
    replay(log, path, log.count)
    with _attached(path) as disk:
        found = disk.facts()
    path.unlink()
    if not (found.zeroth and found.zeroth.applied):
        raise LabError("the disk does not say that an installation was finished")
    return found.zeroth.applied.digest


def check_untouched(log: WriteLog, size: int, parts: tuple[Part, ...], *, first: int = 0) -> None:
    """No write since ``first`` went to the disk's table or to one of these partitions."""
    layout = make_layout(size, 512)
    kept = [(0, layout[Part.BIOS].start, "the partition table"), *((layout[part].start, layout[part].end, part.label)
            for part in parts), (layout.partitions[-1].end, size, "the second partition table")]  # fmt: skip
    for entry in log.entries():
        if entry.number < first or not entry.length or Flag.MARK in entry.flags:
            continue
        hit = [name for start, end, name in kept if entry.offset < end and start < entry.offset + entry.length]
        expect(not hit, f"write {entry.number} of {entry.length} bytes at {entry.offset} went to {', '.join(hit)}")


def check_upgrade(log: WriteLog, path: Path, first: int) -> int:
    """Look at the ESP as it was at every flush of an upgrade: the slot that runs is whole and is the one that starts.

    :param path: the raw disk as it was before the log began.
    :param first: the number of writes when the upgrade began.
    :returns: how many flushes there were.
    """
    count, tried = 0, False
    with _attached(path) as disk:
        esp = Esp(partition_path(disk.node, Part.ESP))
        files = {name: esp.sha256(name) for name in OLD_SLOT}
    for entry in walk(log, path):
        if entry.number < first:
            continue
        where = f"flush {entry.number} of {log.count}"
        with _attached(path) as disk:
            esp = Esp(partition_path(disk.node, Part.ESP))
            state = read_boot_state(esp)
            expect(state in (BootState("a"), BootState("a", "b", 2)), f"{where}: the boot menu has {state}")
            expect(not tried or state.trial == "b", f"{where}: the order to try the new slot is gone")
            tried = state.trial == "b"
            for name, wanted in files.items():
                expect(esp.sha256(name) == wanted, f"{where}: {name} changed")
        count += 1
    expect(tried, "the new slot is not tried at the end")
    return count


@contextmanager
def _attached(path: Path) -> Iterator[LoopDisk]:
    with (
        tempfile.TemporaryDirectory(prefix="zeroth-lab-") as folder,
        loop_disk(Path(folder), path.stat().st_size, image=path) as disk,
    ):
        yield disk


def _next_step(disk: DiskFacts, spec: HostSpec, digest: str) -> str:
    """What the installer would do; empty when it would refuse."""
    machine = recorded(_MACHINE)
    facts = machine.model_copy(
        update={"disks": (disk,), "dmi": machine.dmi.model_copy(update={"uuid": Machine().uuid})}
    )
    outcome: Outcome = plan_installation(facts, PlanRequest(spec, digest, None, InstallId(uuid4())))
    match outcome:
        case AlreadyApplied():
            return "done"
        case InstallPlan(resumes=phase):
            return {"": "begin", "installing": "begin again", "finishing": "go on"}[phase]
    return ""


def _read_journal(state: Path, where: str) -> bool:
    """Every whole line of it is JSON, once the file system's own journal is replayed, which is taken back after.

    :returns: whether there is a whole file system in which to look.
    """
    with tempfile.TemporaryDirectory(prefix="zeroth-undo-") as folder:
        undo = Path(folder) / "undo"
        # Statuses of e2fsck(8): 0 and 1 are a whole file system.
        checked = run(["e2fsck", "-p", "-E", "journal_only", "-z", undo, state], ok=range(16))
        said = run(["debugfs", "-R", f"cat {_JOURNAL}", state]).stdout
        run(["e2undo", undo, state])
    for line in said.splitlines(keepends=True):
        if line.endswith("\n"):
            try:
                json.loads(line)
            except ValueError:
                raise LabError(f"{where}: the journal holds {line!r}") from None
    return checked.status in (0, 1)

"""What a scenario works with: it starts machines, times steps, and cleans up or keeps what is left."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab import disks
from tests.lab.host import Host, LabError
from tests.lab.machine import Firmware, Machine
from tests.lab.qmp import QmpError
from zeroth.progress import Step, Stream
from zeroth.system.files import atomic_write

__all__ = ["Stage", "expect"]


class Stage:
    """One scenario's machines and files.

    :ivar folder: its own, empty at the start; removed when it passes.
    """

    def __init__(self, name: str, folder: Path, stream: Stream) -> None:
        self.name = name
        self.folder = folder
        self.over_budget = False
        self._stream = stream
        self._step: Step | None = None
        self._hosts: list[Host] = []
        self._lock = threading.Lock()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    @contextmanager
    def running(self) -> Iterator[Step]:
        """The scenario's outermost step."""
        with self._stream.step(self.name) as self._step:
            yield self._step

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """A timed step of the scenario."""
        assert self._step is not None, "a step begins inside running()"
        with self._step.step(name) as step:
            yield step

    def log(self, message: str) -> None:
        """Say something that the reader of the output should know."""
        if self._step is not None:
            self._step.log(message)

    def start(self, machine: Machine, name: str, *, incoming: Path | None = None) -> Host:
        """Start a machine; it is ended with the scenario at the latest."""
        with self._lock:
            if self.over_budget:
                raise LabError("over budget")
            host = Host(machine, self.folder / name, incoming=incoming)
            self._hosts.append(host)
        return host

    def variables(self, firmware: Firmware, name: str = "vars.qcow2") -> Path | None:
        """Empty firmware variables for a machine that needs some."""
        return disks.flash(self.folder / name) if firmware is Firmware.UEFI else None

    def end(self) -> None:
        """End every machine."""
        for host in self._hosts:
            host.kill()

    def lost_by_emulator(self) -> bool:
        """Whether a machine hangs for a reason that is QEMU's alone."""
        return any(host.lost_by_emulator() for host in self._hosts)

    def give_up(self) -> None:
        """End every machine because the time is over; whoever waits for one is told so."""
        with self._lock:
            self.over_budget = True
            for host in self._hosts:
                host.child.end(0.5)

    def keep(self, results: Path, report: str) -> Path:
        """Keep what explains a failure: consoles, last screens, QEMU's words, the list of disks; not the disks."""
        target = results / self.name
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        atomic_write(target / "report.txt", report)
        for host in self._hosts:
            with contextlib.suppress(QmpError, OSError):
                host.screen("screen-at-failure")
            kept = target / host.folder.name
            kept.mkdir(exist_ok=True)
            for path in host.folder.iterdir():
                if path.suffix in (".log", ".png", ".txt", ".json"):
                    shutil.copy2(path, kept)
            lines = [disks.describe(disk.path, disk.format) for disk in host.machine.disks]
            atomic_write(kept / "disks.txt", "\n".join([*lines, ""]))
        return target

    def clear(self) -> None:
        """Remove the scenario's files."""
        shutil.rmtree(self.folder, ignore_errors=True)


def expect(condition: object, message: str) -> None:
    """Fail the scenario with a sentence unless the condition holds."""
    if not condition:
        raise LabError(message)

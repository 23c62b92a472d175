"""A machine that runs: watch it, type, log in, take pictures and snapshots, end it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.lab.keys import test_key
from tests.lab.machine import Machine, command_line
from tests.lab.ports import free_ports
from tests.lab.process import Child
from tests.lab.qmp import Qmp, QmpError
from tests.lab.serial import Serial
from tests.lab.tools import tools
from zeroth.system.run import CommandFailed, Completed, run

__all__ = ["Host", "LabError", "Stopped"]

_LOST_TIMER = "rcu_preempt kthread timer wakeup didn't happen"
"""Linux's word for a processor whose timer interrupt never came. QEMU, emulating several processors on a busy machine,
loses one now and then; the guest then hangs for good. A second report tells a loss from a slow machine."""
_KERNEL, _INIT = "Linux version", "Run /init as init process"
_SILENCE = 180.0
"""Seconds: between these two lines a kernel that starts always has something to say, and none to watch its timers."""

_SSH_OPTIONS = (
    "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "GlobalKnownHostsFile=/dev/null",
    "-o", "LogLevel=ERROR", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20", "-o", "ServerAliveInterval=15",
)  # fmt: skip


class LabError(Exception):
    """A machine did not do what the scenario needs; the message says what it did instead."""


@dataclass(frozen=True)
class Stopped:
    """How a machine ended.

    :ivar reason: QEMU's word: ``guest-reset``, ``guest-shutdown``, ``host-qmp-quit`` and so on.
    """

    reason: str
    status: int | None


class Host:
    """A running machine.

    :param folder: for its logs and pictures.
    :param incoming: a memory snapshot of the very same machine to go on from.
    """

    def __init__(self, machine: Machine, folder: Path, *, incoming: Path | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.machine = machine
        self.folder = folder
        self.forwards = dict(zip(machine.ports, free_ports(len(machine.ports)), strict=True))
        self.log = folder / "qemu.log"
        # Names of Unix sockets hold 107 bytes: a checkout deep in a tree has longer ones.
        self._sockets = TemporaryDirectory(prefix="lab-")
        sockets = Path(self._sockets.name)
        self._ssh_path = sockets / "ssh"
        self._ssh_masters: list[Child] = []
        self.serial = Serial(folder / "serial.log", sockets / "serial")
        words = command_line(
            machine,
            self.forwards,
            firmware=tools().secure_code if machine.secure_boot else tools().code,
            sockets=sockets,
            serial_log=self.serial.log,
            incoming=incoming,
        )
        self.child = Child(tools().argv(words, show=[sockets]), self.log)
        self.started = time.monotonic()
        try:
            self.qmp = Qmp(sockets / "qmp")
            if incoming is not None:
                self._wait_status("paused", 120)
            self.qmp.execute("cont")
        except QmpError as error:
            self.child.end()
            raise LabError(f"QEMU did not start: {error}\n{self.child.output()[-2000:]}") from None

    def seconds(self) -> float:
        """How long it runs."""
        return time.monotonic() - self.started

    def wait_for(self, pattern: str, seconds: float, *, never: str = "", from_start: bool = False) -> str:
        """Wait for a line on the serial console; returns the match. See :meth:`Serial.wait_for`."""
        return self.serial.wait_for(
            pattern, seconds, never=never, alive=self._why_silent, from_start=from_start
        ).group()

    def lost_by_emulator(self) -> bool:
        """Whether the guest hangs because its processor lost a timer interrupt, which real ones do not."""
        said = self.serial.text()
        return said.count(_LOST_TIMER) > 1 or self._silent_at_start(said)

    def _silent_at_start(self, said: str) -> bool:
        starts = _INIT not in said[max(said.rfind(_KERNEL), 0) :] and _KERNEL in said
        return starts and time.time() - self.serial.log.stat().st_mtime > _SILENCE

    def wait_stopped(self, seconds: float) -> Stopped:
        """Wait until the machine ends by itself (it powers off, or resets where that stops it).

        :raises LabError: when it still runs then.
        """
        end = time.monotonic() + seconds
        while (status := self.child.wait(0.3)) is None:
            if time.monotonic() > end:
                raise LabError(f"the machine still runs after {seconds:g} s; console:\n{self.serial.tail()}")
        reasons = [event["data"].get("reason", "") for event in self.qmp.drain() if event["event"] == "SHUTDOWN"]
        return Stopped(reasons[-1] if reasons else "crash", status)

    def ssh(self, command: str, *, seconds: float = 120, ok: tuple[int, ...] = (0,)) -> str:
        """Run a shell command as root over ssh with the lab's key; returns what it printed.

        :raises LabError: when it fails, with its error output.
        """
        return self.ssh_full(command, seconds=seconds, ok=ok).stdout

    def ssh_full(
        self, command: str, *, seconds: float = 120, ok: tuple[int, ...] = (0,), send: str | bytes | None = None
    ) -> Completed:
        """The same, with the exit status, and optionally something on its standard input."""
        try:
            return run([*self._ssh_words(), "root@127.0.0.1", command], timeout=seconds, ok=ok, input=send)
        except CommandFailed as error:
            raise LabError(f"in the guest: {command}\n{error}") from None

    def wait_ssh(self, seconds: float) -> None:
        """Wait until root can log in with the lab's key.

        :raises LabError: with ssh's last complaint.
        """
        end = time.monotonic() + seconds
        while True:
            try:
                self.ssh("true", seconds=40)
            except LabError as error:
                if why := self._why_silent():
                    raise LabError(f"{why} before ssh answered; console:\n{self.serial.tail()}") from None
                if time.monotonic() > end:
                    raise LabError(f"ssh did not answer within {seconds:g} s: {error}") from None
                time.sleep(1)
            else:
                break
        # One connection for all later commands: logging in anew takes an emulated machine seconds each time.
        master = Child([*self._ssh_words(), "-M", "-N", "root@127.0.0.1"], self.folder / "ssh.log")
        self._ssh_masters.append(master)
        while not self._ssh_path.exists() and master.status() is None and time.monotonic() < end:
            time.sleep(0.2)

    def _ssh_words(self) -> list[str]:
        """The ssh command; it goes over the shared connection where there is one."""
        place = ["-i", str(test_key()), "-p", str(self.forwards[22]), "-S", str(self._ssh_path)]
        return ["ssh", *_SSH_OPTIONS, *place]

    def put(self, source: Path, target: str) -> None:
        """Copy a file into the guest."""
        self.ssh_full(f"cat > '{target}'", send=source.read_bytes())

    def screen(self, name: str) -> Path:
        """A PNG of the VGA screen in the machine's folder."""
        path = self.folder / f"{name}.png"
        self.qmp.execute("screendump", filename=str(path), format="png")
        return path

    def press(self, *keys: str) -> None:
        """Press keys on the keyboard, one after the other: QEMU's key names, ``ret``, ``down``, ``ctrl-alt-f2``."""
        for key in keys:
            codes = [{"type": "qcode", "data": part} for part in key.split("-")]
            self.qmp.execute("send-key", keys=codes, hold_time=80)
            time.sleep(0.2)

    def save(self, target: Path) -> None:
        """Write the memory and the devices to a file and end the machine; its disks then belong to that file."""
        self.qmp.execute("stop")
        self.qmp.execute("migrate-set-parameters", max_bandwidth=1 << 34)
        self.qmp.execute("migrate", uri=f"exec:cat > {target}")
        end = time.monotonic() + 300
        while (state := self.qmp.execute("query-migrate").get("status")) != "completed":
            if state in ("failed", "cancelled") or time.monotonic() > end:
                raise LabError(f"the snapshot was not written: {self.qmp.execute('query-migrate')}")
            time.sleep(0.2)
        self.kill()

    def kill(self) -> None:
        """Pull the plug. What the guest wrote stays; for power cuts see :mod:`tests.lab.blklog`."""
        self.serial.close()
        for master in self._ssh_masters:
            master.end()
        try:
            if self.child.status() is None:
                self.qmp.execute("quit")
                self.child.wait(10)
        except QmpError:
            pass
        self.child.end()
        self.qmp.close()
        self._sockets.cleanup()

    def _why_silent(self) -> str:
        status = self.child.status()
        if status is None:
            return "the emulator lost a timer interrupt" if self.lost_by_emulator() else ""
        return "the machine ended" + (f" (QEMU's status {status})" if status else "")

    def _wait_status(self, wanted: str, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (status := self._status()) != wanted:
            if self.child.status() is not None:
                raise QmpError("QEMU ended")
            if time.monotonic() > end:
                raise QmpError(f"the machine is {status}, not {wanted}, after {seconds:g} s")
            time.sleep(0.1)

    def _status(self) -> str:
        return str(self.qmp.execute("query-status")["status"])

"""Processes that live on beside the caller, and never outlive it.

``zeroth.system.run`` runs a command to its end; QEMU has to keep running while a scenario talks to it. Each child gets
its own process group, is killed when the lab ends in whatever way, and by the kernel if the lab itself is killed.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from zeroth.errors import ExitCode, UserError

__all__ = ["Child", "end_all"]

_running: set[Child] = set()
_lock = threading.Lock()
_ended = threading.Event()


class Child:
    """A process in its own group, with its output in a file.

    :param argv: the command; its first line in the log is itself, so that a person can repeat it.
    :raises UserError: when the program is missing.
    """

    def __init__(self, argv: Sequence[str], log: Path) -> None:
        self.argv = tuple(argv)
        self.log = log
        # The kernel's parent-death signal is per thread: a scenario keeps its thread for as long as its machines.
        wrapped = ("setpriv", "--pdeathsig", "KILL", "--", *argv)
        with log.open("ab") as out:
            out.write(f"$ {shlex.join(argv)}\n".encode())
            out.flush()
            with _lock:
                if _ended.is_set():
                    raise KeyboardInterrupt
                try:
                    self._process = subprocess.Popen(
                        wrapped, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
                    )
                except FileNotFoundError as error:
                    raise UserError(f"{error.filename} is not installed", code=ExitCode.MACHINE) from None
                _running.add(self)

    @property
    def pid(self) -> int:
        """Its process id, also the id of its group."""
        return self._process.pid

    def status(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""
        return self._process.poll()

    def wait(self, seconds: float) -> int | None:
        """Its exit status once it ended, None when it still runs after that many seconds."""
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        with _lock:
            _running.discard(self)
        return status

    def end(self, grace: float = 3.0) -> None:
        """End the whole group: by SIGTERM, after ``grace`` seconds by SIGKILL."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.status() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.pid, number)
            if self.wait(grace) is not None:
                return

    def output(self) -> str:
        """What it printed until now."""
        return self.log.read_text(errors="replace")


def end_all() -> None:
    """End every child and let no other start; called at exit and on Ctrl-C."""
    with _lock:
        _ended.set()
        children = list(_running)
    for child in children:
        child.end(1.0)


atexit.register(end_all)

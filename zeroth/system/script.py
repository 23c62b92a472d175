"""Running programs that are not ours: scripts of an answer, with a time limit and with an end to their output.

:func:`zeroth.system.run.run` is for tools that are known to end and to say little. A script of somebody may hang,
leave children behind, or print for ever: here it runs in a process group of its own, which is ended with it.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from zeroth.errors import ExitCode, UserError

__all__ = ["Finished", "run_script"]

_MOST = 256 << 10  # bytes that are handed on as they come: at 115200 baud, 25 seconds of a serial line
_TAIL = 20  # lines
_LONGEST_LINE = 4096  # bytes
_GRACE = 5.0  # seconds between being asked to end and being killed
_LEFTOVERS = 0.5  # seconds that output of children may still come when the script itself has ended
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Finished:
    """How a script ended.

    :ivar status: exit code; for one that a signal ended, minus the signal's number.
    :ivar late: its time was over, and it was ended.
    :ivar tail: the last lines that it printed.
    """

    status: int
    late: bool
    tail: tuple[str, ...]


def run_script(
    argv: Sequence[str | os.PathLike[str]],
    *,
    env: Mapping[str, str],
    timeout: float,
    on_line: Callable[[str], None],
    cwd: Path = Path("/"),
    grace: float = _GRACE,
) -> Finished:
    """Run a program to its end, or to the end of its time.

    Whatever it has started and not ended itself is killed when it ends, also when this is interrupted.

    :param env: its whole environment.
    :param timeout: seconds.
    :param on_line: called with each line that it prints, standard output and error alike. After 256 KiB the rest is
        read and left out, but for the last lines.
    :param grace: seconds between asking it to end and killing it.
    :raises UserError: it cannot be started.
    """
    words = [os.fspath(word) for word in argv]
    try:
        # Its own session: a group to kill, and no terminal from which to read a password.
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(env), cwd=cwd,
            start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        reason = "not found" if isinstance(error, FileNotFoundError) else error.strerror
        raise UserError(f"{words[0]} cannot be started: {reason}", code=ExitCode.MACHINE) from None
    assert process.stdout is not None
    lines = _Lines(on_line)
    ended = os.pidfd_open(process.pid)
    try:
        pipe = process.stdout.fileno()
        late = not _follow(pipe, ended, lines, time.monotonic() + timeout)
        if late:
            _signal(process, signal.SIGTERM)
            _follow(pipe, ended, lines, time.monotonic() + grace)
        else:
            _drain(pipe, lines, time.monotonic() + _LEFTOVERS)
    finally:
        # Before its number is given back: until then no other group can have it.
        _signal(process, signal.SIGKILL)
        process.wait()
        os.close(ended)
        process.stdout.close()
    lines.end()
    return Finished(process.returncode, late, tuple(lines.tail))


def _follow(pipe: int, ended: int, lines: _Lines, deadline: float) -> bool:
    """Read until the process has ended; False when the deadline comes first."""
    waited = [pipe, ended]
    while (left := deadline - time.monotonic()) > 0:
        # A Ctrl-C that comes while this thread starts the program goes to another thread and wakes nobody.
        ready = select.select(waited, [], [], min(left, 1.0))[0]
        if pipe in ready:
            data = os.read(pipe, _CHUNK)
            if data:
                lines.feed(data)
            else:
                waited.remove(pipe)
        if ended in ready:
            return True
    return False


def _drain(pipe: int, lines: _Lines, deadline: float) -> None:
    """Read what is still in the pipe; a child that holds it open is not waited for."""
    while select.select([pipe], [], [], max(0.0, min(0.1, deadline - time.monotonic())))[0]:
        data = os.read(pipe, _CHUNK)
        if not data or time.monotonic() > deadline:
            return
        lines.feed(data)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


@dataclass
class _Lines:
    """Cuts output into lines, hands them on as long as there are not too many, and keeps the last ones."""

    on_line: Callable[[str], None]
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL))
    _begun: bytes = b""
    _handed: int = 0
    _left_out: int = 0
    _unseen: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL))

    def feed(self, data: bytes) -> None:
        *whole, self._begun = (self._begun + data).split(b"\n")
        for line in whole:
            self._line(line)
        while len(self._begun) > _LONGEST_LINE:
            piece, self._begun = self._begun[:_LONGEST_LINE], self._begun[_LONGEST_LINE:]
            self._line(piece)

    def end(self) -> None:
        if self._begun:
            self._line(self._begun)
            self._begun = b""
        if self._left_out:
            self.on_line(f"... ({self._left_out} bytes of output left out; the last lines of it:)")
            for text in self._unseen:
                self.on_line(text)

    def _line(self, line: bytes) -> None:
        for start in range(0, max(1, len(line)), _LONGEST_LINE):
            piece = line[start : start + _LONGEST_LINE]
            text = piece.decode("utf-8", "replace").rstrip("\r")
            self.tail.append(text)
            if self._handed + len(piece) < _MOST:
                self._handed += len(piece) + 1
                self.on_line(text)
            else:
                self._handed = _MOST
                self._left_out += len(piece) + 1
                self._unseen.append(text)

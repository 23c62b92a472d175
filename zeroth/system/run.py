"""The one process runner.

Commands are lists, run with a closed standard input and the C locale, and a failure says what ran, how it ended and
what it printed last. Secrets go in through ``input`` or the environment, never through argv; ``redact`` keeps
them out of messages as well.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from zeroth.errors import ExitCode, UserError

__all__ = ["CommandFailed", "Completed", "run", "stop_running"]

_running: set[subprocess.Popen[bytes]] = set()
_running_lock = threading.Lock()

_TAIL_LINES = 12
_HINTS = {
    126: "The file exists but cannot be executed.",
    127: "The program is not installed or not on PATH.",
}


@dataclass(frozen=True)
class Completed:
    """A finished command: its arguments, exit status and what it printed (decoded, undecodable bytes replaced)."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str


class CommandFailed(UserError):
    """A command ended with a status that its caller did not expect."""

    def __init__(self, completed: Completed, *, why: str = "", redact: Sequence[str] = ()) -> None:
        text = (completed.stderr.strip() or completed.stdout.strip()).splitlines()[-_TAIL_LINES:]
        how = why or _how_it_ended(completed.status)
        message = f"{shlex.join(completed.argv)} {how}"
        if text:
            message += ":\n  " + "\n  ".join(text)
        super().__init__(_redacted(message, redact), _HINTS.get(completed.status, ""), code=ExitCode.MACHINE)
        self.completed = completed


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    input: str | bytes | None = None,  # noqa: A002 - the name that subprocess uses
    ok: Sequence[int] = (0,),
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float | None = None,
    redact: Sequence[str] = (),
    on_line: Callable[[str], None] | None = None,
) -> Completed:
    """Run a command and return what it printed.

    :param ok: exit statuses that are not failures.
    :param env: variables added to (not replacing) the environment.
    :param timeout: seconds after which the command is killed, and reported as failed.
    :param redact: strings replaced by ``***`` in error messages.
    :param on_line: called with each line of output (stdout and stderr merged) as it comes; stdout then holds both.
    :raises CommandFailed: on any other status, when the program is missing, or on timeout.
    """
    words = tuple(os.fspath(word) for word in argv)
    full_env = {**os.environ, "LC_ALL": "C.UTF-8", **(env or {})}
    data = input.encode() if isinstance(input, str) else input
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL if data is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if on_line else subprocess.PIPE,
            env=full_env,
            cwd=cwd,
        )
    except FileNotFoundError as error:
        missing = error.filename if error.filename != words[0] else words[0]
        raise CommandFailed(Completed(words, 127, "", f"{missing}: not found")) from None
    except PermissionError:
        raise CommandFailed(Completed(words, 126, "", "permission denied")) from None
    with _running_lock:
        _running.add(process)
    try:
        if on_line:
            stdout, stderr = _follow(process, data, on_line), b""
        else:
            stdout, stderr = process.communicate(data, timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        late = Completed(words, process.returncode, _text(out), _text(err))
        raise CommandFailed(late, why=f"did not end within {timeout:g} s", redact=redact) from None
    except BaseException:
        # Ctrl-C or a failing on_line: do not leave the child behind.
        _end([process])
        raise
    finally:
        with _running_lock:
            _running.discard(process)
    done = Completed(words, process.returncode, _text(stdout), _text(stderr))
    if done.status not in ok:
        raise CommandFailed(done, redact=redact)
    return done


def stop_running() -> None:
    """End every command that :func:`run` has running in any thread: for a program that is being interrupted.

    Their callers get :class:`CommandFailed`.
    """
    with _running_lock:
        processes = list(_running)
    _end(processes)


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask the processes to end; kill those that have not within five seconds."""
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + 5
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _follow(process: subprocess.Popen[bytes], data: bytes | None, on_line: Callable[[str], None]) -> bytes:
    if process.stdin is not None:
        process.stdin.write(data or b"")
        process.stdin.close()
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        on_line(_text(line).rstrip("\r\n"))
    process.wait()
    return b"".join(lines)


def _text(data: bytes | None) -> str:
    return (data or b"").decode("utf-8", "replace")


def _redacted(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return text


def _how_it_ended(status: int) -> str:
    if status < 0:
        try:
            return f"was killed by {signal.Signals(-status).name}"
        except ValueError:
            return f"was killed by signal {-status}"
    return f"failed with status {status}"

"""Programs of others: their time, their children, their output."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from zeroth.errors import UserError
from zeroth.system.script import Finished, run_script

ENV = {"PATH": os.environ["PATH"]}


def _sh(text: str, *, timeout: float = 60, grace: float = 5) -> tuple[Finished, list[str]]:
    lines: list[str] = []
    finished = run_script(["sh", "-c", text], env=ENV, timeout=timeout, on_line=lines.append, grace=grace)
    return finished, lines


def _is_gone(pid: int) -> bool:
    """Whether a process has ended; a zombie that nobody has asked after has."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state in "ZX":
            return True
        time.sleep(0.02)
    return False


def test_lines_come_in_order_and_status_counts() -> None:
    finished, lines = _sh("echo one; echo two >&2; printf three; exit 7")
    assert lines == ["one", "two", "three"]
    assert finished == Finished(7, late=False, tail=("one", "two", "three"))


def test_it_gets_this_environment_and_no_input() -> None:
    _, lines = _sh("cat; env | cut -d= -f1 | grep -v -e PWD -e SHLVL -e '^_$'")
    assert lines == ["PATH"]


def test_its_time() -> None:
    finished, lines = _sh("echo begun; sleep 600; echo never", timeout=0.5)
    assert finished.late
    assert finished.status == -signal.SIGTERM
    assert lines == ["begun"]


def test_one_that_does_not_listen_is_killed_with_its_children(tmp_path: Path) -> None:
    text = f"trap '' TERM; (trap '' TERM; exec sleep 600) & echo $! > {tmp_path}/child; while :; do sleep 1; done"
    finished, _ = _sh(text, timeout=0.5, grace=0.3)
    assert finished.late
    assert finished.status == -signal.SIGKILL
    assert _is_gone(int((tmp_path / "child").read_text()))


def test_it_may_clean_up_when_its_time_is_over() -> None:
    finished, lines = _sh("trap 'echo cleaned; exit 3' TERM; sleep 600 & wait", timeout=0.5)
    assert finished.late
    assert (finished.status, lines) == (3, ["cleaned"])


def test_children_that_it_leaves_end_with_it(tmp_path: Path) -> None:
    # They hold the pipe open, and one prints without end.
    finished, lines = _sh(f"sleep 600 & echo $! > {tmp_path}/a; yes & echo $! > {tmp_path}/b; echo done; exit 0")
    assert not finished.late
    assert finished.status == 0
    assert "done" in lines
    assert _is_gone(int((tmp_path / "a").read_text()))
    assert _is_gone(int((tmp_path / "b").read_text()))


def test_megabytes() -> None:
    finished, lines = _sh("seq 1 1000000; echo the end")
    assert finished.status == 0
    assert lines[:3] == ["1", "2", "3"]
    assert lines[-1] == finished.tail[-1] == "the end"
    assert lines[-2] == "1000000"
    assert sum(map(len, lines)) < 300_000
    total = sum(len(str(number)) + 1 for number in range(1, 1_000_001)) + len("the end\n")
    note = next(line for line in lines if "left out" in line)
    before = lines[: lines.index(note)]
    assert (
        note
        == f"... ({total - sum(len(line) + 1 for line in before)} bytes of output left out; the last lines of it:)"
    )


def test_a_line_without_end_and_bytes_that_are_no_text() -> None:
    finished, lines = _sh("head -c 100000 /dev/zero | tr '\\0' x; echo; printf 'a\\377b\\n'")
    assert finished.status == 0
    assert max(map(len, lines)) <= 4096
    assert "".join(lines[:-1]).count("x") == 100_000
    assert lines[-1] == "a\N{REPLACEMENT CHARACTER}b"


def test_what_cannot_be_started() -> None:
    with pytest.raises(UserError, match="/no/such cannot be started: not found"):
        run_script(["/no/such"], env=ENV, timeout=5, on_line=print)
    with pytest.raises(UserError, match="/etc/passwd cannot be started: Permission denied"):
        run_script(["/etc/passwd"], env=ENV, timeout=5, on_line=print)


def test_an_interruption_leaves_nothing_behind(tmp_path: Path) -> None:
    begun = tmp_path / "pids"

    def interrupt() -> None:
        while not (begun.exists() and begun.read_text().count("\n") == 2):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        _sh(f"sleep 600 & printf '%s\\n' $! $$ > {begun}.new; mv {begun}.new {begun}; wait")
    thread.join()
    assert all(_is_gone(int(pid)) for pid in begun.read_text().split())

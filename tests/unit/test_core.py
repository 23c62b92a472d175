"""The core: run(), sizes, files, progress, the command line's way with errors."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeroth import cli
from zeroth.errors import ExitCode, UserError
from zeroth.progress import Event, EventKind, Stream
from zeroth.sinks import Timings
from zeroth.system.files import atomic_write, sha256_file
from zeroth.system.run import CommandFailed, run
from zeroth.system.size import Size


def test_run_returns_what_was_printed() -> None:
    done = run(["sh", "-c", "echo out; echo err >&2; cat"], input="in")
    assert (done.stdout, done.stderr) == ("out\nin", "err\n")


def test_run_follows_lines() -> None:
    lines: list[str] = []
    run(["sh", "-c", "echo one; echo two >&2"], on_line=lines.append)
    assert lines == ["one", "two"]


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["sh", "-c", "echo oops >&2; exit 3"], "failed with status 3:\n  oops"),
        (["sh", "-c", "kill -9 $$"], "was killed by SIGKILL"),
        (["/no/such/program"], "not found"),
    ],
)
def test_run_explains_failures(argv: list[str], text: str) -> None:
    with pytest.raises(CommandFailed) as caught:
        run(argv)
    assert text in caught.value.message
    assert caught.value.code is ExitCode.MACHINE


def test_run_times_out_and_redacts() -> None:
    with pytest.raises(CommandFailed, match=r"did not end within 0\.2 s"):
        run(["sleep", "9"], timeout=0.2)
    with pytest.raises(CommandFailed) as caught:
        run(["sh", "-c", "echo hunter2; exit 1"], redact=["hunter2"])
    assert "hunter2" not in str(caught.value)


@given(st.integers(min_value=0, max_value=1 << 70))
def test_sizes_print_exactly(value: int) -> None:
    assert Size.parse(str(Size(value))) == value


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("400GB", "400 GB"),
        ("4096 MB", "4096 MB"),
        ("1536M", "1536 MiB"),
        ("1024G", "1 TiB"),
        ("0", "0 B"),
        ("1001", "1001 B"),
    ],
)
def test_sizes_print_in_the_unit_that_fits(text: str, shown: str) -> None:
    assert str(Size.parse(text)) == shown


@pytest.mark.parametrize("text", ["", "x", "1 Q", "-1", "0.3 K", "1e3", "nan"])
def test_sizes_refuse_nonsense(text: str) -> None:
    with pytest.raises(ValueError, match=r"size|bytes"):
        Size.parse(text)


def test_atomic_write_replaces_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file"
    atomic_write(target, "one")
    atomic_write(target, b"two", mode=0o600)
    assert target.read_text() == "two"
    assert target.stat().st_mode & 0o777 == 0o600
    assert list(target.parent.iterdir()) == [target]
    assert len(sha256_file(target)) == 64


class _Keep:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def handle(self, event: Event) -> None:
        self.events.append(event)


def test_steps_nest_and_end_once() -> None:
    keep, timings = _Keep(), Timings()
    with pytest.raises(UserError), Stream([keep, timings]).step("Install", total=2) as install:
        with install.step("First"):
            pass
        with install.step("Second"):
            raise UserError("no disk")
    kinds = [(event.kind, event.path[-1]) for event in keep.events if event.kind is not EventKind.PROGRESS]
    assert kinds == [
        (EventKind.START, "Install"),
        (EventKind.START, "First"),
        (EventKind.DONE, "First"),
        (EventKind.START, "Second"),
        (EventKind.FAIL, "Second"),
        (EventKind.FAIL, "Install"),
    ]
    assert [path[-1] for path, _ in timings.rows] == ["First", "Second", "Install"]


def test_a_step_that_the_user_ends_says_so() -> None:
    keep = _Keep()
    with pytest.raises(KeyboardInterrupt), Stream([keep]).step("Install"):
        raise KeyboardInterrupt
    assert keep.events[-1].message == "interrupted"


@cli.cli.command("boom", hidden=True)
@click.option("--bug", is_flag=True)
def _boom(bug: bool) -> None:
    if bug:
        raise RuntimeError("ours")
    raise UserError("the disk [sda] is gone", "Plug it in.", where="answer.ks:3")


def test_cli_reports_user_errors_without_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run_cli(["boom"]) == ExitCode.INPUT
    text = capsys.readouterr().err
    assert "answer.ks:3: the disk [sda] is gone" in text
    assert "Plug it in." in text
    assert "Traceback" not in text


def test_cli_reports_bugs_as_bugs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run_cli(["boom", "--bug"]) == ExitCode.BUG
    assert "RuntimeError" in capsys.readouterr().err


def test_cli_wrong_usage() -> None:
    assert cli.run_cli(["no-such-command"]) == ExitCode.USAGE
    assert cli.run_cli(["--help"]) == ExitCode.DONE

"""Tab completion, as a real bash asks for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from zeroth.cli import run_cli
from zeroth.errors import ExitCode

ROOT = Path(__file__).parents[2]
IN_IMAGE = ROOT / "images/elements/zeroth-host/zeroth-host-files/usr/share/bash-completion/completions/zeroth"
# What pressing tab does, and then what came of it. compopt works only while readline completes.
_PRESS_TAB = """
zeroth() { "$PYTHON" -m zeroth "$@"; }
compopt() { :; }
source "$SCRIPT"
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_zeroth_completion zeroth
printf '%s\\n' "${COMPREPLY[@]}"
"""


def _tab(script: Path, tmp_path: Path, *words: str) -> list[str]:
    # The program is called by its name, as a command on PATH.
    command = tmp_path / "zeroth"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m zeroth "$@"\n')
    command.chmod(0o755)
    environment = {
        **os.environ, "PYTHON": sys.executable, "SCRIPT": os.fspath(script), "PYTHONPATH": os.fspath(ROOT),
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
    }  # fmt: skip
    done = subprocess.run(
        ["bash", "--norc", "-c", _PRESS_TAB, "bash", *words],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_bash_completes_commands_options_and_choices(tmp_path: Path) -> None:
    assert "answer" in (commands := _tab(IN_IMAGE, tmp_path, "zeroth", ""))
    assert "upgrade" in commands
    assert _tab(IN_IMAGE, tmp_path, "zeroth", "ans") == ["answer"]
    assert set(_tab(IN_IMAGE, tmp_path, "zeroth", "answer", "")) >= {"lint", "explain", "diff", "sign", "verify"}
    assert _tab(IN_IMAGE, tmp_path, "zeroth", "answer", "lint", "--j") == ["--json"]
    assert _tab(IN_IMAGE, tmp_path, "zeroth", "answer", "convert", "x.ks", "--to", "") == ["ks", "yaml", "json"]


def test_what_the_image_holds_is_what_the_program_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["completion", "bash"]) == ExitCode.DONE
    assert capsys.readouterr().out == IN_IMAGE.read_text()


@pytest.mark.parametrize(
    ("shell", "word"), [("zsh", "#compdef zeroth"), ("fish", "complete --no-files --command zeroth")]
)
def test_other_shells(shell: str, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["completion", shell]) == ExitCode.DONE
    shown = capsys.readouterr().out
    assert word in shown
    assert f"{shell}_complete" in shown
    assert run_cli(["completion", "tcsh"]) == ExitCode.USAGE

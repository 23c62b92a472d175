"""``zeroth answer sign`` and ``verify``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zeroth.cli import run_cli
from zeroth.errors import ExitCode
from zeroth.keys.keyring import make_key, sign_file
from zeroth.keys.signing import Purpose, SecretKey

GOOD = Path(__file__).parents[2] / "answers" / "good"


@pytest.fixture
def answer(tmp_path: Path) -> Path:
    """An answer beside the keys ``site`` and ``other``."""
    path = tmp_path / "host1.ks"
    path.write_bytes((GOOD / "minimal.ks").read_bytes())
    for name in ("site", "other"):
        make_key(tmp_path, name, None)
    return path


def _run(*argv: object) -> int:
    return run_cli(["answer", *map(str, argv)])


def test_what_was_signed_verifies(answer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("sign", answer, "--key", answer.with_name("site.key")) == ExitCode.DONE
    assert answer.with_name("host1.ks.minisig").is_file()
    capsys.readouterr()
    assert _run("verify", answer, "--key", answer.with_name("site.pub"), "--json") == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)["comment"] == "site"
    assert _run("verify", answer, "--key", answer.with_name("other.pub")) == ExitCode.INPUT
    assert _run("verify", answer) == ExitCode.INPUT, "this machine trusts no key"


def test_two_keys_sign_while_one_follows_the_other(answer: Path) -> None:
    keys = [word for name in ("site", "other") for word in ("--key", answer.with_name(f"{name}.key"))]
    assert _run("sign", answer, *keys) == ExitCode.DONE
    for name in ("site", "other"):
        assert _run("verify", answer, "--key", answer.with_name(f"{name}.pub")) == ExitCode.DONE


def test_a_changed_answer_is_refused(answer: Path) -> None:
    _run("sign", answer, "--key", answer.with_name("site.key"))
    answer.write_text(answer.read_text() + "clearpart --all\n")
    assert _run("verify", answer, "--key", answer.with_name("site.pub")) == ExitCode.INPUT


def test_what_was_signed_as_something_else_is_no_answer(answer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = SecretKey.parse(answer.with_name("site.key").read_bytes(), lambda: b"")
    sign_file(answer, [key], Purpose.IMAGE)
    assert _run("verify", answer, "--key", answer.with_name("site.pub")) == ExitCode.INPUT
    assert "image" in capsys.readouterr().err


def test_an_answer_with_errors_is_not_signed(answer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer.write_text("network --hostname=xen1\n")
    assert _run("sign", answer, "--key", answer.with_name("site.key")) == ExitCode.INPUT
    assert "root is missing" in capsys.readouterr().err
    assert not answer.with_name("host1.ks.minisig").exists()
    answer.write_bytes((GOOD / "minimal.ks").read_bytes())
    assert _run("sign", answer, "--key", answer.with_name("site.pub")) == ExitCode.INPUT, "a public key cannot sign"

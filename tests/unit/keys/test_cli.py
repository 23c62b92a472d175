"""``zeroth keys`` as people call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from zeroth.errors import UserError
from zeroth.keys.cli import keys, passphrase_for
from zeroth.keys.keyring import check_file, public_key, secret_key
from zeroth.keys.signing import Purpose


def _run(*words: str, answer: str | None = None) -> str:
    result = CliRunner().invoke(keys, words, input=answer, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_new_asks_for_a_passphrase_and_does_not_show_it(tmp_path: Path) -> None:
    out = _run("new", "release", "--folder", str(tmp_path), answer="open sesame\nopen sesame\n")
    assert "sesame" not in out
    assert secret_key(tmp_path / "release.key", lambda: b"open sesame").public.name in out


def test_rotate_and_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "words").write_text("open sesame\n")
    monkeypatch.setenv("ZEROTH_PASSPHRASE_FILE", str(tmp_path / "words"))
    folder = tmp_path / "keys"
    first = json.loads(_run("new", "2026", "--folder", str(folder), "--json"))
    _run("rotate", str(folder / "2026.key"), "2027")
    assert check_file(folder / "2027.pub", [public_key(folder / "2026.pub")], Purpose.KEY).name == first["id"]
    rows = json.loads(_run("list", "--folder", str(folder), "--json"))
    assert [(row["name"], row["follows"]) for row in rows] == [("2026", ""), ("2027", first["id"])]
    assert secret_key(folder / "2027.key", passphrase_for(folder / "2027.key")).public.name == rows[1]["id"]
    assert first["id"] in _run("list", "--folder", str(folder))


def test_a_passphrase_file_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEROTH_PASSPHRASE_FILE", str(tmp_path / "missing"))
    with pytest.raises(UserError, match="cannot read the passphrase"):
        passphrase_for(tmp_path / "x.key")()
    (tmp_path / "missing").write_text("\n")
    with pytest.raises(UserError, match="no passphrase"):
        passphrase_for(tmp_path / "x.key")()

"""Which step a change concerns, and what a build refuses at once."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from images.build import check_folders
from images.config import BuildConfig, Profile, checkout
from images.log import BuildLog
from images.media import answer_name
from images.steps import Steps
from images.wheels import ROOMS
from zeroth.cli import cli
from zeroth.errors import UserError

ROOT = checkout()


def steps(tmp_path: Path, **changes: object) -> Steps:
    config = BuildConfig(ROOT, **{"firmware": False, **changes})  # type: ignore[arg-type]
    return Steps(config, BuildLog(io.StringIO()), tmp_path, "today", lambda: pytest.fail("no package is installed"))


@pytest.mark.thorough
def test_what_changes_what(tmp_path: Path) -> None:
    answer = tmp_path / "a.ks"
    answer.write_text("rootpw --lock\n")
    release = steps(tmp_path)
    dev = steps(tmp_path, profile=Profile.DEV)
    answered = steps(tmp_path, answer=answer)
    firmware = steps(tmp_path, firmware=True)
    assert release.tree().key == dev.tree().key
    assert release.root().key != dev.root().key
    assert release.root().key == answered.root().key
    assert release.iso().key != answered.iso().key
    assert release.base().key != firmware.base().key
    assert release.tools().key == firmware.tools().key
    assert steps(tmp_path, firmware=None).base().key == firmware.base().key
    other_mirror = steps(tmp_path, mirror="http://other.example/debian")
    assert release.iso().key == other_mirror.iso().key


def test_an_embedded_answer_keeps_its_kind() -> None:
    assert answer_name(Path("/x/Host One.YAML")) == "answer.yaml"


def test_graph_shows_every_step() -> None:
    result = CliRunner().invoke(cli, ["image", "graph", "--json"], catch_exceptions=False)
    rows = json.loads(result.stdout)
    names = [row["step"] for row in rows]
    assert set(names) >= {"tools", "base", "system", "tree", "root", "boot", "iso"}
    assert all(names.index(need) < names.index(row["step"]) for row in rows for need in row["needs"])
    assert len(ROOMS) == len(set(ROOMS))


def test_epoch_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(UserError, match="SOURCE_DATE_EPOCH"):
        _ = BuildConfig(ROOT).epoch
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "17")
    assert BuildConfig(ROOT).epoch == 17


def test_folders_that_a_shell_would_split_are_refused() -> None:
    check_folders([Path("/srv/zeroth-1.0/check_out"), Path("/srv/z\u00fcrich")])
    for name in ("/srv/my builds", "/srv/a;b", "/srv/$HOME"):
        with pytest.raises(UserError, match="blanks") as caught:
            check_folders([Path(name)])
        assert caught.value.where == name

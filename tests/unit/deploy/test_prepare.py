"""Giving a slot on trial its state, with the power going off in between."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
from pathlib import Path

import pytest

from tests.unit.deploy.test_upgrade import Fuse, PowerCut
from zeroth.deploy.etcmerge import Outcome
from zeroth.deploy.prepare import REPORT, prepare_slot, read_report
from zeroth.deploy.slotstate import Pending, SlotState
from zeroth.errors import UserError
from zeroth.system.run import run

BASE_PASSWD = "root:x:0:0::/root:/bin/sh\n"
ADA, NEWD = "ada:x:1000:1000:::\n", "newd:x:840:840:::\n"
NOTE = Pending(version="1.2.0", source="a", source_version="1.1.0", root_hash="ab" * 32)


@pytest.fixture
def image_etc(tmp_path: Path) -> Path:
    folder = tmp_path / "image" / "etc"
    folder.mkdir(parents=True)
    (folder / "passwd").write_text(BASE_PASSWD + NEWD)
    (folder / "motd").write_text("new\n")
    return folder


@pytest.fixture
def state(tmp_path: Path) -> SlotState:
    made = SlotState(tmp_path / "state")
    upper, store = made.folder("a") / "etc/upper", made.folder("a") / "store"
    for folder in (upper, store / "boot", made.folder("a") / "etc/work/work", made.base):
        folder.mkdir(parents=True)
    with sqlite3.connect(store / "store.db") as database:
        database.execute("CREATE TABLE object (name TEXT)")
        database.execute("INSERT INTO object VALUES ('vm')")
    (store / "hostspec.json").write_text("{}")
    (store / "hostspec.json").chmod(0o600)
    (upper / "passwd").write_text(BASE_PASSWD + ADA)
    (upper / "motd").write_text("own\n")
    (made.base / "passwd").write_text(BASE_PASSWD)
    (made.base / "motd").write_text("old\n")
    made.note("b", NOTE)
    return made


def _content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_slot_gets_a_copy_and_the_other_is_as_it_was(state: SlotState, image_etc: Path) -> None:
    before, said = _content(state.folder("a")), list[str]()
    merged = prepare_slot(state, "b", image_etc, said.append)
    assert {one.path: one.outcome for one in merged} == {"motd": Outcome.CONFLICT, "passwd": Outcome.MERGED}
    assert _content(state.folder("a")) == before
    made = state.folder("b")
    assert (made / "store/hostspec.json").stat().st_mode & 0o777 == 0o600
    with sqlite3.connect(made / "store/store.db") as database:
        assert database.execute("SELECT name FROM object").fetchall() == [("vm",)]
    assert (made / "etc/upper/passwd").read_text() == BASE_PASSWD + ADA + NEWD
    assert (made / "etc/upper/motd").read_text() == "own\n"
    assert (made / "etc/upper/motd.zeroth-new").read_text() == "new\n"
    assert not (made / "etc/work").exists()
    assert said[-1].startswith("/etc/motd: your own is kept")
    assert [one["path"] for one in read_report(state, "b")] == ["motd", "passwd"]


def test_each_try_begins_anew(state: SlotState, image_etc: Path) -> None:
    prepare_slot(state, "b", image_etc, lambda _: None)
    (state.folder("b") / "store/migrated").write_text("by the try before")
    (state.folder("a") / "store/later").write_text("made since")
    prepare_slot(state, "b", image_etc, lambda _: None)
    assert not (state.folder("b") / "store/migrated").exists()
    assert (state.folder("b") / "store/later").exists()


def test_without_an_upgrade_it_is_refused(state: SlotState, image_etc: Path) -> None:
    with pytest.raises(UserError, match="no upgrade in slot a"):
        prepare_slot(state, "a", image_etc, lambda _: None)
    state.pending_path("b").write_text("{")
    with pytest.raises(UserError, match="damaged"):
        prepare_slot(state, "b", image_etc, lambda _: None)
    assert not state.folder("b").exists()


def test_accounts_that_do_not_go_together_are_told_of_and_leave_no_state(state: SlotState, image_etc: Path) -> None:
    (state.folder("a") / "etc/upper/passwd").write_text(BASE_PASSWD + ADA.replace("1000", "840"))
    with pytest.raises(UserError, match="newd with the id 840"):
        prepare_slot(state, "b", image_etc, lambda _: None)
    assert not state.folder("b").exists()
    journal = (state.upgrades / "journal.jsonl").read_text().splitlines()
    assert json.loads(journal[-1])["status"] == "failed"


def test_a_power_cut_at_any_step_and_another_try(
    state: SlotState, image_etc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _content(state.folder("a"))
    prepare_slot(state, "b", image_etc, lambda _: None)
    wanted = _content(state.folder("b"))
    at = 0
    while True:
        fuse = Fuse(at)
        with monkeypatch.context() as patch:
            patch.setattr("zeroth.deploy.prepare.run", fuse.around(run))
            patch.setattr(shutil, "rmtree", fuse.around(shutil.rmtree))
            for name in ("replace", "unlink", "mkdir", "write_bytes"):
                patch.setattr(Path, name, fuse.around(getattr(Path, name)))
            try:
                prepare_slot(state, "b", image_etc, lambda _: None)
                break
            except PowerCut:
                pass
        assert _content(state.folder("a")) == before
        # Whatever is under the slot's name is whole: a person may start it without another try.
        assert not state.folder("b").exists() or _content(state.folder("b")) == wanted
        at += 1
    assert at > 10
    assert _content(state.folder("b")) == wanted
    assert not (state.root / "b.new").exists()
    assert REPORT in wanted


@pytest.mark.skipif(os.geteuid() != 0, reason="an overlay's marks are made by root")
def test_marks_of_the_overlay_come_along_but_for_those_that_mean_the_old_image(
    state: SlotState, image_etc: Path
) -> None:
    folder = state.folder("a") / "etc/upper/replaced"
    folder.mkdir()
    (folder / "own").write_text("x")
    try:
        os.setxattr(folder, "trusted.overlay.opaque", b"y")
        os.setxattr(folder / "own", "trusted.overlay.origin", b"number")
    except OSError:
        pytest.skip("this file system has no such attributes")
    os.mknod(state.folder("a") / "etc/upper/removed", stat.S_IFCHR, 0)
    for side in (state.base, image_etc):
        (side / "removed").write_text("x")
    prepare_slot(state, "b", image_etc, lambda _: None)
    made = state.folder("b") / "etc/upper"
    assert os.getxattr(made / "replaced", "trusted.overlay.opaque") == b"y"
    assert os.listxattr(made / "replaced/own") == []
    assert os.listxattr(folder / "own") == ["trusted.overlay.origin"]
    assert (made / "removed").stat().st_rdev == 0
    assert stat.S_ISCHR((made / "removed").stat().st_mode)

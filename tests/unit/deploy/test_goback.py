"""Going back by hand: what is lost is listed, and only what has proved itself is gone back to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hostagent.store.compare import lost_objects
from hostagent.store.database import Database, Write
from hostagent.store.tables import Entry
from tests.unit.deploy.upgrading import HEADER, FileHost
from zeroth.deploy.bootenv import BootState, write_boot_state
from zeroth.deploy.goback import check_way_back, go_back, lost_settings
from zeroth.deploy.slotfiles import BOOT_FILES
from zeroth.errors import UserError


def _store(path: Path, *records: tuple[str, str, dict[str, object]]) -> None:
    path.unlink(missing_ok=True)
    database = Database(path)
    database.write([Write(cls, ref, Entry(fields, 1, 1)) for cls, ref, fields in records])
    database.close(1)


def test_objects_that_are_lost(tmp_path: Path) -> None:
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    vm = {"name_label": "web", "memory_static_max": 1}
    _store(old, ("VM", "1", vm), ("VM", "2", {"name_label": "gone"}), ("VM_metrics", "3", {"x": 1}))
    # A field that only the newer version has is no change of anybody's.
    changed = {**vm, "memory_static_max": 2, "new_in_this_version": True}
    _store(new, ("VM", "1", changed), ("VM", "4", {"name_label": "db"}), ("VM_metrics", "5", {"x": 2}))
    assert lost_objects(old, new) == [
        "VM web: settings changed since (memory_static_max)", "VM db: made since",
        "VM gone: deleted since, comes back in the list",
    ]  # fmt: skip
    assert lost_objects(old, old) == []
    before = old.read_bytes()
    # Also while the agent has it open.
    agent = Database(new)
    assert len(lost_objects(old, new)) == 3
    agent.close(2)
    assert old.read_bytes() == before
    with pytest.raises(UserError, match="no store"):
        lost_objects(tmp_path / "none.db", new)
    (tmp_path / "bad.db").write_text("no database, but long enough to be looked at as one" * 20)
    with pytest.raises(UserError, match="cannot be read"):
        lost_objects(tmp_path / "bad.db", new)


@pytest.fixture
def host(tmp_path: Path) -> FileHost:
    """Slot b has proved itself."""
    host = FileHost.make(tmp_path)
    host.upgrade()
    sums = "".join(f"{host.esp.sha256(f'/zeroth/a/{name}')}  {name}\n" for name in BOOT_FILES)
    host.esp.put_text(sums, "/zeroth/a/SHA256SUMS")
    host.esp.put_text("menuentry 'zeroth 1.1.0 (slot a)' --id zeroth-a {\n}\n", "/zeroth/a/entry.cfg")
    for slot in ("a", "b"):
        (host.folder / "state" / slot / "store").mkdir(parents=True, exist_ok=True)
        (host.folder / "state" / slot / "etc/upper").mkdir(parents=True, exist_ok=True)
    _store(host.state.folder("a") / "store/store.db")
    _store(host.state.folder("b") / "store/store.db", ("VM", "1", {"name_label": "web"}))
    host.state.journal().add("trial", "done", slot="b")
    host.state.prove("b")
    write_boot_state(host.esp, BootState("b"))
    return host


def test_the_way_back(host: FileHost) -> None:
    upper = host.state.folder("b") / "etc/upper"
    (upper / "since").write_text("x")
    (upper / "before").write_text("x")
    os.utime(upper / "before", (1, 1))
    (upper / "ld.so.cache").write_text("x")
    way = check_way_back(host.state, host.esp)
    assert (way.slot, way.title) == ("a", "zeroth 1.1.0")
    assert way.lost == ("VM web: made since", "/etc/since: changed since")
    go_back(host.state, host.esp, way)
    assert host.boot == BootState("a")
    # And forth again: it has proved itself.
    assert check_way_back(host.state, host.esp).slot == "b"


def test_what_was_changed_before_the_upgrade_is_not_lost(host: FileHost) -> None:
    for slot in ("a", "b"):
        (host.folder / "state" / slot / "etc/upper/motd").write_text("own")
    assert lost_settings(host.state, "a", "b") == []


def test_no_way_back(host: FileHost) -> None:
    host.esp.put_bytes(b"rotten", "/zeroth/a/xen.gz")
    with pytest.raises(UserError, match=r"xen\.gz of slot a is damaged"):
        check_way_back(host.state, host.esp)
    host.esp.remove("/zeroth/a/entry.cfg")
    with pytest.raises(UserError, match="holds nothing"):
        check_way_back(host.state, host.esp)


def test_a_slot_that_never_proved_itself_is_none_to_go_back_to(tmp_path: Path) -> None:
    host = FileHost.make(tmp_path)
    host.upgrade()
    (host.state.folder("b") / "store").mkdir(parents=True)
    write_boot_state(host.esp, BootState("a", "b", 0))
    with pytest.raises(UserError, match=f"Host {HEADER.version}.* never proved itself"):
        check_way_back(host.state, host.esp)

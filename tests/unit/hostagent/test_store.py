"""The store: transactions, relations, generations, restarts."""

from __future__ import annotations

import sqlite3
import stat
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hostagent.store import NotFound, Store
from hostagent.store.database import SCHEMA_VERSION
from hostagent.xenapi.model import NULL
from zeroth.errors import UserError


def test_a_record_has_every_field(store: Store) -> None:
    with store.transaction() as tx:
        ref = tx.create("VM", {"name_label": "one", "memory_static_max": "1024"})
    record = store.get("VM", ref)
    assert record["memory_static_max"] == 1024
    assert record["power_state"] == "Halted"
    assert record["HVM_shadow_multiplier"] == 1.0
    assert len(record) == 92
    assert store.by_uuid("VM", record["uuid"]) == ref
    assert store.all("VM") == {ref: record}
    assert store.only("VM") == ref


def test_defaults_are_not_shared(store: Store) -> None:
    with store.transaction() as tx:
        one, two = tx.create("VM", {}), tx.create("VM", {})
    store.get("VM", one)["tags"].append("x")
    assert store.get("VM", two)["tags"] == []


def test_records_cannot_be_written_to(store: Store) -> None:
    with store.transaction() as tx:
        ref = tx.create("VM", {})
    with pytest.raises(TypeError):
        store.get("VM", ref)["name_label"] = "x"  # type: ignore[index]


def test_mistakes_are_refused(store: Store) -> None:
    with store.transaction() as tx:
        ref = tx.create("VM", {"uuid": "u"})
    with pytest.raises(ValueError, match="no field 'nonsense'"), store.transaction() as tx:
        tx.update("VM", ref, nonsense=1)
    with pytest.raises(ValueError, match="VM.power_state"), store.transaction() as tx:
        tx.update("VM", ref, power_state="Flying")
    with pytest.raises(ValueError, match="kept by the store"), store.transaction() as tx:
        tx.update("VM", ref, consoles=[])
    with pytest.raises(ValueError, match="uuid u already"), store.transaction() as tx:
        tx.create("VM", {"uuid": "u"})
    with pytest.raises(ValueError, match="uuid v already"), store.transaction() as tx:
        tx.create("VM", {"uuid": "v"})
        tx.create("VM", {"uuid": "v"})
    with pytest.raises(NotFound), store.transaction() as tx:
        tx.delete("VM", "OpaqueRef:none")
    with pytest.raises(NotFound):
        store.get("VM", "OpaqueRef:none")
    with pytest.raises(RuntimeError, match="inside"), store.transaction(), store.transaction():
        pass
    assert list(store.all("VM")) == [ref]


def test_all_or_nothing(store: Store) -> None:
    before = store.generation
    with pytest.raises(ZeroDivisionError), store.transaction() as tx:
        ref = tx.create("VM", {})
        assert tx.get("VM", ref)["name_label"] == ""
        assert list(tx.all("VM")) == [ref]
        assert store.all("VM") == {}
        _ = 1 / 0
    assert store.all("VM") == {}
    assert store.generation == before
    with store.transaction() as tx:  # and the next one works
        tx.create("VM", {})


def test_sets_follow_references(store: Store) -> None:
    with store.transaction() as tx:
        host, other = tx.create("host", {}), tx.create("host", {})
        network = tx.create("network", {})
        pif = tx.create("PIF", {"host": host, "network": network})
        assert tx.get("host", host)["PIFs"] == [pif]
    assert store.get("network", network)["PIFs"] == [pif]
    with store.transaction() as tx:
        tx.update("PIF", pif, host=other)
    assert (store.get("host", host)["PIFs"], store.get("host", other)["PIFs"]) == ([], [pif])
    with store.transaction() as tx:
        tx.delete("PIF", pif)
    assert store.get("host", other)["PIFs"] == []
    with store.transaction() as tx:
        tx.create("PIF", {"host": "OpaqueRef:gone"})  # no such parent: nothing to keep


def test_changes(store: Store) -> None:
    with store.transaction() as tx:
        one, two, three = (tx.create("VM", {"name_label": name}) for name in ("1", "2", "3"))
    since = store.generation
    everything = {"VM": None, "task": None}
    assert not store.changes(since, everything)
    with store.transaction() as tx:
        tx.update("VM", one, name_label="x")
        tx.update("VM", one, name_label="y")
        tx.update("VM", two, name_label="2")  # as it was
        tx.delete("VM", three)
        four = tx.create("VM", {})
        tx.delete("VM", tx.create("VM", {}))
    changes = store.changes(since, everything)
    assert [change.ref for change in changes.added] == [four]
    assert [(change.ref, change.record and change.record["name_label"]) for change in changes.modified] == [(one, "y")]
    assert [(change.ref, change.record) for change in changes.deleted] == [(three, None)]
    assert changes.last == store.generation
    assert [change.ref for change in store.changes(since, {"VM": frozenset({one})}).modified] == [one]
    assert not store.changes(since, {"VM": frozenset({two})})
    assert [change.ref for change in store.changes(0, {"VM": None}).added] == [two, one, four]
    with store.transaction() as tx:
        tx.touch("VM", two)
    assert [change.ref for change in store.changes(changes.last, everything).modified] == [two]


def test_listeners(store: Store) -> None:
    heard: list[frozenset[str]] = []
    stop = store.subscribe(heard.append)
    with store.transaction() as tx:
        host = tx.create("host", {})
    with store.transaction() as tx:
        tx.create("PIF", {"host": host})
    with store.transaction() as tx:
        tx.update("host", host, name_label="")
    stop()
    with store.transaction() as tx:
        tx.create("VM", {})
    assert heard == [{"host"}, {"PIF", "host"}]


def test_threads_take_turns(store: Store) -> None:
    with store.transaction() as tx:
        ref = tx.create("VM", {})

    def count() -> None:
        for _ in range(25):
            with store.transaction() as tx:
                tx.update("VM", ref, user_version=tx.get("VM", ref)["user_version"] + 1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get("VM", ref)["user_version"] == 100


def test_a_restart_keeps_all_but_the_volatile(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "store.db"
    with Store(path) as store:
        with store.transaction() as tx:
            host = tx.create("host", {"last_software_update": datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)})
            vm = tx.create("VM", {"resident_on": host, "other_config": {"é": "ü\n"}})
            gone = tx.create("VM", {})
            tx.create("task", {})
            tx.create("session", {})
        since = store.generation
        with store.transaction() as tx:
            tx.delete("VM", gone)
        before = {cls: store.all(cls) for cls in ("host", "VM")}
        last = store.generation
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with Store(path) as store:
        assert {cls: store.all(cls) for cls in ("host", "VM")} == before
        assert store.all("task") == store.all("session") == {}
        assert store.get("host", host)["resident_VMs"] == [vm]
        assert [change.ref for change in store.changes(since, {"VM": None}).deleted] == [gone]
        assert store.generation == last
        with store.transaction() as tx:
            tx.touch("VM", vm)
        assert [change.ref for change in store.changes(last, {"VM": None}).modified] == [vm]


def test_a_crash_never_gives_a_number_twice(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    crashed = Store(path)
    with crashed.transaction() as tx:
        tx.create("task", {})
    seen = crashed.generation
    crashed._database.close(0)  # frees the lock
    with sqlite3.connect(path) as database:  # as it was before the orderly end
        database.execute("UPDATE meta SET value = ?", (crashed._reserved,))
    database.close()
    with Store(path) as store:
        assert store.generation >= seen


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with Store(tmp_path / "store.db"), pytest.raises(UserError, match="in use"):
        Store(tmp_path / "store.db")
    Store(tmp_path / "store.db").close()


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    Store(path).close()
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    database.close()
    with pytest.raises(UserError, match=f"schema {SCHEMA_VERSION + 1}") as caught:
        Store(path)
    assert "newer version" in caught.value.hint
    with pytest.raises(UserError, match="schema"):  # not "in use"
        Store(path)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"this is no database, but long enough to look at" * 100)
    with pytest.raises(UserError, match="cannot be used"):
        Store(path)


def test_fields_of_another_version(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with Store(path) as store, store.transaction() as tx:
        ref = tx.create("network", {"name_label": "kept"})
        tx.create("PIF", {"network": ref})
    with sqlite3.connect(path) as database:
        database.execute(
            "UPDATE object SET fields = json_remove(json_set(fields, '$.future', 1, '$.PIFs', json('[]')), '$.MTU')"
            " WHERE class = 'network'"
        )
        database.execute("INSERT INTO object VALUES ('future_class', 'OpaqueRef:x', 1, 1, '{}')")
    database.close()
    with Store(path) as store:
        record = store.get("network", ref)
        assert (record["name_label"], record["MTU"], len(record["PIFs"])) == ("kept", 1500, 1)


STEP = st.tuples(st.sampled_from(["create", "update", "delete", "look"]), st.integers(0, 5), st.integers(0, 3))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEP, max_size=30))
def test_who_follows_changes_knows_the_truth(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int]]
) -> None:
    """A client that applies what it is told since its last look has what is there, whatever happened between."""
    with Store(tmp_path_factory.mktemp("s") / "store.db") as store:
        known: dict[str, str] = {}
        since = 0

        def look() -> None:
            nonlocal since
            changes = store.changes(since, {"VM": None})
            for change in changes.added:
                assert change.ref not in known
            for change in (*changes.added, *changes.modified):
                assert change.record is not None
                known[change.ref] = change.record["name_label"]
            for change in changes.deleted:
                del known[change.ref]
            since = changes.last

        for what, which, value in steps:
            refs = list(store.all("VM"))
            with store.transaction() as tx:
                if what == "create":
                    tx.create("VM", {"name_label": str(value)})
                elif refs and what == "update":
                    tx.update("VM", refs[which % len(refs)], name_label=str(value))
                elif refs and what == "delete":
                    tx.delete("VM", refs[which % len(refs)])
            if what == "look":
                look()
        look()
        assert known == {ref: record["name_label"] for ref, record in store.all("VM").items()}


def test_old_deletions_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hostagent.store.database.TOMBSTONES", 3)
    path = tmp_path / "store.db"
    with Store(path) as store:
        refs = []
        for _ in range(6):
            with store.transaction() as tx:
                refs.append(tx.create("VM", {}))
        since = store.generation
        for ref in refs:
            with store.transaction() as tx:
                tx.delete("VM", ref)
        with sqlite3.connect(path) as database:
            assert database.execute("SELECT count(*) FROM tombstone").fetchone()[0] < 6
        database.close()
    with Store(path) as store:
        assert [change.ref for change in store.changes(since, {"VM": None}).deleted] == refs[3:]


def test_null_is_nobody(store: Store) -> None:
    assert not store.exists("VM", NULL)

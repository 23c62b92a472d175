"""The store and the graph: nothing is made twice, nothing half made stays, and a plan says why."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from images.cache import Store, tree_size
from images.graph import Results, Step, execute, plan
from images.inputs import digest_code, digest_tree, files_below
from zeroth.errors import UserError
from zeroth.progress import Event, EventKind, Stream
from zeroth.system.run import CommandFailed, run
from zeroth.system.size import Size


class Events:
    def __init__(self) -> None:
        self.seen: list[Event] = []

    def handle(self, event: Event) -> None:
        self.seen.append(event)


class Kitchen:
    """Steps that write what they were given, and remember that they ran."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def step(self, name: str, value: str, *needs: Step) -> Step:
        def make(out: Path, results: Results, _: object) -> None:
            self.ran.append(name)
            parts = [(results[need.name] / "text").read_text() for need in needs]
            (out / "text").write_text("+".join([*parts, value]))

        return Step(name, name.title(), {"value": value}, make, needs)


def go(store: Store, *targets: Step, jobs: int = 2) -> dict[str, Path]:
    with Stream([]).step("test") as report:
        return execute(targets, store, jobs=jobs, report=report)


def chain(kitchen: Kitchen, a: str = "1", b: str = "2", c: str = "3") -> Step:
    first = kitchen.step("a", a)
    return kitchen.step("c", c, kitchen.step("b", b, first), first)


def test_steps_run_once_and_in_order(tmp_path: Path) -> None:
    kitchen, store = Kitchen(), Store(tmp_path)
    results = go(store, chain(kitchen))
    assert kitchen.ran == ["a", "b", "c"]
    assert (results["c"] / "text").read_text() == "1+2+1+3"
    again = go(store, chain(kitchen))
    assert kitchen.ran == ["a", "b", "c"]
    assert again["c"] == results["c"]


def test_a_change_runs_what_depends_on_it_and_the_plan_says_so(tmp_path: Path) -> None:
    kitchen, store = Kitchen(), Store(tmp_path)
    go(store, chain(kitchen))
    planned = {item.step.name: item for item in plan([chain(kitchen, b="9")], store)}
    assert {name: item.run for name, item in planned.items()} == {"a": False, "b": True, "c": True}
    assert planned["b"].why == "changed: value"
    assert planned["c"].why == "changed: step b"
    assert planned["a"].why == "nothing changed"
    kitchen.ran.clear()
    assert (go(store, chain(kitchen, b="9"))["c"] / "text").read_text() == "1+9+1+3"
    assert kitchen.ran == ["b", "c"]


def test_what_nobody_asks_for_is_not_made_again(tmp_path: Path) -> None:
    kitchen, store = Kitchen(), Store(tmp_path)
    go(store, chain(kitchen))
    removed = Store(tmp_path, limit=Size(0)).prune({chain(kitchen).key})
    assert {meta.step for meta in removed} == {"a", "b"}
    kitchen.ran.clear()
    go(store, chain(kitchen))
    assert kitchen.ran == []


def test_independent_steps_run_at_the_same_time(tmp_path: Path) -> None:
    meeting = threading.Barrier(2, timeout=20)

    def make(out: Path, _: Results, __: object) -> None:
        meeting.wait()

    steps = [Step(name, name, {}, make) for name in ("left", "right")]
    assert set(go(Store(tmp_path), *steps)) == {"left", "right"}


def test_a_failure_leaves_nothing_and_stops_commands_of_other_steps(tmp_path: Path) -> None:
    started, outcome = threading.Event(), []

    def fails(out: Path, _: Results, __: object) -> None:
        (out / "half").write_text("x")
        started.wait(20)
        raise UserError("no")

    def runs_long(out: Path, _: Results, __: object) -> None:
        try:
            run(["sh", "-c", "echo ready; exec sleep 60"], on_line=lambda _: started.set())
        except CommandFailed as error:
            outcome.append(error.completed.status)
            raise

    store = Store(tmp_path)
    with pytest.raises(UserError, match="^no$"):
        go(store, Step("fails", "Fails", {}, fails), Step("long", "Long", {}, runs_long))
    assert outcome == [-15]
    assert list((tmp_path / "work").iterdir()) == []
    assert store.latest("fails") is None


def test_events_tell_each_step(tmp_path: Path) -> None:
    events, kitchen, store = Events(), Kitchen(), Store(tmp_path)
    go(store, kitchen.step("a", "1"))
    with Stream([events]).step("Build") as report:
        execute([kitchen.step("b", "2", kitchen.step("a", "1"))], store, jobs=1, report=report)
    seen = {(event.path[-1], event.kind) for event in events.seen}
    assert {("A", EventKind.SKIP), ("B", EventKind.START), ("B", EventKind.DONE)} <= seen


@given(st.dictionaries(st.text(min_size=1), st.text()), st.dictionaries(st.text(min_size=1), st.text()))
def test_keys_differ_when_inputs_do(one: dict[str, str], other: dict[str, str]) -> None:
    def step(inputs: dict[str, str]) -> Step:
        return Step("name", "Name", inputs, lambda *_: None)

    assert (step(one).key == step(other).key) is (one == other)


def test_prune_keeps_what_was_used_last(tmp_path: Path) -> None:
    store = Store(tmp_path, versions=2)
    for number in range(4):
        out = store.put("s", str(number) * 64, {}, lambda out: None)
        os.utime(out.parent / "meta.json", (number, number))
    store.get("s", "0" * 64)
    store.prune(())
    left = [number for number in range(4) if store.has("s", str(number) * 64)]
    assert len(left) == 2
    assert 0 in left
    store.prune((), coming=["s", "other"])
    assert [number for number in left if store.has("s", str(number) * 64)] == [0]


def test_a_cut_off_object_is_not_there(tmp_path: Path) -> None:
    store = Store(tmp_path)
    out = store.put("s", "f" * 64, {}, lambda out: None)
    (out.parent / "meta.json").write_text("{")
    assert not store.has("s", "f" * 64)
    assert store.put("s", "f" * 64, {}, lambda out: None) == out
    assert store.has("s", "f" * 64)


def test_a_second_build_says_that_it_waits(tmp_path: Path) -> None:
    said: list[str] = []
    with (tmp_path / "lock").open("w") as file:
        file.write("4711")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)

        def waiting(text: str) -> None:
            said.append(text)
            fcntl.flock(file, fcntl.LOCK_UN)

        with Store(tmp_path).locked(waiting):
            pass
    assert len(said) == 1
    assert "4711" in said[0]


def test_too_little_space_is_said_before(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not enough disk space"):
        Store(tmp_path).need_space(Size(1 << 60))


def test_tree_size_counts_links_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100_000)
    alone = tree_size(tmp_path)
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    assert tree_size(tmp_path) == alone


def test_digests_see_names_modes_content_and_links(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    file, link = tmp_path / "sub" / "file", tmp_path / "link"
    file.write_text("one")
    link.symlink_to("sub")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "x.pyc").write_text("ignored")

    def digest() -> str:
        return digest_tree(tmp_path, files_below(tmp_path))

    seen = [digest()]
    file.chmod(0o755)
    seen.append(digest())
    file.write_text("two")
    seen.append(digest())
    link.unlink()
    link.symlink_to("elsewhere")
    seen.append(digest())
    file.rename(file.with_name("other"))
    seen.append(digest())
    assert len(set(seen)) == len(seen)
    (tmp_path / "__pycache__" / "y.pyc").write_text("ignored too")
    assert digest() == seen[-1]


def test_layout_of_code_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "m.py"
    path.write_text('"""Doc."""\ndef f(a, b):\n    """Doc."""\n    return a + b  # sum\n')
    before = digest_code(path)
    path.write_text('"""Other."""\n\n\ndef f(\n    a,\n    b,\n):\n    return a + b\n')
    assert digest_code(path) == before
    path.write_text("def f(a, b):\n    return a - b\n")
    assert digest_code(path) != before

"""Three-way merging of /etc, on real folders."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zeroth.deploy.etcmerge import Entry, Kind, Merged, Outcome, decide, merge_etc, merge_text, read_entry

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="an overlay's marks are made by root")


class Sides:
    """/etc of two images, and what the host has in its overlay."""

    def __init__(self, folder: Path) -> None:
        self.base, self.theirs, self.upper = (folder / name for name in ("base", "theirs", "upper"))
        for side in (self.base, self.theirs, self.upper):
            side.mkdir()

    def put(self, path: str, base: str | None, ours: str | None, theirs: str | None) -> None:
        for side, text in ((self.base, base), (self.upper, ours), (self.theirs, theirs)):
            if text is not None:
                (side / path).parent.mkdir(parents=True, exist_ok=True)
                (side / path).write_text(text)

    def merge(self) -> dict[str, Merged]:
        return {one.path: one for one in merge_etc(self.base, self.theirs, self.upper)}

    def ours(self, path: str) -> str:
        return (self.upper / path).read_text()


@pytest.fixture
def sides(tmp_path: Path) -> Sides:
    return Sides(tmp_path)


LINES = "".join(f"line {number}\n" for number in range(20))


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "outcome", "text"),
    [
        ("1\n", "1\n", "2\n", Outcome.FOLLOWS, None),
        ("1\n", "2\n", "2\n", Outcome.FOLLOWS, None),
        (None, "1\n", "1\n", Outcome.FOLLOWS, None),
        ("1\n", "2\n", "1\n", Outcome.KEPT, "2\n"),
        (None, "own\n", None, Outcome.KEPT, "own\n"),
        ("1\n", "2\n", "3\n", Outcome.CONFLICT, "2\n"),
        (None, "own\n", "new\n", Outcome.CONFLICT, "own\n"),
        ("1\n", "2\n", None, Outcome.CONFLICT, "2\n"),
        ("1\0\n", "1\0\n2\n", "0\n1\0\n", Outcome.CONFLICT, "1\0\n2\n"),
        (LINES, LINES + "own\n", "new\n" + LINES, Outcome.MERGED, "new\n" + LINES + "own\n"),
    ],
)
def test_files(
    sides: Sides, base: str | None, ours: str, theirs: str | None, outcome: Outcome, text: str | None
) -> None:
    sides.put("d/f", base, ours, theirs)
    found = sides.merge()["d/f"]
    assert found.outcome is outcome
    assert (sides.upper / "d/f").exists() == (text is not None)
    if text is not None:
        assert sides.ours("d/f") == text
    beside = sides.upper / "d/f.zeroth-new"
    assert beside.exists() == (outcome is Outcome.CONFLICT and theirs is not None)
    if beside.exists():
        assert beside.read_text() == theirs
        assert "d/f.zeroth-new" in found.why


def test_a_folder_that_holds_nothing_any_more_goes(sides: Sides) -> None:
    sides.put("d/e/f", "1\n", "1\n", "2\n")
    sides.put("d/kept", None, "own\n", None)
    sides.merge()
    assert [path.name for path in (sides.upper / "d").iterdir()] == ["kept"]


def test_permissions_are_merged_too(sides: Sides) -> None:
    sides.put("own", "1\n", "1\n", "2\n")
    (sides.upper / "own").chmod(0o600)
    sides.put("image", LINES, LINES + "own\n", LINES)
    (sides.theirs / "image").chmod(0o640)
    found = sides.merge()
    assert {found["own"].outcome, found["image"].outcome} == {Outcome.MERGED}
    assert (sides.ours("own"), read_entry(sides.upper / "own").access[0]) == ("2\n", 0o600)
    assert read_entry(sides.upper / "image").access[0] == 0o640
    # And those of a folder in which something of the host's lies.
    sides.put("f/own", None, "x\n", None)
    (sides.base / "f").mkdir()
    (sides.theirs / "f").mkdir(mode=0o700)
    sides.merge()
    assert stat.S_IMODE((sides.upper / "f").stat().st_mode) == 0o700


def test_links(sides: Sides) -> None:
    for side, target in ((sides.base, "old"), (sides.upper, "own"), (sides.theirs, "new")):
        (side / "both").symlink_to(target)
        (side / "image").symlink_to(target if side is not sides.upper else "old")
    found = sides.merge()
    assert found["both"].outcome is Outcome.CONFLICT
    assert (sides.upper / "both").readlink() == Path("own")
    assert (sides.upper / "both.zeroth-new").readlink() == Path("new")
    assert found["image"].outcome is Outcome.FOLLOWS


def test_what_lies_behind_a_link_is_not_at_that_path(sides: Sides, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "f").write_text("foreign\n")
    (sides.theirs / "d").symlink_to(tmp_path / "elsewhere")
    sides.put("d/f", None, "own\n", None)
    found = sides.merge()
    assert found["d/f"].outcome is Outcome.KEPT
    assert found["d"].why == "it is a link in the new image; your own folder is kept"
    assert sides.ours("d/f") == "own\n"
    assert (tmp_path / "elsewhere" / "f").read_text() == "foreign\n"


@AS_ROOT
def test_removals(sides: Sides) -> None:
    for name, base, theirs in (("same", "1\n", "1\n"), ("changed", "1\n", "2\n"), ("gone", "1\n", None)):
        sides.put(name, base, None, theirs)
        os.mknod(sides.upper / name, stat.S_IFCHR, 0)
    found = sides.merge()
    assert {name: found[name].outcome for name in found} == {
        "same": Outcome.KEPT, "changed": Outcome.CONFLICT, "gone": Outcome.FOLLOWS,
    }  # fmt: skip
    assert sorted(path.name for path in sides.upper.iterdir()) == ["changed", "same"]


def test_what_programs_make_follows_the_image(sides: Sides) -> None:
    for name in (".updated", "ld.so.cache", "passwd-", "motd.zeroth-new"):
        sides.put(name, "1", "2", "3")
    sides.put("d/ld.so.cache", None, "own\n", None)
    assert list(sides.merge()) == ["d/ld.so.cache"]
    assert [path.name for path in sides.upper.iterdir()] == ["d"]


def test_accounts(sides: Sides) -> None:
    root, ada, new = "root:x:0:0::/root:/bin/sh\n", "ada:x:1000:1000:::\n", "newd:x:840:840:::\n"
    sides.put("passwd", root, root + ada, root + new)
    sides.put("shadow", "root:*:1::::::\n", "root:$6$:1::::::\n", "root:*:1::::::\nnewd:!*:1::::::\n")
    (sides.upper / "shadow").chmod(0o640)
    (sides.base / "shadow").chmod(0o640)
    (sides.theirs / "shadow").chmod(0o640)
    found = sides.merge()
    assert {found["passwd"].outcome, found["shadow"].outcome} == {Outcome.MERGED}
    assert sides.ours("passwd") == root + ada + new
    assert sides.ours("shadow") == "root:$6$:1::::::\nnewd:!*:1::::::\n"
    assert read_entry(sides.upper / "shadow").access[0] == 0o640


ENTRIES = st.builds(
    Entry, st.sampled_from([Kind.FILE, Kind.LINK, Kind.FOLDER]), st.sampled_from([b"", b"1", b"2"]),
    st.sampled_from([(0o644, 0, 0), (0o600, 0, 0)]),
) | st.just(Entry())  # fmt: skip


@given(ENTRIES, ENTRIES, ENTRIES)
def test_decisions(base: Entry, ours: Entry, theirs: Entry) -> None:
    outcome, wanted = decide(base, ours, theirs)
    if ours == base:
        assert wanted == theirs
    if theirs in (base, ours):
        assert wanted == ours
    # Nothing that the host changed gets lost.
    if ours not in (base, theirs) and outcome is not Outcome.MERGED:
        assert wanted == ours
    if outcome is Outcome.MERGED:
        assert base.kind is ours.kind is theirs.kind is wanted.kind
        assert wanted.data == ours.data or ours.data == base.data


TEXTS = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "\n"]), max_size=8).map("".join)


@settings(max_examples=40, deadline=None)
@given(before=TEXTS, after=TEXTS, own=TEXTS, new=TEXTS)
def test_changes_at_both_ends_of_a_text_are_merged(
    tmp_path_factory: pytest.TempPathFactory, before: str, after: str, own: str, new: str
) -> None:
    folder = tmp_path_factory.mktemp("texts")
    base, ours, theirs = (folder / name for name in ("base", "ours", "theirs"))
    middle = "".join(f"{number}\n" for number in range(9))
    base.write_text(before + middle + after)
    ours.write_text(own + middle + after)
    theirs.write_text(before + middle + new)
    assert merge_text(base, ours, theirs) == own + middle + new


@settings(max_examples=40, deadline=None)
@given(base=TEXTS, ours=TEXTS, theirs=TEXTS)
def test_a_merged_text_has_no_marks_and_no_foreign_lines(
    tmp_path_factory: pytest.TempPathFactory, base: str, ours: str, theirs: str
) -> None:
    folder = tmp_path_factory.mktemp("texts")
    paths = [folder / name for name in ("base", "ours", "theirs")]
    for path, text in zip(paths, (base, ours, theirs), strict=True):
        path.write_text(text)
    merged = merge_text(*paths)
    if merged is not None:
        assert set(merged) <= set(base + ours + theirs)
    if ours == theirs or theirs == base:
        assert merged == ours

"""The tool that puts a user's files into the tree."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from images.customisation.stage import stage_files
from tests.unit.images.elements import tool
from tests.unit.images.test_customisation import ROOT, good

put_files = tool("zeroth-customise", "put_files")


def put(tmp_path: Path, target: str, content: str = "new", mode: int = 0o644) -> None:
    source = tmp_path / "content"
    source.write_text(content)
    put_files.put(tmp_path / "tree", {"target": target, "mode": mode, "owner": "root"}, source)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for folder in ("usr/lib", "etc", "proc", "var/lib/dpkg"):
        (root / folder).mkdir(parents=True)
    (root / "lib").symlink_to("usr/lib")
    return root


def test_a_file_is_put_where_links_of_the_tree_lead(tree: Path, tmp_path: Path) -> None:
    (tree / "etc/absolute").symlink_to("/usr/share/site")
    put(tmp_path, "/lib/site/a", mode=0o755)
    put(tmp_path, "/etc/absolute/b")
    assert (tree / "usr/lib/site/a").stat().st_mode & 0o777 == 0o755
    assert (tree / "usr/share/site/b").read_text() == "new"
    assert not Path("/usr/share/site").exists()


def test_a_link_at_the_target_is_replaced_and_not_followed(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("old")
    (tree / "etc/a").symlink_to(tmp_path / "outside")
    put(tmp_path, "/etc/a")
    assert (tmp_path / "outside").read_text() == "old"
    assert not (tree / "etc/a").is_symlink()
    assert not [path for path in (tree / "etc").iterdir() if "zeroth-new" in path.name]


@pytest.mark.parametrize(
    ("link", "leads", "target", "message"),
    [
        ("etc/up", "../../../..", "/etc/up/escaped", None),
        ("etc/proc", "/proc", "/etc/proc/x", "leads it to /proc"),
        ("etc/dpkg", "../var/lib", "/etc/dpkg/dpkg/status", "leads it to /var/lib/dpkg"),
        ("etc/loop", "loop", "/etc/loop/x", "in circles"),
        ("etc/root", "/", "/etc/root/boot", "leads it to /boot"),
    ],
)
def test_links_lead_nowhere_else(
    tree: Path, tmp_path: Path, link: str, leads: str, target: str, message: str | None
) -> None:
    (tree / link).symlink_to(leads)
    if message is None:
        put(tmp_path, target)
        assert (tree / "escaped").read_text() == "new", "as in a chroot, .. of the root is the root"
        return
    with pytest.raises(ValueError, match=message):
        put(tmp_path, target)


def test_files_and_folders_are_not_confused(tree: Path, tmp_path: Path) -> None:
    (tree / "etc/file").write_text("x")
    with pytest.raises(ValueError, match="is no folder"):
        put(tmp_path, "/etc/file/a")
    with pytest.raises(ValueError, match="a folder lies there"):
        put(tmp_path, "/usr/lib")


def test_staged_files_are_put_by_the_tool(tree: Path, tmp_path: Path) -> None:
    own = good()
    stage_files([replace(file, owner="root") for file in own.files], tmp_path / "stage")
    script = ROOT / "images/elements/zeroth-customise/zeroth-customise-tools/put_files.py"
    done = subprocess.run(["python3", script, tmp_path / "stage", "--root", tree], capture_output=True, text=True)
    assert done.stdout == f"{len(own.files)} files\n", done.stderr
    for file in own.files:
        found = tree / file.target.lstrip("/")
        assert found.stat().st_mode & 0o7777 == file.mode
        assert file.content == found.read_bytes() if isinstance(file.content, bytes) else found.exists()

"""What differs between two trees is named."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.reproducible.compare import first_difference


def _tree(folder: Path) -> Path:
    (folder / "etc").mkdir(parents=True)
    (folder / "etc" / "a").write_text("a")
    (folder / "etc" / "b").write_text("b")
    (folder / "link").symlink_to("etc/a")
    for path in (folder / "etc" / "a", folder / "etc" / "b"):
        os.utime(path, (1000, 1000))
    return folder


def test_the_same(tmp_path: Path) -> None:
    assert first_difference(_tree(tmp_path / "one"), _tree(tmp_path / "two")) == ""


CHANGES = {
    "etc/b: the content": "printf c >etc/b",
    "etc/b: 1 and 2 bytes": "printf cc >etc/b",
    "etc/b: mode 0o644 and 0o600": "chmod 600 etc/b",
    "etc/b: time 1000 and 2000": "touch -d @2000 etc/b",
    "etc/b: only in": "rm etc/b",
    "new: only in": "mkdir new",
    "link: a link to etc/a and to x": "ln -sfn x link",
    "etc/b: kind - and d": "rm etc/b; mkdir etc/b",
    "etc/a: the content": "printf x >etc/b; printf x >etc/a",
}


@pytest.mark.parametrize("said", CHANGES)
def test_each_difference_is_named(tmp_path: Path, said: str) -> None:
    one, two = _tree(tmp_path / "one"), _tree(tmp_path / "two")
    (one / "etc" / "b").chmod(0o644)
    (two / "etc" / "b").chmod(0o644)
    subprocess.run(["sh", "-c", CHANGES[said]], cwd=two, check=True)
    assert first_difference(one, two).startswith(said)


def test_what_is_younger_than_the_packing_lets_it_be_is_no_difference(tmp_path: Path) -> None:
    one, two = _tree(tmp_path / "one"), _tree(tmp_path / "two")
    os.utime(one / "etc" / "b", (5000, 5000))
    os.utime(two / "etc" / "b", (6000, 6000))
    assert first_difference(one, two, latest=4000) == ""
    assert "time 4000 and 1000" in first_difference(one, _tree(tmp_path / "three"), latest=4000)

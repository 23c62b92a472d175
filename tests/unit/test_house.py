"""The rules of the house that a machine can check."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from zeroth.system.run import run

ROOT = Path(__file__).parents[2]
ROOMS = ("images", "installer", "pxe", "firstboot", "hostagent")
ALLOWED_ACROSS = {"firstboot": ("hostagent.store", "hostagent.pool")}
MODULES = [path for top in ("zeroth", *ROOMS) for path in sorted((ROOT / top).rglob("*.py"))]


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_downwards(path: Path) -> None:
    own = path.relative_to(ROOT).parts[0]
    for name in _imports(path):
        top = name.split(".")[0]
        if top not in ROOMS or top == own:
            continue
        allowed = ALLOWED_ACROSS.get(own, ())
        assert any(name == ok or name.startswith(ok + ".") for ok in allowed), f"{path} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_can_be_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


def test_nothing_slips_into_the_tree() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is not a checkout")
    for name in run(["git", "ls-files", "-z"], cwd=ROOT).stdout.split("\0"):
        path = ROOT / name
        # Links are for the image alone; so large is a picture or the list of pinned dependencies, or it was built.
        assert not path.is_symlink() or name.startswith("images/elements/"), f"{name} is a link"
        large = not path.is_symlink() and path.is_file() and path.stat().st_size > 128 << 10
        assert not large or name.startswith(("docs/pictures/", "requirements/")), f"{name} is large for a text"

"""Digests of what goes into a step."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from zeroth.system.files import sha256_file

__all__ = ["digest_code", "digest_file", "digest_text", "digest_tree", "files_below"]

_IGNORED = frozenset({"__pycache__", ".mypy_cache", ".ruff_cache", "node_modules"})


def digest_text(text: str) -> str:
    """The digest of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def digest_file(path: Path) -> str:
    """The digest of a file's content and of whether it can be executed; of a link, its target."""
    if path.is_symlink():
        return digest_text(f"link {path.readlink()}")
    return sha256_file(path) + ("x" if path.stat().st_mode & 0o111 else "")


def digest_code(path: Path) -> str:
    """The digest of what a Python module does: its layout, comments and docstrings do not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return digest_text(ast.dump(tree))


def digest_tree(root: Path, paths: Iterable[Path]) -> str:
    """One digest of many files: their names relative to ``root``, and what :func:`digest_file` looks at."""
    return digest_text("\n".join(f"{path.relative_to(root)} {digest_file(path)}" for path in sorted(set(paths))))


def files_below(folder: Path) -> Iterator[Path]:
    """All files below a folder, without what tools leave behind there."""
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.name in _IGNORED or path.name.endswith((".pyc", "~", ".swp", ".egg-info")):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from files_below(path)
        else:
            yield path

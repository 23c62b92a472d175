"""The generated pages say what the code says, and links lead somewhere."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from zeroth.system.run import run

ROOT = Path(__file__).parents[2]
TEXTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_generated_pages_are_current() -> None:
    # In a process of its own: click remembers in each command how its help was first called.
    done = run([sys.executable, "-m", "tools.reference", "--check"], cwd=ROOT, ok=(0, 1))
    assert done.status == 0, done.stdout


@pytest.mark.parametrize("page", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name} points to {target}"

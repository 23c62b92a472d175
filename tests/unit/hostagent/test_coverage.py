"""The page about coverage says what the code does."""

from __future__ import annotations

from pathlib import Path

from hostagent.coverage import page

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "xenapi-coverage.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == page(), f"run: python -m hostagent.coverage {PAGE}"


def test_the_page_tells_both_sides() -> None:
    text = page()
    assert "`login_with_password`" in text
    assert "**Not yet:**" in text
    assert "`snapshot_with_quiesce`" in text.split("**Removed:**", 1)[1]

"""What the product is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from zeroth.system.product import product_name


@pytest.mark.parametrize(
    ("text", "name"),
    [(None, "zeroth"), ("Example Cloud Host\n", "Example Cloud Host"), ("\n", "zeroth"), ("a\x1b[2J\n", "zeroth")],
)
def test_the_name_comes_from_the_image(tmp_path: Path, text: str | None, name: str) -> None:
    path = tmp_path / "usr/lib/zeroth/product"
    path.parent.mkdir(parents=True)
    if text is not None:
        path.write_text(text)
    assert product_name(tmp_path) == name

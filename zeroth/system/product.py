"""What the product is called where people see it: zeroth, unless its image was given another name."""

from __future__ import annotations

from pathlib import Path

__all__ = ["NAME", "product_name"]

NAME = "zeroth"
_LIMIT = 80


def product_name(root: Path = Path("/")) -> str:
    """The name that the image at ``root`` was given when it was built (``branding.product``), else ours."""
    try:
        with (root / "usr/lib/zeroth/product").open(encoding="utf-8", errors="replace") as file:
            name = file.readline(_LIMIT).strip()
    except OSError:
        return NAME
    return name if name and name.isprintable() else NAME

"""Network masks of XenServer's answer files."""

from __future__ import annotations

import pytest

from zeroth.spec.importers.xenserver_network import prefix_length


@pytest.mark.parametrize(
    ("mask", "length"),
    [
        ("255.255.255.0", 24),
        ("0.0.0.0", 0),
        ("255.255.255.255", 32),
        ("255.0.255.0", None),
        ("0.0.0.255", None),
        ("24", None),
    ],
)
def test_network_masks(mask: str, length: int | None) -> None:
    assert prefix_length(mask) == length

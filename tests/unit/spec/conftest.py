"""What several test modules of this room need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.spec.reader import KeptReader, kept_reader


@pytest.fixture(scope="session")
def reader() -> Iterator[KeptReader]:
    """One kickstart reader for the whole run."""
    with kept_reader() as kept:
        yield kept

"""Fixtures: a store, a certificate, an agent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hostagent.store import Store
from tests.unit.hostagent.support import Agent, Certificate, make_certificate, running_agent


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store.db") as opened:
        yield opened


@pytest.fixture
def agent(store: Store, certificate: Certificate) -> Iterator[Agent]:
    with running_agent(store, certificate) as running:
        yield running

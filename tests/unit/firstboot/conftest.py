"""What the tests of whole first boots share."""

from __future__ import annotations

from pathlib import Path

import pytest

from firstboot.steps import certificate
from tests.unit.firstboot.host import Host
from zeroth.system import certificate as certificates

_KEY = certificates.new_key()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    # Making RSA keys and waiting for the disk take longer than all the rest.
    monkeypatch.setattr(certificate, "new_key", lambda: _KEY)
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)

"""Digests of mostly empty disks, and answers that a HostSpec accepts."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tests.lab import answers, disks
from zeroth.spec.model import HostSpec
from zeroth.system.size import GIB, MIB, Size


def test_a_digest_sees_every_write(tmp_path: Path) -> None:
    path = disks.blank(tmp_path / "disk", Size(20 * GIB))
    seen = {disks.digest(path)}
    for offset, data in ((0, b"a"), (10 * GIB, b"a"), (10 * GIB, b"b"), (19 * GIB, b"\0" * 4096)):
        with path.open("r+b") as file:
            file.seek(offset)
            file.write(data)
        digest = disks.digest(path)
        assert digest not in seen
        assert disks.digest(path) == digest
        seen.add(digest)
    assert path.stat().st_blocks * 512 < MIB


def test_disks_of_other_sizes_differ(tmp_path: Path) -> None:
    assert disks.digest(disks.blank(tmp_path / "a", MIB)) != disks.digest(disks.blank(tmp_path / "b", Size(2 * MIB)))


def test_the_lab_answer_is_a_hostspec(monkeypatch: pytest.MonkeyPatch) -> None:
    blob = base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(32)).decode()
    monkeypatch.setattr(answers, "public_key", lambda: f"ssh-ed25519 {blob} zeroth-lab")
    (text,) = answers.answer(reinstall=True).values()
    spec = HostSpec.model_validate(json.loads(text))
    assert spec.hostname == answers.HOSTNAME
    assert spec.disk.wipe
    assert spec.reinstall

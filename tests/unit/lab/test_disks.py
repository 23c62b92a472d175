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


@pytest.mark.parametrize("place", [0, (1 << 20) - 4, 5 << 20])
def test_words_are_found_wherever_they_stand_on_a_disk(tmp_path: Path, place: int) -> None:
    path = disks.blank(tmp_path / "disk.raw", Size(16 << 20))
    with path.open("r+b") as file:
        file.write(b"x" * (2 << 20))
        file.seek(place)
        file.write(b"secret words")
    assert disks.holds(path, b"secret words")
    assert not disks.holds(path, b"secret wordsy")


def test_words_on_both_sides_of_a_hole_are_none(tmp_path: Path) -> None:
    path = disks.blank(tmp_path / "disk.raw", Size(16 << 20))
    with path.open("r+b") as file:
        file.seek((1 << 20) - 6)
        file.write(b"secret")
        file.seek(8 << 20)
        file.write(b" words")
    assert not disks.holds(path, b"secret words")

"""The local storage repository at first boot: made, taken over, and tried again where it does not work."""

from __future__ import annotations

from pathlib import Path

import pytest

from firstboot.journal import read
from firstboot.steps import certificate
from tests.unit.drivers.lvm_model import device_nodes
from tests.unit.firstboot.host import Host
from zeroth.deploy.localsr import LocalSrRecord, read_record, write_record
from zeroth.system import certificate as certificates

UUID = "11111111-2222-4333-8444-555555555555"
_KEY = certificates.new_key()


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr(certificate, "new_key", lambda: _KEY)
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    return Host(tmp_path)


def _write(host: Host, *, count: int = 2, kept: bool = False) -> tuple[str, ...]:
    devices = tuple(f"PARTUUID=uuid-{number}" for number in range(count))
    write_record(host.paths.local_sr, LocalSrRecord(uuid=UUID, devices=devices, kept=kept))
    return device_nodes(host.paths.of("dev"), count)


def _note(host: Host) -> str:
    return next(entry.note for entry in read(host.paths.journal).steps if entry.name == "storage")


def test_without_one_lvm_is_left_alone(host: Host) -> None:
    assert host.boot()
    assert not host.programs.lvm.calls
    assert not host.paths.local_sr.exists()
    assert _note(host) == ""


def test_it_is_made_of_all_disks_once(host: Host) -> None:
    nodes = _write(host)
    assert host.boot()
    assert host.programs.lvm.volumes == dict.fromkeys(nodes, "zeroth-sr")
    record = read_record(host.paths.local_sr)
    assert record
    assert (record.uuid, record.group, record.group_uuid) == (UUID, "zeroth-sr", "uuid-of-zeroth-sr")
    assert _note(host) == ""
    calls = len(host.programs.lvm.calls)
    assert host.boot()
    assert len(host.programs.lvm.calls) == calls


def test_one_that_was_kept_is_taken_over(host: Host) -> None:
    [node] = _write(host, count=1, kept=True)
    lvm = host.programs.lvm
    lvm.volumes, lvm.groups = {node: "zeroth-sr"}, {"zeroth-sr": ["zeroth-sr=old"]}
    assert host.boot()
    record = read_record(host.paths.local_sr)
    assert record
    assert (record.uuid, record.group) == ("old", "zeroth-sr")
    assert lvm.active == {"zeroth-sr"}


def test_a_disk_that_is_missing_is_told_and_waited_for(host: Host) -> None:
    """The host is there without it; at a later start it is made."""
    [first, second] = _write(host)
    Path(second).unlink()
    assert host.boot()
    assert "PARTUUID=uuid-1 of the local storage repository cannot be found" in _note(host)
    assert "zeroth firstboot run" in _note(host)
    assert not host.programs.lvm.volumes
    assert host.boot()
    assert _note(host)
    Path(second).touch()
    assert host.boot()
    assert _note(host) == ""
    assert host.programs.lvm.volumes == {first: "zeroth-sr", second: "zeroth-sr"}


def test_a_damaged_record_ends_nothing(host: Host) -> None:
    host.paths.local_sr.write_text("?")
    assert host.boot()
    assert "cannot be understood" in _note(host)

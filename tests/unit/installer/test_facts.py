"""Facts and their recordings."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.installer.machines import RECORDINGS, disk, machine, recorded
from zeroth.errors import UserError
from zeroth.system.facts import DmiFacts, Facts, RecordedMachine, Signature
from zeroth.system.live import LiveMachine

NAMES = sorted(path.stem for path in RECORDINGS.glob("*.json"))


@pytest.mark.parametrize("name", NAMES)
def test_recordings_round_trip(name: str) -> None:
    facts = recorded(name)
    assert facts.dmi.product
    assert Facts.model_validate_json(facts.model_dump_json()) == facts


def test_this_machine(tmp_path: Path) -> None:
    """Whatever it is, it has facts, and they can be recorded."""
    facts = LiveMachine().facts()
    assert facts.memory > 64 << 20
    assert facts.cpu.count >= 1
    assert facts.clock.endswith("+00:00")
    path = tmp_path / "machine.json"
    path.write_text(facts.model_dump_json())
    assert RecordedMachine(path).facts() == facts


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"disks": 3}', '{"unknown": 1}', '{"disks": [{"path": "/dev/sda"}]}']
)
def test_no_recordings(tmp_path: Path, text: str) -> None:
    path = tmp_path / "machine.json"
    path.write_text(text)
    with pytest.raises(UserError, match="recorded machine") as caught:
        RecordedMachine(path).facts()
    assert "probe --json" in caught.value.hint
    with pytest.raises(UserError, match="cannot read"):
        RecordedMachine(tmp_path / "none.json").facts()


def test_contents_say_each_thing_once() -> None:
    table = (Signature(type="gpt", offset=512), Signature(type="gpt", offset=999), Signature(type="PMBR", offset=510))
    assert disk().contents == ()
    assert disk(table="gpt", signatures=table).contents == ("gpt partition table with 0 partitions",)
    assert disk(signatures=table[:1]).contents == ("gpt",)


def test_shared_uuids_are_no_identity() -> None:
    assert DmiFacts(uuid="FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF").identity == ""
    assert DmiFacts(uuid="4C4C4544-0042-3510-8052-B4C04F4E3132").identity == "4c4c4544-0042-3510-8052-b4c04f4e3132"
    assert machine().dmi.identity

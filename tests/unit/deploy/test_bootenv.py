"""GRUB's environment block: its format, and writing it in place."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeroth.deploy.bootenv import (
    ENVIRONMENT,
    BootState,
    make_boot_state,
    merged,
    read_boot_state,
    write_boot_state,
)
from zeroth.deploy.esp import Esp
from zeroth.errors import UserError

SLOTS = st.sampled_from(["a", "b"])
STATES = st.builds(BootState, SLOTS, st.just("") | SLOTS, st.integers(0, 2))


@given(STATES)
def test_what_is_written_is_read(state: BootState) -> None:
    assert len(state.encode()) == 1024
    assert BootState.decode(state.encode()) == state
    # Everything stands in the first sector: a cut between two of them changes nothing.
    assert BootState.decode(state.encode()[:512]) == state


@given(st.binary(max_size=1024))
def test_nonsense_is_slot_a_without_a_trial(raw: bytes) -> None:
    found = BootState.decode(raw)
    assert found.committed in ("a", "b")
    assert found.trial in ("", "a", "b")
    assert 0 <= found.tries <= 2
    assert BootState.decode(b"committed=c\ntrial=x\ntries=3\n") == BootState()


def test_grub_reads_and_writes_the_same_format(tmp_path: Path) -> None:
    path = tmp_path / "grubenv"
    path.write_bytes(BootState("a", "b", 2).encode())
    listed = subprocess.run(["grub-editenv", path, "list"], capture_output=True, text=True, check=True).stdout
    assert listed.split() == ["committed=a", "trial=b", "tries=2"]
    subprocess.run(["grub-editenv", path, "set", "tries=1"], check=True)
    assert BootState.decode(path.read_bytes()) == BootState("a", "b", 1)


@pytest.fixture
def esp(tmp_path: Path) -> Esp:
    image = tmp_path / "esp"
    with image.open("wb") as file:
        file.truncate(64 << 20)
    made = Esp(image)
    made.make("ZEROTH-ESP", "12345678")
    return made


def test_it_is_overwritten_in_its_place(esp: Esp) -> None:
    esp.put_text("x" * 9000, "/zeroth/a/entry.cfg")
    make_boot_state(esp, BootState())
    esp.put_text("y" * 9000, "/zeroth/a/repair.cfg")
    before = esp.device.read_bytes()
    write_boot_state(esp, BootState("b", "a", 1))
    after = esp.device.read_bytes()
    changed = [
        place for place in range(0, len(before), 512) if before[place : place + 512] != after[place : place + 512]
    ]
    assert len(changed) == 1
    assert read_boot_state(esp) == BootState("b", "a", 1)
    assert esp.read_text(ENVIRONMENT).startswith("# GRUB Environment Block\ncommitted=b\n")


def test_without_one_it_says_so(esp: Esp) -> None:
    with pytest.raises(UserError, match="grubenv"):
        read_boot_state(esp)


def test_every_disk_gets_what_is_written(tmp_path: Path) -> None:
    images = [tmp_path / "one", tmp_path / "two"]
    for image in images:
        with image.open("wb") as file:
            file.truncate(34 << 20)
    both = Esp(*images)
    both.make("ZEROTH-ESP", "12345678")
    make_boot_state(both, BootState("a", generation=1))
    both.put_text("xen", "/zeroth/a/xen.gz")
    both.put_text("linux", "/zeroth/a/vmlinuz")
    both.rename("/zeroth/a/xen.gz", "/zeroth/a/xen")
    both.remove("/zeroth/a/vmlinuz")
    write_boot_state(both, BootState("a", "b", 2))
    for one in both.each:
        assert one.read_text("/zeroth/a/xen") == "xen"
        assert not one.exists("/zeroth/a/vmlinuz")
        assert (read_boot_state(one), read_boot_state(one).generation) == (BootState("a", "b", 2), 2)
    # A disk that is written alone is the newer one, and the next write brings both together again.
    write_boot_state(both.each[1], BootState("b"))
    assert read_boot_state(both) == BootState("b")
    write_boot_state(both, BootState("a"))
    assert {read_boot_state(one).generation for one in both.each} == {4}


def test_of_equal_blocks_the_fewest_tries_count() -> None:
    # GRUB counts down on the disk that it was started from.
    blocks = (BootState("a", "b", 2, generation=3), BootState("a", "b", 1, generation=3), BootState("a", generation=2))
    assert merged(blocks) == BootState("a", "b", 1)
    assert merged(tuple(reversed(blocks))).tries == 1

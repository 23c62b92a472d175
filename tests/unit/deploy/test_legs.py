"""The disks of a mirrored host: how they stand, and keeping their boot files in step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from zeroth.deploy.arrays import array_device
from zeroth.deploy.booted import Booted
from zeroth.deploy.bootenv import BootState, make_boot_state, read_boot_state
from zeroth.deploy.bootmenu import ENTRY, MENU
from zeroth.deploy.esp import Esp
from zeroth.deploy.layout import MIRRORED, InstallId, Part
from zeroth.deploy.legs import Leg, Mirror, sync_boot
from zeroth.deploy.marker import write_marker
from zeroth.errors import UserError
from zeroth.progress import Stream
from zeroth.system.block import partition_path
from zeroth.system.facts import MarkerFacts
from zeroth.system.mdraid import Array, Member
from zeroth.system.size import MIB

IDENTITY = InstallId(UUID("11111111-2222-4333-8444-555555555555"), mirror=True)
HERE = Booted("a", "", "", trial=False, mirror=True, generation=1)


def _mirror(*legs: Leg, missing: int = 0, done: int | None = None) -> Mirror:
    member = Member(Path("/dev/sda5"), Path("/dev/sda"), "in_sync")
    arrays = {part: Array(array_device(part), (member,), missing, 1000, done) for part in MIRRORED}
    return Mirror(IDENTITY, legs, arrays)


def _disk(tmp_path: Path, name: str, state: BootState, entry: str) -> Path:
    disk = tmp_path / name
    for path, size in ((disk, 3 * MIB), (partition_path(disk, Part.ESP), 34 * MIB)):
        with path.open("wb") as file:
            file.truncate(size)
    esp = Esp(partition_path(disk, Part.ESP))
    esp.make("ZEROTH-ESP", "12345678")
    esp.put_text("menu", MENU)
    esp.put_text(entry, f"/zeroth/b/{ENTRY}")
    make_boot_state(esp, state)
    return disk


def _sync(mirror: Mirror, here: Booted = HERE) -> bool:
    with Stream([]).step("sync") as step:
        return sync_boot(mirror, here, step)


def test_how_it_stands_in_words_and_as_data() -> None:
    one, two = Leg(Path("/dev/sda"), 1, whole=True, generation=3), Leg(Path("/dev/sdb"), 3, whole=True, generation=3)
    both = _mirror(one, two)
    assert both.whole
    assert both.lines()[-1] == "the mirror is whole: either disk may be lost"
    alone = _mirror(one, missing=1)
    assert not alone.whole
    assert "zeroth disk replace" in alone.lines()[-1]
    stale = _mirror(one, replace(two, whole=False, generation=1), missing=1)
    assert stale.lines()[1] == "/dev/sdb: out of date: not part of the mirror, its boot files are behind"
    parted = _mirror(one, replace(two, whole=False, partly=True), missing=1)
    assert parted.lines()[1].startswith("/dev/sdb: out of date in part")
    assert "zeroth disk replace" in parted.lines()[-1]
    filling = _mirror(one, replace(two, whole=False, filling=True), missing=1, done=250)
    assert "zeroth-state: 25 % filled" in filling.lines()
    told = filling.as_json()
    assert [leg["state"] for leg in told["disks"]] == ["whole", "filling"]  # type: ignore[attr-defined]
    assert told["arrays"][0] == {  # type: ignore[index]
        "partition": 3, "label": "zeroth-a", "device": "/dev/md3", "missing": 1, "size": 1000, "filled": 250,
    }  # fmt: skip


def test_a_mirror_that_does_not_run_in_full_is_not_whole() -> None:
    mirror = _mirror(Leg(Path("/dev/sda"), 1, whole=True))
    assert not replace(mirror, arrays={part: mirror.arrays[part] for part in MIRRORED[:-1]}).whole


@pytest.mark.parametrize("whole", [True, False])
def test_boot_files_that_are_behind_are_brought_up_to_date(tmp_path: Path, whole: bool) -> None:
    """Also those of a disk that is back and is no part of the mirror: the firmware may start it first."""
    new = _disk(tmp_path, "new", BootState("b", generation=4), "1.1")
    old = _disk(tmp_path, "old", BootState("a", generation=2), "1.0")
    mirror = _mirror(Leg(new, 1, whole=True, generation=4), Leg(old, 2, whole=whole, generation=2))
    assert _sync(mirror, replace(HERE, generation=2)), "the old one was started: from the wrong slot"
    esp = Esp(partition_path(old, Part.ESP))
    assert esp.read_text(f"/zeroth/b/{ENTRY}") == "1.1"
    assert (read_boot_state(esp), read_boot_state(esp).generation) == (BootState("b"), 4)
    assert not _sync(mirror, replace(HERE, generation=4))
    assert not _sync(mirror, replace(HERE, slot="b", generation=2)), "it came up right nevertheless"


def test_a_disk_that_is_being_made_whole_is_left_alone(tmp_path: Path) -> None:
    new = _disk(tmp_path, "new", BootState("b", generation=4), "1.1")
    other = _disk(tmp_path, "other", BootState("a", generation=2), "1.0")
    write_marker(other, MarkerFacts(phase="rebuilding", digest="", install=IDENTITY.value))
    _sync(_mirror(Leg(new, 1, whole=True, generation=4), Leg(other, 3, whole=False, filling=True, generation=2)))
    assert Esp(partition_path(other, Part.ESP)).read_text(f"/zeroth/b/{ENTRY}") == "1.0"


def test_a_disk_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    new = _disk(tmp_path, "new", BootState("b", generation=4), "1.1")
    gone = Leg(tmp_path / "gone", 2, whole=False)
    with pytest.raises(UserError, match="gone cannot be read: No such file"):
        _sync(_mirror(Leg(new, 1, whole=True, generation=4), gone, missing=1))


def test_tries_that_were_counted_down_on_one_disk_are_not_given_back(tmp_path: Path) -> None:
    one = _disk(tmp_path, "one", BootState("a", "b", 1, generation=4), "1.1")
    two = _disk(tmp_path, "two", BootState("a", "b", 2, generation=4), "1.1")
    legs = [Leg(one, 1, whole=True, generation=4), Leg(two, 2, whole=True, generation=4)]
    for order in (legs, legs[::-1]):
        _sync(_mirror(*order))
        esps = [partition_path(leg.disk, Part.ESP) for leg in order]
        assert read_boot_state(Esp(*esps)).tries == 1

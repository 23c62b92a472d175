"""Replacing a disk of a mirror: what is refused, what is decided, and the order in which it is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from installer.replace import Replacement, plan_replacement
from tests.unit.installer.machines import disk, machine
from zeroth.deploy.arrays import array_device
from zeroth.deploy.layout import MIRRORED, TYPE_GUIDS, InstallId, Part, make_layout
from zeroth.deploy.legs import Leg, Mirror
from zeroth.deploy.slotstate import SlotState
from zeroth.errors import UserError
from zeroth.progress import Stream
from zeroth.system.facts import DiskFacts, MarkerFacts, PartitionFacts, Signature, ZerothFacts
from zeroth.system.mdraid import Array, Member, read_array
from zeroth.system.size import GIB

IDENTITY = InstallId(UUID("11111111-2222-4333-8444-555555555555"), mirror=True)
LAYOUT = make_layout(32 * GIB)


def _array(part: Part, *, missing: int = 1, extra: tuple[Member, ...] = ()) -> Array:
    one = Member(Path(f"/dev/sda{int(part)}"), Path("/dev/sda"), "in_sync")
    return Array(array_device(part), (one, *extra), missing, 1 << 30)


def _mirror(*legs: Leg, missing: int = 1) -> Mirror:
    arrays = {part: _array(part, missing=missing) for part in MIRRORED}
    return Mirror(IDENTITY, legs or (Leg(Path("/dev/sda"), 1, whole=True, generation=3),), arrays)


def _whole_disk(path: str = "/dev/sda", **fields: Any) -> DiskFacts:  # noqa: ANN401 - whatever the model takes
    parts = tuple(
        PartitionFacts(
            number=p.part, path=f"{path}{int(p.part)}", start=p.start, size=p.size, type=str(TYPE_GUIDS[p.part])
        )
        for p in LAYOUT.partitions
    )
    defaults: dict[str, Any] = {"table": "gpt", "table_uuid": IDENTITY.disk_guid, "partitions": parts,
                                "in_use": ("sda5 is part of md5",)}  # fmt: skip
    return disk(path, 32 * GIB, **{**defaults, **fields})


def _refused(*others: DiskFacts, mirror: Mirror | None = None, **options: Any) -> str:  # noqa: ANN401
    with pytest.raises(UserError) as caught:
        plan_replacement(mirror or _mirror(), machine(_whole_disk(), *others), 2, **options)
    assert caught.value.hint or caught.value.where or mirror
    return caught.value.message


def test_the_only_disk_that_is_left_is_taken() -> None:
    facts = machine(_whole_disk(), disk("/dev/sdb", 33 * GIB))
    plan = plan_replacement(_mirror(), facts, 2)
    assert (plan.disk.path, plan.leg, plan.source, plan.resumes) == ("/dev/sdb", 3, Path("/dev/sda"), False)
    assert plan.layout.partitions == LAYOUT.partitions
    assert plan == plan_replacement(_mirror(), machine(*reversed(facts.disks)), 2)
    assert any("nothing is lost" in line for line in plan.lines())


def test_what_is_refused() -> None:
    assert "nothing" not in _refused(mirror=_mirror(missing=0))
    assert "2 come into question" in _refused(disk("/dev/sdb"), disk("/dev/sdc"))
    assert "too small" in _refused(disk("/dev/sdb", 31 * GIB))
    assert "4096 byte sectors" in _refused(disk("/dev/sdb", logical_sector=4096))
    full = disk("/dev/sdb", signatures=(Signature(type="LVM2_member", offset=0, group="guests"),))
    assert "guests" in _refused(full)
    assert "is in use" in _refused(disk("/dev/sdb", in_use=("sdb1 is mounted on /x",)), erase=True)
    assert "sdb' does not select a disk" in _refused(disk("/dev/sdb"), wanted="sdb")
    plan = plan_replacement(_mirror(), machine(_whole_disk(), full), 2, erase=True)
    assert "WILL BE DESTROYED:" in plan.lines()


def test_an_interrupted_run_goes_on_without_being_allowed_again() -> None:
    mark = MarkerFacts(phase="rebuilding", digest="", install=IDENTITY.value)
    begun = _whole_disk("/dev/sdb", table_uuid=IDENTITY.leg_guid(4), zeroth=ZerothFacts(marker=mark))
    mirror = _mirror(Leg(Path("/dev/sda"), 3, whole=True), Leg(Path("/dev/sdb"), 4, whole=False, filling=True))
    plan = plan_replacement(mirror, machine(_whole_disk(), begun), 4)
    assert (plan.resumes, plan.leg, plan.destroys) == (True, 4, ())
    other = begun.model_copy(update={"zeroth": ZerothFacts(marker=mark.model_copy(update={"install": UUID(int=9)}))})
    assert "not empty" in _refused(other)


def test_a_run_that_was_cut_off_gives_no_right_to_what_the_disk_was_used_for_since() -> None:
    mark = ZerothFacts(marker=MarkerFacts(phase="rebuilding", digest="", install=IDENTITY.value))
    mirror = _mirror()
    assert plan_replacement(mirror, machine(_whole_disk(), disk("/dev/sdb", zeroth=mark)), 2).resumes
    used = disk("/dev/sdb", zeroth=mark, signatures=(Signature(type="ext4", offset=1080, label="films"),))
    with pytest.raises(UserError, match="not empty"):
        plan_replacement(mirror, machine(_whole_disk(), used), 2)
    plan = plan_replacement(mirror, machine(_whole_disk(), used), 2, erase=True)
    assert (plan.resumes, bool(plan.destroys)) == (False, True)


def test_a_disk_of_the_host_s_own_storage_is_no_new_leg() -> None:
    own = disk("/dev/sdb", table="gpt", table_uuid=IDENTITY.sr_disk_guid(1))
    with pytest.raises(UserError, match="/dev/sdb is part of this host's local storage") as caught:
        plan_replacement(_mirror(), machine(_whole_disk(), own), 2, erase=True)
    assert caught.value.hint == "Take another disk."


def test_a_leg_that_was_away_needs_consent_and_gets_a_new_number() -> None:
    stale = _whole_disk("/dev/sdb", table_uuid=IDENTITY.leg_guid(2), in_use=())
    mirror = _mirror(Leg(Path("/dev/sda"), 1, whole=True), Leg(Path("/dev/sdb"), 2, whole=False))
    with pytest.raises(UserError, match="not empty"):
        plan_replacement(mirror, machine(_whole_disk(), stale), 2)
    assert plan_replacement(mirror, machine(_whole_disk(), stale), 2, erase=True).leg == 3
    # Others were in between, and lie in a drawer.
    assert plan_replacement(mirror, machine(_whole_disk(), stale), 6, erase=True).leg == 7


def _failing(disk: str = "/dev/sdb") -> Mirror:
    """One partition of the second disk failed; the others go on."""
    legs = (Leg(Path("/dev/sda"), 1, whole=True), Leg(Path(disk), 2, whole=False, partly=True))
    arrays = {}
    for part in MIRRORED:
        state = "faulty" if part is Part.STATE else "in_sync"
        member = Member(Path(f"{disk}{int(part)}"), Path(disk), state)
        arrays[part] = _array(part, missing=int(part is Part.STATE), extra=(member,))
    return Mirror(IDENTITY, legs, arrays)


def test_a_disk_that_failed_in_part_is_taken_out_of_the_mirror() -> None:
    busy = tuple(f"sdb{int(part)} is part of md{int(part)}" for part in MIRRORED)
    second = _whole_disk("/dev/sdb", table_uuid=IDENTITY.leg_guid(2), in_use=busy)
    facts = machine(_whole_disk(), second, disk("/dev/sdc", 32 * GIB))
    plan = plan_replacement(_failing(), facts, 2, "/dev/sdc")
    assert (plan.disk.path, plan.leg, plan.leaves) == ("/dev/sdc", 3, (Path("/dev/sdb"),))
    assert any(line.startswith("/dev/sdb is taken out") for line in plan.lines())
    # Or it gets another try itself.
    again = plan_replacement(_failing(), facts, 2, "/dev/sdb", erase=True)
    assert (again.disk.path, again.leg, again.leaves) == ("/dev/sdb", 3, (Path("/dev/sdb"),))
    used = second.model_copy(update={"in_use": (*busy, "sdb1 is mounted on /x")})
    with pytest.raises(UserError, match="sdb1 is mounted"):
        plan_replacement(_failing(), machine(_whole_disk(), used), 2, "/dev/sdb", erase=True)


def _replacement(states: list[Array], tmp_path: Path) -> Replacement:
    plan = plan_replacement(_mirror(), machine(_whole_disk(), disk("/dev/sdb")), 2)
    return Replacement(plan, SlotState(tmp_path), look=lambda device: states.pop(0), sleep=lambda seconds: None)


def test_waiting_ends_when_everything_is_filled(tmp_path: Path) -> None:
    new = Member(Path("/dev/sdb5"), Path("/dev/sdb"), "spare")
    states = [_array(Part.STATE, extra=(new,)), _array(Part.STATE, missing=0)]
    with Stream([]).step("wait") as step:
        _replacement(states, tmp_path)._wait((Part.STATE,), step)
    assert states == []


def test_a_new_disk_that_fails_is_said(tmp_path: Path) -> None:
    bad = Member(Path("/dev/sdb5"), Path("/dev/sdb"), "faulty")
    with Stream([]).step("wait") as step, pytest.raises(UserError, match="/dev/sdb failed while"):
        _replacement([_array(Part.STATE, extra=(bad,))], tmp_path)._wait((Part.STATE,), step)


def test_an_array_as_the_kernel_shows_it(tmp_path: Path) -> None:
    sys, real = tmp_path / "class", tmp_path / "devices"
    md = real / "md5" / "md"
    files = {"degraded": "1", "component_size": "2048", "sync_action": "recover", "sync_completed": "1024 / 4096"}
    for name, text in {**files, "dev-sda5/state": "in_sync,write_error", "dev-sda5/slot": "0",
                       "dev-sdb5/state": "spare", "dev-sdb5/slot": "none"}.items():  # fmt: skip
        (md / name).parent.mkdir(parents=True, exist_ok=True)
        (md / name).write_text(text + "\n")
    for name in ("sda", "sdb"):
        (real / name / f"{name}5").mkdir(parents=True)
        (real / name / f"{name}5" / "partition").write_text("5\n")
        (md / f"dev-{name}5" / "block").symlink_to(real / name / f"{name}5")
    sys.mkdir()
    (sys / "md5").symlink_to(real / "md5")
    found = read_array(Path("/dev/md5"), sys)
    assert found is not None
    assert [(one.disk.name, one.state, one.whole) for one in found.members] == [
        ("sda", "in_sync", True), ("sdb", "spare", False),
    ]  # fmt: skip
    assert (found.missing, found.size, found.done) == (1, 2 << 20, 512 << 10)
    assert read_array(Path("/dev/md6"), sys) is None

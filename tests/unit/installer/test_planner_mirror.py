"""Planning a mirror: what goes together, what is refused, and that equal facts give equal plans."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from installer.plan import ActionKind, InstallPlan, Outcome, Refused
from installer.planner import plan_installation
from tests.unit.installer.machines import IDENTITY, disk, image, machine, reasons, request, spec
from zeroth.deploy.layout import ARRAY_HEAD, Part
from zeroth.system.facts import DiskFacts, FirmwareFacts
from zeroth.system.size import GIB, MIB

SIZES = st.integers(15 * GIB // MIB, 40 * GIB // MIB).map(lambda mib: mib * MIB)


def _outcome(*disks: DiskFacts, answer: dict[str, Any] | None = None, **fields: Any) -> Outcome:  # noqa: ANN401
    wanted = answer or {"layout": "mirror", "select": "/dev/sda", "mirror_with": "/dev/sdb"}
    return plan_installation(machine(*disks, **fields), request(spec(disk=wanted)))


def _plan(*disks: DiskFacts, **fields: Any) -> InstallPlan:  # noqa: ANN401
    outcome = _outcome(*disks, **fields)
    assert isinstance(outcome, InstallPlan), outcome
    return outcome


def test_both_disks_get_everything_and_become_bootable_last() -> None:
    plan = _plan(disk("/dev/sda"), disk("/dev/sdb"))
    assert plan.identity.mirror
    assert [(leg.disk.path, leg.number) for leg in plan.legs] == [("/dev/sda", 1), ("/dev/sdb", 2)]
    kinds = [action.kind for action in plan.actions]
    finish = kinds.index(ActionKind.FINISH)
    for kind, count in ((ActionKind.TABLE, 2), (ActionKind.BIOS_LOADER, 2), (ActionKind.BOOT_ENTRY, 2)):
        assert kinds.count(kind) == count
        assert (kinds.index(kind) > finish) == (kind is not ActionKind.TABLE)
    shared = [action for action in plan.actions if action.kind in (ActionKind.BEGIN, ActionKind.MAKE_EXT4)]
    assert {(action.disk, action.mirror) for action in shared} == {("/dev/sda", "/dev/sdb")}
    # Firmware tries first what was added last.
    assert [one.disk for one in plan.actions if one.kind is ActionKind.BOOT_ENTRY] == ["/dev/sdb", "/dev/sda"]
    assert f"zeroth.root=MD_UUID={plan.identity.array_uuid(Part.SLOT_A)}" in plan.boot_entries["entry.cfg"]
    told = plan.as_json()["mirror"]
    assert isinstance(told, dict)
    assert told["disk"] == "/dev/sdb"


def test_disks_over_several_paths_are_not_mirrored() -> None:
    first = disk("/dev/mapper/3600a", wwid="3600a", paths=("/dev/sda", "/dev/sdc"))
    second = disk("/dev/mapper/3600b", wwid="3600b", paths=("/dev/sdb", "/dev/sdd"))
    assert reasons(_outcome(first, disk("/dev/sdb"))) == (
        "/dev/mapper/3600a is seen over several paths, and cannot be mirrored"
    )
    both = "/dev/mapper/3600a and /dev/mapper/3600b are seen over several paths, and cannot be mirrored"
    assert reasons(_outcome(first, second)) == both


@given(SIZES, SIZES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_smaller_disk_counts_and_equal_facts_give_equal_plans(first: int, second: int) -> None:
    disks = disk("/dev/sda", first), disk("/dev/sdb", second)
    outcome = _outcome(*disks)
    assert outcome == _outcome(*disks)
    if min(first, second) < 16 * GIB:
        assert "too small" in reasons(outcome)
        return
    assert isinstance(outcome, InstallPlan)
    one, two = outcome.legs
    assert one.layout == two.layout
    assert one.layout.partitions[-1].end <= min(first, second) - MIB
    assert one.layout.disk_size % GIB == 0
    assert all(action.start + action.size <= first for action in outcome.actions if action.disk == "/dev/sda")
    assert all(action.start + action.size <= second for action in outcome.actions if action.disk == "/dev/sdb")
    uuids = [outcome.identity.partition_uuid(part, leg.number) for leg in outcome.legs for part in Part]
    assert len(set(uuids)) == len(uuids)


def test_sector_sizes_do_not_mix() -> None:
    why = reasons(_outcome(disk("/dev/sda"), disk("/dev/sdb", logical_sector=4096)))
    assert "/dev/sda has 512 byte sectors and /dev/sdb 4096 byte sectors" in why


def test_each_disk_is_looked_at() -> None:
    busy = disk("/dev/sdb", in_use=("sdb1 is mounted on /x",))
    assert "/dev/sdb is in use" in reasons(_outcome(disk("/dev/sda"), busy))


def test_what_md_takes_is_missing_from_a_slot() -> None:
    disks = disk("/dev/sda", 16 * GIB), disk("/dev/sdb", 16 * GIB)
    answer = spec(disk={"layout": "mirror", "select": "/dev/sda", "mirror_with": "/dev/sdb"})
    for size, fits in ((3 * GIB - ARRAY_HEAD, True), (3 * GIB - ARRAY_HEAD + 4096, False)):
        outcome = plan_installation(machine(*disks), request(answer, with_image=image(root_size=int(size))))
        assert isinstance(outcome, InstallPlan if fits else Refused)


def test_one_disk_whose_second_comes_later() -> None:
    answer = {"layout": "mirror", "mirror_with": "missing"}
    plan = _plan(disk("/dev/sda"), answer=answer, firmware=FirmwareFacts(kind="bios"))
    assert [leg.disk.path for leg in plan.legs] == ["/dev/sda"]
    assert plan.as_json()["mirror"] == {"disk": None}
    assert any("has one disk" in text for text in plan.reservations)
    assert plan.identity.value == IDENTITY.value

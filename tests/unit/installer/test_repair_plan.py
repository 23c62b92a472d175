"""What is decided of a host's disks: which one others are copied from, what is written in which order."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installer.plan import ActionKind
from installer.repair import RepairPlan, plan_repair
from installer.repair_look import Leg, find_host
from tests.unit.installer.machines import disk, machine
from zeroth.deploy.bootenv import BootState
from zeroth.deploy.layout import InstallId, Part, make_layout
from zeroth.deploy.slotfiles import SlotFiles
from zeroth.deploy.slotstate import SLOTS, SlotState
from zeroth.errors import UserError
from zeroth.system.facts import AppliedFacts, DiskFacts, PartitionFacts, Signature, ZerothFacts
from zeroth.system.size import GIB

IDENTITY = InstallId(UUID("11111111-2222-4333-8444-555555555555"), mirror=True)
WHOLE, EMPTY = SlotFiles("whole"), SlotFiles("empty")
BAD = SlotFiles("damaged", ("vmlinuz",))
ON_ESP = [ActionKind.BOOT_STATE, ActionKind.BOOT_MENU, ActionKind.EFI_LOADER]


def _disk(path: str, number: int = 1, array: str = "") -> DiskFacts:
    signs = (Signature(type="linux_raid_member", offset=4096, uuid=array),) if array else ()
    parts = tuple(
        PartitionFacts(number=p.part, path=f"{path}{int(p.part)}", start=p.start, size=p.size,
                       signatures=signs if p.part is Part.STATE else ())
        for p in make_layout(32 * GIB).partitions
    )  # fmt: skip
    zeroth = ZerothFacts(state=f"{path}5", applied=AppliedFacts(digest="", time="2026-01-01", version="1.2.0"))
    return disk(path, 32 * GIB, partitions=parts, table_uuid=IDENTITY.leg_guid(number), zeroth=zeroth)


def _leg(number: int = 1, a: SlotFiles = WHOLE, b: SlotFiles = EMPTY, boot: BootState | None = None, *,
         lost: bool = False, formatted: bool = True, wrong: Sequence[str] = ()) -> Leg:  # fmt: skip
    state = None if lost else boot or BootState("a", generation=4)
    said = dict.fromkeys(wrong, "wrong")
    return Leg(_disk(f"/dev/sd{'xabc'[number]}", number), number, formatted, {"a": a, "b": b}, state,
               boot_problem="lost" if lost else "", **said)  # fmt: skip


def _plan(*legs: Leg, uefi: bool = True) -> RepairPlan:
    with tempfile.TemporaryDirectory() as folder:
        return plan_repair(
            legs, SlotState(Path(folder)), IDENTITY, "1.2.0", "menu", Path("/loader"), uefi=uefi
        )  # fmt: skip


def _done(plan: RepairPlan) -> list[tuple[ActionKind, str]]:
    return [(action.kind, action.disk) for action in plan.actions]


def test_two_disks_that_are_well_have_nothing_written() -> None:
    assert _plan(_leg(1), _leg(2)).actions == ()


def test_each_disk_gets_what_it_lacks_and_the_first_its_entry_last() -> None:
    plan = _plan(_leg(1, wrong=("entry", "bios")), _leg(2, wrong=("entry", "bios", "menu")))
    assert _done(plan) == [
        (ActionKind.BOOT_MENU, "/dev/sdb"),
        (ActionKind.BIOS_LOADER, "/dev/sda"),
        (ActionKind.BIOS_LOADER, "/dev/sdb"),
        (ActionKind.BOOT_ENTRY, "/dev/sdb"),
        (ActionKind.BOOT_ENTRY, "/dev/sda"),
    ]
    assert {action.title for action in plan.actions} >= {"Write the boot menu on /dev/sdb"}


@pytest.mark.parametrize(
    "second",
    [
        _leg(2, boot=BootState("a", generation=3)),
        _leg(2, lost=True),
        _leg(2, EMPTY, lost=True, formatted=False),
        _leg(2, BAD),
    ],
    ids=["behind", "lost", "no file system", "damaged"],
)
def test_a_disk_that_fell_behind_gets_the_boot_files_of_the_other(second: Leg) -> None:
    for plan in (_plan(_leg(1), second), _plan(second, _leg(1))):
        assert _done(plan) == [(ActionKind.BOOT_COPY, "/dev/sdb")]
        assert plan.reservations == ()
        assert plan.actions[0].title == "Copy the boot files from /dev/sda to /dev/sdb"


def test_tries_that_were_counted_down_are_not_given_back() -> None:
    fewer = _leg(2, b=WHOLE, boot=BootState("a", "b", 1, 4))
    plan = _plan(_leg(1, b=WHOLE, boot=BootState("a", "b", 2, 4)), fewer)
    assert _done(plan) == [(ActionKind.BOOT_COPY, "/dev/sda")]
    assert plan.boot == BootState("a", "b", 1)


def test_a_slot_that_only_the_older_disk_has_is_not_copied_over() -> None:
    plan = _plan(_leg(1, WHOLE, BAD, BootState("b", generation=5)), _leg(2, BAD, WHOLE))
    assert plan.actions == ()
    assert any("stay apart" in note for note in plan.reservations)
    assert any("slot b on /dev/sda is damaged (vmlinuz): upgrade" in note for note in plan.reservations)


def test_no_slot_at_all() -> None:
    with pytest.raises(UserError, match=r"slot a on /dev/sda is damaged \(vmlinuz\); slot b on /dev/sda is empty"):
        _plan(_leg(1, BAD))


def test_one_disk_of_a_mirror_is_said() -> None:
    assert any("only /dev/sda is there" in note for note in _plan(_leg(1)).reservations)


def test_of_two_equally_new_disks_the_one_with_less_damage_is_believed() -> None:
    plan = _plan(_leg(1, WHOLE, BAD, BootState("a")), _leg(2, WHOLE, WHOLE, BootState("b")))
    assert (plan.legs[0].number, plan.boot.committed) == (2, "b")


_SLOT = st.sampled_from([WHOLE, BAD, EMPTY])
_WRONG = st.sets(st.sampled_from(["menu", "loader", "bios", "entry"])).map(sorted)
_BOOT = st.builds(BootState, st.sampled_from("ab"), st.just(""), st.just(0), st.integers(0, 3))


@st.composite
def _legs(draw: st.DrawFn) -> list[Leg]:
    return [
        _leg(number, draw(_SLOT), draw(_SLOT), draw(_BOOT), lost=draw(st.booleans()), wrong=draw(_WRONG))
        for number in range(1, draw(st.integers(1, 3)) + 1)
    ]


@given(_legs())
def test_nothing_that_can_be_started_is_lost_and_the_order_holds(legs: list[Leg]) -> None:
    if not any(files.whole for leg in legs for files in leg.slots.values()):
        with pytest.raises(UserError, match="neither slot"):
            _plan(*legs)
        return
    plan = _plan(*legs)
    first = plan.legs[0]
    kinds = [action.kind for action in plan.actions]
    stages = [ON_ESP.index(kind) if kind in ON_ESP else 3 + list(_LATER).index(kind) for kind in kinds]
    assert [stage for stage in stages if stage >= 3] == sorted(stage for stage in stages if stage >= 3)
    for leg in plan.legs:
        own = [ON_ESP.index(action.kind) for action in plan.actions
               if action.disk == leg.disk.path and action.kind in ON_ESP]  # fmt: skip
        assert own == sorted(own)
        copied = (ActionKind.BOOT_COPY, leg.disk.path) in _done(plan)
        assert not copied or leg is not first
        assert not copied or all(first.slots[slot].whole or not leg.slots[slot].whole for slot in SLOTS)
        # Whatever was wrong is put right one way or the other.
        for why, kind in ((leg.boot_problem, ON_ESP[0]), (leg.menu, ON_ESP[1]), (leg.loader, ON_ESP[2])):
            assert not why or copied or (kind, leg.disk.path) in _done(plan)
        for action in plan.actions:
            place = leg.disk.partitions[action.part - 1] if action.part else None
            assert place is None or (action.start, action.size) == (place.start, place.size)
    assert plan.boot.committed == (first.boot.committed if first.boot else "a")


_LATER = (ActionKind.BOOT_COPY, ActionKind.BIOS_LOADER, ActionKind.BOOT_ENTRY)


def test_the_disks_of_a_mirror_are_one_host() -> None:
    array = "01234567-89ab-cdef-0123-456789abcdef"
    one, two = _disk("/dev/sda", 1, array), _disk("/dev/sdb", 2, array)
    found = find_host(machine(one, disk("/dev/sdc"), two), None)
    assert found.disks == (one, two)
    assert found.array == "01234567:89abcdef:01234567:89abcdef"
    other = _disk("/dev/sdd")
    with pytest.raises(UserError, match="several hosts") as caught:
        find_host(machine(one, two, other), None)
    assert "/dev/sda and /dev/sdb (1.2.0); /dev/sdd (1.2.0)" in caught.value.hint
    linked = other.model_copy(update={"links": ("/dev/disk/by-id/x",)})
    assert find_host(machine(one, two, linked), "/dev/disk/by-id/x").disks == (linked,)

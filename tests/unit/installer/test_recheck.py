"""What happened to the disks of a plan between the plan and the first write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from installer.ending import Ended
from installer.image import read_image
from installer.keeping import kept_sr
from installer.plan import InstallPlan
from installer.planner import plan_installation
from installer.recheck import changes, check_agreed
from tests.unit.installer.machines import disk, machine, recorded, request, spec
from tests.unit.installer.test_image import make_medium
from tests.unit.installer.test_main import _session
from zeroth.errors import UserError
from zeroth.system.facts import DiskFacts, Facts, PartitionFacts, Signature

FULL: dict[str, Any] = {
    "table": "dos",
    "partitions": (PartitionFacts(number=1, path="/dev/sda1", start=1 << 20, size=1 << 30),),
}
SIGNATURE = Signature(type="ext4", offset=1080, label="films")


def _plan(facts: Facts, **fields: Any) -> InstallPlan:  # noqa: ANN401 - whatever the model takes
    plan = plan_installation(facts, request(spec(**fields)))
    assert isinstance(plan, InstallPlan)
    return plan


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ((), "/dev/sda is not there any more"),
        ((disk(serial="S2"),), "/dev/sda is another disk now"),
        ((disk(serial="S1", size=65 << 30),), "/dev/sda is another disk now"),
        ((disk(serial="S1", medium=True),), "/dev/sda is another disk now"),
        ((disk(serial="S1", in_use=("sda1 is mounted on /x",)),), "/dev/sda is in use: sda1 is mounted on /x"),
        ((disk(serial="S1", signatures=(SIGNATURE,)),), "/dev/sda carries now: ext4"),
    ],
)
def test_what_changed_is_told(now: tuple[DiskFacts, ...], said: str) -> None:
    plan = _plan(machine(disk(serial="S1")))
    assert list(changes(plan, machine(*now))) == [said]


def test_what_stayed_or_went_away_is_nothing() -> None:
    facts = machine(disk(serial="S1", **FULL), disk("/dev/sdb", serial="S2"))
    plan = _plan(facts, disk={"select": "serial=S1", "wipe": True, "sr_disks": ["serial=S2"]})
    assert list(changes(plan, facts)) == []
    assert list(changes(plan, machine(disk(serial="S1"), facts.disks[1]))) == []
    swapped = machine(disk("/dev/sdb", serial="S1"), disk("/dev/sda", serial="S2"))
    assert list(changes(plan, swapped)) == ["/dev/sda is another disk now", "/dev/sdb is another disk now"]


def test_the_repository_that_was_to_stay() -> None:
    facts = recorded("old-zeroth")
    old = facts.disks[0]
    plan = _plan(facts, disk={"select": old.path, "wipe": True, "keep_sr": True})
    assert plan.kept == kept_sr(old, facts.disks)
    assert list(changes(plan, facts)) == []
    moved = tuple(
        part.model_copy(update={"size": part.size - (1 << 20)}) if part.number == 7 else part
        for part in old.partitions
    )
    other = facts.model_copy(update={"disks": (old.model_copy(update={"partitions": moved}), *facts.disks[1:])})
    assert list(changes(plan, other)) == [
        f"the local storage repository on {old.path} is not the one that was to stay"
    ]


def test_a_person_agreed_to_a_plan_and_not_to_another() -> None:
    facts = machine(disk(serial="S1", **FULL), disk("/dev/sdb", 80 << 30, serial="S2"))
    agreed = _plan(facts, disk={"select": "smallest", "wipe": True})
    check_agreed(agreed, _plan(machine(*reversed(facts.disks)), disk={"select": "smallest", "wipe": True}))
    # Less is lost than was said.
    check_agreed(agreed, _plan(machine(disk(serial="S1")), disk={"select": "smallest"}))
    others = (
        machine(*facts.disks, disk("/dev/sdc", 32 << 30)),
        machine(disk(serial="S3", **FULL), facts.disks[1]),
        machine(disk(serial="S1", signatures=(SIGNATURE,), **FULL), facts.disks[1]),
    )
    for other in others:
        with pytest.raises(UserError, match="changed since the plan was shown"):
            check_agreed(agreed, _plan(other, disk={"select": "smallest", "wipe": True}))
    with pytest.raises(UserError, match="write to /dev/sda, /dev/sdb"):
        check_agreed(agreed, _plan(facts, disk={"select": "smallest", "wipe": True, "sr_disks": ["serial=S2"]}))


def test_nothing_is_written_to_a_disk_that_was_put_to_use(tmp_path: Path) -> None:
    """The plan is made, then something mounts the disk."""
    image = read_image(make_medium(tmp_path / "medium"), Path("/nonexistent"))
    facts = recorded("lab-bios-empty")
    used = facts.disks[0].model_copy(update={"in_use": ("vda is mounted on /mnt",)})
    seen = iter([facts, facts.model_copy(update={"disks": (used,)})])

    class Changing:
        def __init__(self, seen: Iterator[Facts]) -> None:
            self.seen = seen

        def facts(self) -> Facts:
            return next(self.seen)

    session, out = _session(tmp_path, facts, image)
    session.machine = Changing(seen)
    report = session.run()
    assert report.ended is Ended.FAILED
    assert report.reason == "the plan does not hold any more: /dev/vda is in use: vda is mounted on /mnt"
    assert "Begin the journal" not in out.getvalue().partition("Look at the disks once more")[2]

"""The recorded machines through the planner: the plan that is expected on each, or the reasons why there is none."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from installer.cli import plan
from installer.keeping import KeptSr
from installer.matching import fits
from installer.plan import ActionKind, AlreadyApplied, InstallPlan, Outcome, Refused
from installer.planner import plan_installation
from tests.unit.installer.machines import DIGEST, HASH, RECORDINGS, recorded, request, spec
from zeroth.deploy.layout import Part
from zeroth.spec.model import HostSpec
from zeroth.spec.selector import parse_selector
from zeroth.system.facts import Facts

CASES: list[dict[str, Any]] = yaml.safe_load((RECORDINGS / "cases.yaml").read_text())
NAMES = sorted(path.stem for path in RECORDINGS.glob("*.json"))


def _answer(disk: dict[str, Any], nic: str | None = None) -> HostSpec:
    rest = spec(management={"nic": nic}).model_dump(mode="json", exclude={"root"})
    return HostSpec.model_validate({**rest, "root": ROOT, "disk": disk})


ROOT = {"password_hash": HASH}


def _hold(wanted: list[str], found: tuple[str, ...] | list[str]) -> None:
    assert len(wanted) == len(found), f"{wanted} and {found}"
    for words, text in zip(wanted, found, strict=True):
        assert words in text


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['machine']}-{case.get('disk', '')}")
def test_what_it_comes_to(case: dict[str, Any]) -> None:
    facts = recorded(case["machine"])
    outcome = plan_installation(facts, request(_answer(case.get("disk", {}), case.get("nic"))))
    if "refused" in case:
        assert isinstance(outcome, Refused), outcome
        _hold(case["refused"], [problem.message for problem in outcome.problems])
        assert all(problem.hint for problem in outcome.problems)
    else:
        assert isinstance(outcome, InstallPlan), outcome
        assert [disk.path for disk in outcome.disks] == case["disks"]
        _hold(case.get("warns", []), outcome.reservations)
        if "destroys" in case:
            _hold(case["destroys"], outcome.destroys)
        assert outcome.resumes == case.get("resumes", "")
        assert (case.get("keeps", "") in outcome.kept.summary) if outcome.kept else "keeps" not in case
        assert [leg.disk.path for leg in outcome.sr_disks] == case.get("sr", [])
    assert [verdict.disk for verdict in outcome.verdicts] == list(facts.disks)
    assert all(verdict.why for verdict in outcome.verdicts)


def test_there_are_enough_and_each_is_used() -> None:
    assert len(NAMES) >= 25
    # One is there for a host that is installed already; the planner's own tests use it.
    assert {case["machine"] for case in CASES} | {"lab-uefi-installed"} == set(NAMES)


SELECTORS = st.sampled_from(
    ["only", "smallest", "largest", "ssd", "hdd", "hdd & smallest", "/dev/sda", "/dev/sdb", "/dev/nvme0n1",
     "size>=400GB & smallest", "transport=usb", "serial=*1", "serial=*2", "model=*"]
)  # fmt: skip


@st.composite
def answers(draw: st.DrawFn) -> HostSpec:
    disk: dict[str, Any] = {
        "select": draw(SELECTORS),
        "alternatives": draw(st.lists(SELECTORS, max_size=2)),
        "ignore": draw(st.lists(SELECTORS, max_size=1)),
    }
    if draw(st.booleans()):
        disk["wipe"] = True
    else:
        disk["wipe_disks"] = draw(st.lists(SELECTORS, max_size=2))
    if draw(st.booleans()):
        disk["keep_sr"] = True
    else:
        disk["sr_disks"] = draw(st.lists(SELECTORS, max_size=2))
    return _answer(disk)


def check_safe(facts: Facts, answer: HostSpec, outcome: Outcome) -> None:
    """What holds for every plan: only disks that were selected and may be written to, within their bounds."""
    if isinstance(outcome, Refused):
        assert outcome.problems
        assert not any(verdict.taken for verdict in outcome.verdicts) or outcome.problems
        return
    if isinstance(outcome, AlreadyApplied):
        # Nothing is written; it is for the same answer on the same machine alone.
        applied = outcome.disk.zeroth.applied if outcome.disk.zeroth else None
        assert applied
        assert (applied.digest, applied.machine) == (DIGEST, facts.dmi.identity)
        return
    assert isinstance(outcome, InstallPlan)
    selected = {disk.path: disk for disk in (*outcome.disks, *(leg.disk for leg in outcome.sr_disks))}
    assert {verdict.disk.path for verdict in outcome.verdicts if verdict.taken} == set(selected)
    for disk in selected.values():
        assert not any((disk.medium, disk.read_only, disk.in_use, disk.unreadable))
        consent = [parse_selector(text) for text in answer.disk.wipe_disks]
        assert not disk.contents or answer.disk.wipe or outcome.resumes or any(fits(it, disk) for it in consent)
    for action in outcome.actions:
        assert not action.size or action.disk in selected
        assert action.start >= 0
        if action.disk:
            assert action.start + action.size <= selected[action.disk].size
    for leg in outcome.legs:
        end = 0
        for partition in leg.layout.partitions:
            assert partition.start >= end
            end = partition.end
        assert end <= leg.disk.size
    assert bool(outcome.kept) == answer.disk.keep_sr
    if outcome.kept:
        check_kept(outcome, outcome.kept)


def check_kept(plan: InstallPlan, kept: KeptSr) -> None:
    """The partition is in the new table as it was in the old one, and nothing else is written there."""
    before = next(part for part in plan.disk.partitions if part.number == Part.SR)
    after = plan.layout[Part.SR]
    assert (before.start, before.size, before.uuid) == (after.start, after.size, plan.identity.uuid_of(after))
    for action in plan.actions:
        if action.disk and action.kind is not ActionKind.TABLE:
            assert action.start + action.size <= kept.start
    assert not any(Part.SR.label in what for what in plan.destroys)


@given(st.sampled_from(NAMES), answers())
def test_every_plan_is_safe_and_the_same_again(name: str, answer: HostSpec) -> None:
    facts = recorded(name)
    outcome = plan_installation(facts, request(answer))
    check_safe(facts, answer, outcome)
    assert outcome == plan_installation(recorded(name), request(answer))
    turned = facts.model_copy(update={"disks": facts.disks[::-1]})
    again = plan_installation(turned, request(answer))
    assert isinstance(again, InstallPlan) == isinstance(outcome, InstallPlan)
    if isinstance(outcome, InstallPlan) and isinstance(again, InstallPlan):
        assert {disk.path for disk in again.disks} == {disk.path for disk in outcome.disks}


@pytest.mark.parametrize("name", NAMES)
def test_the_command_plans_anywhere(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    answer = tmp_path_factory.mktemp("answer") / "answer.yaml"
    answer.write_text(f'hostname: host1\nroot: {{password_hash: "{HASH}"}}\n')
    words = ["--answer", str(answer), "--machine", str(RECORDINGS / f"{name}.json")]
    done = CliRunner().invoke(plan, [*words, "--json"], standalone_mode=False)
    assert done.return_value in (0, 1)
    found = json.loads(done.output)
    assert (found["outcome"] == "refused") == (done.return_value == 1)
    shown = CliRunner().invoke(plan, words, standalone_mode=False)
    assert shown.return_value == done.return_value
    assert "check" in shown.output
    assert HASH not in done.output + shown.output

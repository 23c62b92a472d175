"""Planning: what is refused and why, what goes on, and what a plan holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installer.image import SignedFiles
from installer.plan import ActionKind, AlreadyApplied, InstallPlan, Refused
from installer.planner import plan_installation
from installer.show import outcome_text
from tests.unit.installer.machines import (
    DIGEST,
    HASH,
    IDENTITY,
    MACHINE,
    NIC,
    disk,
    image,
    machine,
    planned,
    reasons,
    recorded,
    request,
    spec,
)
from zeroth.deploy.layout import InstallId, Part
from zeroth.system.facts import (
    AppliedFacts,
    CpuFacts,
    DiskFacts,
    DmiFacts,
    Facts,
    FirmwareFacts,
    MarkerFacts,
    PartitionFacts,
    Signature,
    ZerothFacts,
)
from zeroth.system.size import GIB, MIB

OTHER = UUID("99999999-2222-4333-8444-555555555555")


def test_an_empty_disk_is_installed_on() -> None:
    plan = planned(machine(disk()))
    assert plan.disk.path == "/dev/sda"
    assert plan.destroys == ()
    assert plan.identity == IDENTITY
    assert plan.nics == (NIC,)
    kinds = [action.kind for action in plan.actions]
    assert kinds[0] is ActionKind.BEGIN
    assert kinds[1] is ActionKind.TABLE
    assert kinds[-1] is ActionKind.COMMIT
    # What is booted into is complete before anything can boot it.
    finish = kinds.index(ActionKind.FINISH)
    loaders = [ActionKind.EFI_LOADER, ActionKind.BIOS_LOADER, ActionKind.BOOT_ENTRY]
    assert all(kinds.index(kind) > finish for kind in loaders)
    assert ActionKind.WIPE not in kinds


def test_both_loaders_whichever_firmware() -> None:
    kinds = [action.kind for action in planned(machine(disk(), firmware=FirmwareFacts(kind="bios"))).actions]
    assert ActionKind.EFI_LOADER in kinds
    assert ActionKind.BIOS_LOADER in kinds
    assert ActionKind.BOOT_ENTRY not in kinds


CARRYING = [
    {"table": "dos"},
    {"signatures": (Signature(type="ext4", offset=1080),)},
    {"signatures": (Signature(type="LVM2_member", offset=536),)},
    {"signatures": (Signature(type="linux_raid_member", offset=4096),)},
    {"table": "gpt", "partitions": (PartitionFacts(number=1, path="/dev/sda1", start=MIB, size=GIB),)},
    {
        "table": "gpt",
        "zeroth": ZerothFacts(applied=AppliedFacts(digest="cd" * 32, time="2026-01-01", version="0.0.9")),
    },
]


@pytest.mark.parametrize("content", CARRYING)
def test_anything_on_the_disk_needs_consent(content: dict[str, Any]) -> None:
    facts = machine(disk(**content))
    assert "not empty" in reasons(plan_installation(facts, request()))
    plan = planned(facts, spec(wipe=True))
    assert plan.destroys
    assert [action.kind for action in plan.actions][:3] == [ActionKind.BEGIN, ActionKind.WIPE, ActionKind.TABLE]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"size": 16 * GIB - 512}, "too small"),
        ({"read_only": True}, "read-only"),
        ({"in_use": ("sda1 is mounted on /mnt",)}, "in use: sda1 is mounted on /mnt"),
        ({"unreadable": "Input/output error"}, "cannot be read: Input/output error"),
        ({"medium": True}, "medium"),
    ],
)
def test_consent_does_not_help_against(fields: dict[str, Any], reason: str) -> None:
    facts = machine(disk(**{"size": 64 * GIB, **fields}))
    assert reason in reasons(plan_installation(facts, request(spec("/dev/sda", wipe=True))))


def test_4kn_boots_only_by_uefi() -> None:
    large = disk(logical_sector=4096, physical_sector=4096)
    assert "4Kn" in reasons(plan_installation(machine(large, firmware=FirmwareFacts(kind="bios")), request()))
    assert planned(machine(large)).layout.sector_size == 4096


def test_all_reasons_at_once() -> None:
    facts = machine(disk(size=GIB, read_only=True, table="dos"), nics=(), memory=GIB)
    why = reasons(plan_installation(facts, request(spec("/dev/sda"))))
    for word in ("small", "read-only", "not empty", "network card", "memory"):
        assert word in why


def test_every_disk_is_explained_when_none_fits() -> None:
    facts = recorded("server-nvme-hba")
    outcome = plan_installation(facts, request(spec("largest")))
    assert isinstance(outcome, Refused)
    assert [verdict.disk for verdict in outcome.verdicts] == list(facts.disks)
    assert all(verdict.why for verdict in outcome.verdicts)


def test_a_disk_over_several_paths_is_planned_as_one() -> None:
    facts = recorded("multipath-four-paths")
    plan = planned(facts)
    wwid = "3600c0ff00050aaaa0004000001000000"
    assert plan.disk.path == f"/dev/mapper/{wwid}"
    assert all(f" zeroth.multipath={wwid} " in text for text in plan.boot_entries.values())
    told = plan.as_json()
    assert told["paths"] == ["/dev/sda", "/dev/sdb", "/dev/sdc", "/dev/sdd"]
    assert {action.disk for action in plan.actions} == {plan.disk.path}
    shown = outcome_text(plan, 200)
    assert "4 paths: /dev/sda, /dev/sdb, /dev/sdc, /dev/sdd" in shown
    # Without several paths there is no word of it.
    assert not any("multipath" in text for text in planned(machine(disk())).boot_entries.values())


def test_a_map_that_goes_by_a_vendor_s_text_is_not_started_from() -> None:
    odd = disk("/dev/mapper/0QEMU_x", wwid="0QEMU_x", paths=("/dev/sda", "/dev/sdb"))
    assert "not one that a host could be started by" in reasons(plan_installation(machine(odd), request()))


def test_a_disk_over_several_paths_is_no_further_disk_of_local_storage() -> None:
    """The host's boot entry names one such disk; LVM would take a single path of any other."""
    wwid = "3600508b400105e210000900000490000"
    san = disk(f"/dev/mapper/{wwid}", wwid=wwid, wwn=f"0x{wwid[1:]}", paths=("/dev/sdb", "/dev/sdc"))
    wanted = spec(disk={"select": "/dev/sda", "sr_disks": ["/dev/sdb"]})
    refused = plan_installation(machine(disk("/dev/sda"), san), request(wanted))
    assert isinstance(refused, Refused)
    (problem,) = refused.problems
    assert problem.message == f"{san.path} is seen over several paths, and takes no part in the local storage"
    assert "disk.sr_disks" in problem.hint


def test_a_signed_program_cannot_be_told_of_paths() -> None:
    facts = recorded("multipath-four-paths")
    program = image().boot[0]
    signed = replace(image(), signed=SignedFiles((program, program), program))
    asked = request(spec(), with_image=signed)
    assert isinstance(plan_installation(facts, asked), InstallPlan)
    uefi = facts.model_copy(update={"firmware": FirmwareFacts(kind="uefi", secure_boot=False)})
    assert "a signed program cannot be told so" in reasons(plan_installation(uefi, asked))


def test_memory() -> None:
    facts = machine(disk(), memory=2048 * MIB - 100 * MIB)
    assert planned(facts)
    assert "memory" in reasons(plan_installation(facts, request(spec(dom0={"memory": "1900 MiB"}))))


def test_an_image_that_does_not_fit() -> None:
    small = machine(disk(size=16 * GIB))
    big_root = plan_installation(small, request(with_image=image(root_size=3 * GIB + 1)))
    assert "slot" in reasons(big_root)
    assert "ESP" in reasons(plan_installation(small, request(with_image=image(boot_size=200 * MIB))))


# The reinstall guard


def test_an_answer_is_applied_once() -> None:
    facts = recorded("lab-uefi-installed")
    outcome = plan_installation(facts, request())
    assert isinstance(outcome, AlreadyApplied)
    assert outcome.disk.path == "/dev/vda"


def test_reinstall_needs_to_be_allowed_and_consented_to() -> None:
    facts = recorded("lab-uefi-installed")
    assert "not empty" in reasons(plan_installation(facts, request(spec(reinstall=True))))
    assert planned(facts, spec(reinstall=True, wipe=True)).destroys[0].startswith("zeroth 0.1.0")


def test_another_machine_with_this_disk_is_not_done() -> None:
    facts = recorded("lab-uefi-installed").model_copy(update={"dmi": DmiFacts(uuid=str(OTHER))})
    assert "not empty" in reasons(plan_installation(facts, request()))


def test_firmware_without_an_identity_is_compared_as_such() -> None:
    def facts(applied_to: str, uuid: str) -> Facts:
        mark = AppliedFacts(digest=DIGEST, time="2026-01-01", version="1", machine=applied_to)
        return machine(disk(zeroth=ZerothFacts(applied=mark)), dmi=DmiFacts(uuid=uuid))

    zeros = "00000000-0000-0000-0000-000000000000"
    assert isinstance(plan_installation(facts("", zeros), request()), AlreadyApplied)
    assert isinstance(plan_installation(facts("", MACHINE), request()), Refused)


# Interrupted installations


def _marked(
    phase: Literal["installing", "finishing"],
    *,
    digest: str = DIGEST,
    install: UUID = OTHER,
    **fields: Any,  # noqa: ANN401
) -> DiskFacts:
    mark = MarkerFacts(phase=phase, digest=digest, install=install)
    defaults: dict[str, Any] = {
        "table": "gpt",
        "table_uuid": InstallId(OTHER).disk_guid,
        "partitions": (PartitionFacts(number=1, path="/dev/sda1", start=MIB, size=MIB, label="zeroth-bios"),),
        "zeroth": ZerothFacts(marker=mark),
    }
    return disk(**{**defaults, **fields})


def test_goes_on_without_new_consent_and_keeps_its_identity() -> None:
    plan = planned(machine(_marked("installing")))
    assert plan.resumes == "installing"
    assert plan.identity == InstallId(OTHER)
    assert plan.destroys == ()
    assert plan.actions[0].kind is ActionKind.BEGIN


def test_finishing_touches_no_data() -> None:
    plan = planned(machine(_marked("finishing")))
    kinds = {action.kind for action in plan.actions}
    loaders = {
        ActionKind.FINISH,
        ActionKind.EFI_LOADER,
        ActionKind.BIOS_LOADER,
        ActionKind.BOOT_ENTRY,
        ActionKind.COMMIT,
    }
    assert kinds == loaders
    assert not {action.part for action in plan.actions} & {Part.SLOT_A, Part.STATE, Part.LOG, Part.SR}


def test_finishing_goes_before_already_applied() -> None:
    applied = AppliedFacts(digest=DIGEST, time="2026-01-01", version="1", machine=MACHINE)
    mark = MarkerFacts(phase="finishing", digest=DIGEST, install=OTHER)
    marked = _marked("finishing", zeroth=ZerothFacts(marker=mark, applied=applied))
    assert planned(machine(marked)).resumes == "finishing"


@pytest.mark.parametrize(
    "fields",
    [
        {"table": "", "table_uuid": "", "partitions": ()},
        {"table": "", "table_uuid": "", "partitions": (), "signatures": (Signature(type="PMBR", offset=510),)},
        {
            "table": "dos",
            "table_uuid": "",
            "partitions": (PartitionFacts(number=1, path="/dev/sda1", start=512, size=GIB, type="ee"),),
        },
    ],
)
def test_cut_off_while_the_table_was_written(fields: dict[str, Any]) -> None:
    assert planned(machine(_marked("installing", **fields))).resumes == "installing"


@pytest.mark.parametrize(
    "marked",
    [
        _marked("installing", digest="cd" * 32),
        _marked("installing", table_uuid="12345678-2222-4333-8444-555555555555"),
        _marked("finishing", table="dos", table_uuid=""),
        _marked("installing", table="", table_uuid="", partitions=(), signatures=(Signature(type="xfs", offset=0),)),
        _marked(
            "installing",
            table="dos",
            table_uuid="",
            partitions=(PartitionFacts(number=1, path="/dev/sda1", start=MIB, size=GIB, type="83"),),
        ),
    ],
)
def test_a_mark_of_another_answer_or_under_another_table_is_no_consent(marked: DiskFacts) -> None:
    assert "not empty" in reasons(plan_installation(machine(marked), request()))


# Properties


@st.composite
def machines(draw: st.DrawFn) -> Facts:
    size = draw(st.integers(15 * GIB // 4096, 40 * GIB // 4096)) * 4096
    return machine(
        disk(
            size=size,
            logical_sector=draw(st.sampled_from([512, 4096])),
            read_only=draw(st.booleans()),
            medium=draw(st.booleans()),
            in_use=draw(st.sampled_from([(), ("busy",)])),
            table=draw(st.sampled_from(["", "gpt"])),
        ),
        firmware=FirmwareFacts(kind=draw(st.sampled_from(["bios", "uefi"]))),
        memory=draw(st.integers(GIB, 4 * GIB)),
        cpu=CpuFacts(count=1),
    )


@given(machines(), st.booleans(), st.booleans())
def test_a_plan_stays_on_a_disk_that_it_may_use(facts: Facts, wipe: bool, explicit: bool) -> None:
    outcome = plan_installation(facts, request(spec("/dev/sda" if explicit else "only", wipe=wipe)))
    target = facts.disks[0]
    if isinstance(outcome, Refused):
        assert outcome.problems
        return
    assert isinstance(outcome, InstallPlan)
    assert not any((target.medium, target.read_only, target.in_use))
    assert wipe or not target.contents
    for action in outcome.actions:
        assert action.start >= 0
        assert action.start + action.size <= target.size
    assert outcome == plan_installation(facts, request(spec("/dev/sda" if explicit else "only", wipe=wipe)))


def test_a_plan_as_json_has_no_secret() -> None:
    answer = spec(dom0={"memory": "1 GiB"})
    assert HASH not in str(planned(machine(disk()), answer).as_json())

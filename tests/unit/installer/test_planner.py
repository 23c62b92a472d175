"""Planning: what is refused and why, what goes on, and what a plan holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installer.image import SignedFiles
from installer.nics import pinned
from installer.plan import ActionKind, AlreadyApplied, InstallPlan, Outcome, Refused
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
    recorded,
    request,
    spec,
)
from zeroth.deploy.layout import InstallId, Part
from zeroth.spec.model import HostSpec
from zeroth.system.facts import (
    AppliedFacts,
    CpuFacts,
    DiskFacts,
    DmiFacts,
    Facts,
    FirmwareFacts,
    MarkerFacts,
    NicFacts,
    PartitionFacts,
    Signature,
    ZerothFacts,
)
from zeroth.system.size import GIB, MIB

OTHER = UUID("99999999-2222-4333-8444-555555555555")


def _plan(facts: Facts, answer: HostSpec | None = None) -> InstallPlan:
    outcome = plan_installation(facts, request(answer))
    assert isinstance(outcome, InstallPlan), outcome
    return outcome


def _reasons(outcome: Outcome) -> str:
    assert isinstance(outcome, Refused), outcome
    assert all(problem.hint for problem in outcome.problems)
    return "\n".join(problem.message for problem in outcome.problems)


def test_an_empty_disk_is_installed_on() -> None:
    plan = _plan(machine(disk()))
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
    kinds = [action.kind for action in _plan(machine(disk(), firmware=FirmwareFacts(kind="bios"))).actions]
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
    assert "not empty" in _reasons(plan_installation(facts, request()))
    plan = _plan(facts, spec(wipe=True))
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
    assert reason in _reasons(plan_installation(facts, request(spec("/dev/sda", wipe=True))))


def test_4kn_boots_only_by_uefi() -> None:
    large = disk(logical_sector=4096, physical_sector=4096)
    assert "4Kn" in _reasons(plan_installation(machine(large, firmware=FirmwareFacts(kind="bios")), request()))
    assert _plan(machine(large)).layout.sector_size == 4096


def test_all_reasons_at_once() -> None:
    facts = machine(disk(size=GIB, read_only=True, table="dos"), nics=(), memory=GIB)
    reasons = _reasons(plan_installation(facts, request(spec("/dev/sda"))))
    for word in ("small", "read-only", "not empty", "network card", "memory"):
        assert word in reasons


def test_every_disk_is_explained_when_none_fits() -> None:
    facts = recorded("server-nvme-hba")
    outcome = plan_installation(facts, request(spec("largest")))
    assert isinstance(outcome, Refused)
    assert [verdict.disk for verdict in outcome.verdicts] == list(facts.disks)
    assert all(verdict.why for verdict in outcome.verdicts)


def test_a_disk_over_several_paths_is_planned_as_one() -> None:
    facts = recorded("multipath-four-paths")
    plan = _plan(facts)
    wwid = "3600c0ff00050aaaa0004000001000000"
    assert plan.disk.path == f"/dev/mapper/{wwid}"
    assert all(f" zeroth.multipath={wwid} " in text for text in plan.boot_entries.values())
    told = plan.as_json()
    assert told["paths"] == ["/dev/sda", "/dev/sdb", "/dev/sdc", "/dev/sdd"]
    assert {action.disk for action in plan.actions} == {plan.disk.path}
    shown = outcome_text(plan, 200)
    assert "4 paths: /dev/sda, /dev/sdb, /dev/sdc, /dev/sdd" in shown
    # Without several paths there is no word of it.
    assert not any("multipath" in text for text in _plan(machine(disk())).boot_entries.values())


def test_a_map_that_goes_by_a_vendor_s_text_is_not_started_from() -> None:
    odd = disk("/dev/mapper/0QEMU_x", wwid="0QEMU_x", paths=("/dev/sda", "/dev/sdb"))
    assert "not one that a host could be started by" in _reasons(plan_installation(machine(odd), request()))


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
    assert "a signed program cannot be told so" in _reasons(plan_installation(uefi, asked))


def test_memory() -> None:
    facts = machine(disk(), memory=2048 * MIB - 100 * MIB)
    assert _plan(facts)
    assert "memory" in _reasons(plan_installation(facts, request(spec(dom0={"memory": "1900 MiB"}))))


def test_an_image_that_does_not_fit() -> None:
    small = machine(disk(size=16 * GIB))
    big_root = plan_installation(small, request(with_image=image(root_size=3 * GIB + 1)))
    assert "slot" in _reasons(big_root)
    assert "ESP" in _reasons(plan_installation(small, request(with_image=image(boot_size=200 * MIB))))


# Network cards


def test_nic_by_name_mac_or_link() -> None:
    linked, dark = NIC, NicFacts(name="enp2s0", mac="52:54:00:00:00:02", carrier=False)
    facts = machine(disk(), nics=(dark, linked))
    assert _plan(facts).nics == (linked,)
    assert _plan(facts, spec(management={"nic": "52:54:00:00:00:02"})).nics == (dark,)
    assert _plan(facts, spec(management={"nic": "enp2s0"})).reservations
    assert "enp9s0" in _reasons(plan_installation(facts, request(spec(management={"nic": "enp9s0"}))))


def test_the_cards_of_a_bond_must_all_be_there() -> None:
    dark = NicFacts(name="enp2s0", mac="52:54:00:00:00:02", carrier=False)
    other = NicFacts(name="enp3s0", mac="52:54:00:00:00:03", carrier=True)
    facts = machine(disk(), nics=(NIC, dark, other))
    plan = _plan(facts, spec(management={"bond": {"name": "bond7", "nics": ["52:54:00:00:00:02", "enp1s0"]}}))
    assert (plan.nics, plan.bond) == ((dark, NIC), "bond7")
    assert plan.as_json()["management_bond"] == {
        "name": "bond7",
        "nics": [{"name": nic.name, "mac": nic.mac, "neighbour": None} for nic in (dark, NIC)],
    }
    assert "enp2s0 (52:54:00:00:00:02) has no link" in " ".join(plan.reservations)
    assert "Network: bond7 of enp2s0 (52:54:00:00:00:02) and enp1s0" in outcome_text(plan)
    kept = pinned(spec(management={"vlan": 7, "bond": {"nics": ["enp2s0", "enp1s0"]}}).management, plan.nics)
    assert kept.bond
    assert (kept.vlan, kept.nic, kept.bond.nics) == (7, None, ("52:54:00:00:00:02", "52:54:00:00:00:01"))
    gone = spec(management={"bond": {"nics": ["enp1s0", "enp9s0", "52:54:00:00:00:09"]}})
    reasons = _reasons(plan_installation(facts, request(gone)))
    assert "no network card is enp9s0, no network card is 52:54:00:00:00:09; this machine has" in reasons
    for words in ("01, link): taken", "02, no link): not named by the bond", "03, link): not named by the bond"):
        assert words in reasons


def test_the_card_of_a_disk_over_iscsi_carries_nothing_else() -> None:
    its = NicFacts(name="enp2s0", mac="52:54:00:00:00:02", carrier=True, iscsi=True)
    facts = machine(disk(), nics=(NIC, its))
    assert _plan(facts).nics == (NIC,)
    for management in ({"nic": "enp2s0"}, {"bond": {"nics": ["enp1s0", "enp2s0"]}}):
        reasons = _reasons(plan_installation(facts, request(spec(management=management))))
        assert "over iSCSI through enp2s0 (52:54:00:00:00:02, link), which carries nothing else" in reasons
    assert "no network card is left" in _reasons(plan_installation(machine(disk(), nics=(its,)), request()))


def test_nic_is_never_guessed() -> None:
    two = (NIC, NicFacts(name="enp2s0", mac="52:54:00:00:00:02", carrier=True))
    assert "2 of them" in _reasons(plan_installation(machine(disk(), nics=two), request()))
    dark = tuple(nic.model_copy(update={"carrier": None}) for nic in two)
    assert "none has a link" in _reasons(plan_installation(machine(disk(), nics=dark), request()))
    assert _plan(machine(disk(), nics=dark[:1])).reservations


# The reinstall guard


def test_an_answer_is_applied_once() -> None:
    facts = recorded("lab-uefi-installed")
    outcome = plan_installation(facts, request())
    assert isinstance(outcome, AlreadyApplied)
    assert outcome.disk.path == "/dev/vda"


def test_reinstall_needs_to_be_allowed_and_consented_to() -> None:
    facts = recorded("lab-uefi-installed")
    assert "not empty" in _reasons(plan_installation(facts, request(spec(reinstall=True))))
    assert _plan(facts, spec(reinstall=True, wipe=True)).destroys[0].startswith("zeroth 0.1.0")


def test_another_machine_with_this_disk_is_not_done() -> None:
    facts = recorded("lab-uefi-installed").model_copy(update={"dmi": DmiFacts(uuid=str(OTHER))})
    assert "not empty" in _reasons(plan_installation(facts, request()))


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
    plan = _plan(machine(_marked("installing")))
    assert plan.resumes == "installing"
    assert plan.identity == InstallId(OTHER)
    assert plan.destroys == ()
    assert plan.actions[0].kind is ActionKind.BEGIN


def test_finishing_touches_no_data() -> None:
    plan = _plan(machine(_marked("finishing")))
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
    assert _plan(machine(marked)).resumes == "finishing"


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
    assert _plan(machine(_marked("installing", **fields))).resumes == "installing"


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
    assert "not empty" in _reasons(plan_installation(machine(marked), request()))


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
    assert HASH not in str(_plan(machine(disk()), answer).as_json())

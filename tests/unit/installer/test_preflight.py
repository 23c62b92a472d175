"""The preflight report: what passes, what is warned of, what refuses."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from installer.image import SignedFiles
from installer.plan import InstallPlan, Refused
from installer.planner import plan_installation
from installer.preflight import Check, Result
from installer.show import show_outcome
from tests.unit.installer.machines import NIC, disk, image, machine, request, spec
from zeroth.spec.model import Dom0Spec, HostSpec
from zeroth.system.facts import CpuFacts, Facts, FirmwareFacts
from zeroth.system.size import GIB, MIB, Size

GOOD: dict[str, Any] = {"clock": "2026-11-22T10:00:00+00:00"}


def _report(facts: Facts, answer: HostSpec | None = None, boot_size: int = 20 * MIB) -> tuple[Check, ...]:
    outcome = plan_installation(facts, request(answer, with_image=image(boot_size=boot_size)))
    assert isinstance(outcome, InstallPlan | Refused)
    failed = [check for check in outcome.checks if check.result is Result.FAIL]
    assert bool(failed) == isinstance(outcome, Refused)
    assert all(check.hint for check in outcome.checks if check.result is not Result.PASS)
    if isinstance(outcome, InstallPlan):
        warned = [check.message for check in outcome.checks if check.result is Result.WARN]
        assert list(outcome.reservations) == warned
    assert outcome.as_json()["preflight"] == [check.as_json() for check in outcome.checks]
    return outcome.checks


def test_a_good_machine_passes_everything() -> None:
    report = _report(machine(disk(), **GOOD))
    assert {check.result for check in report} == {Result.PASS}
    names = {check.name for check in report}
    assert names == {"disk /dev/sda", "image", "network card", "memory", "processor", "firmware", "clock"}


@pytest.mark.parametrize(
    ("fields", "name", "result", "words"),
    [
        ({"memory": GIB}, "memory", Result.FAIL, "does not fit"),
        ({"memory": 2100 * MIB}, "memory", Result.WARN, "left for guests"),
        ({"memory": 0}, "memory", Result.WARN, "not known"),
        ({"cpu": CpuFacts(count=2)}, "processor", Result.WARN, "only PV guests"),
        ({"firmware": FirmwareFacts(kind="uefi", secure_boot=True)}, "firmware", Result.WARN, "Secure Boot"),
        ({"firmware": FirmwareFacts(kind="bios")}, "firmware", Result.PASS, "BIOS"),
        ({"clock": "2001-01-01T00:00:00+00:00"}, "clock", Result.WARN, "2001-01-01"),
        ({"clock": "2106-02-07T06:28:15"}, "clock", Result.WARN, "2106"),
        ({"clock": ""}, "clock", Result.WARN, "not known"),
        ({"nics": ()}, "network card", Result.FAIL, "no network card"),
        ({"nics": (NIC.model_copy(update={"carrier": False}),)}, "network card", Result.WARN, "cable"),
    ],
)
def test_the_machine(fields: dict[str, Any], name: str, result: Result, words: str) -> None:
    report = _report(machine(disk(), **{**GOOD, **fields}))
    (check,) = [check for check in report if check.name == name]
    assert check.result is result
    assert words in check.message


@pytest.mark.parametrize(
    ("fields", "result", "words"),
    [
        ({"transport": "usb"}, Result.WARN, "USB"),
        ({"read_only": True}, Result.FAIL, "read-only"),
        ({"table": "dos"}, Result.FAIL, "not empty"),
        ({"logical_sector": 4096}, Result.FAIL, "4Kn"),
        ({"size": GIB}, Result.FAIL, "too small"),
    ],
)
def test_the_disk(fields: dict[str, Any], result: Result, words: str) -> None:
    facts = machine(disk(**{"size": 64 * GIB, **fields}), firmware=FirmwareFacts(kind="bios"), **GOOD)
    (check,) = [check for check in _report(facts, spec("/dev/sda")) if check.name == "disk /dev/sda"]
    assert check.result is result
    assert words in check.message


def test_secure_boot_with_a_medium_that_is_made_for_it() -> None:
    facts = machine(disk(), **{**GOOD, "firmware": FirmwareFacts(kind="uefi", secure_boot=True)})
    plain = image()
    file = plain.boot[0]
    signed = replace(plain, signed=SignedFiles((file, file), file))
    for dom0, said in (
        (Dom0Spec(memory=Size(2 * GIB)), []),
        (Dom0Spec(xen_append=("sched=credit",), serial=None), ["dom0.xen_append, dom0.serial"]),
    ):
        outcome = plan_installation(facts, request(spec(dom0=dom0), with_image=signed))
        assert isinstance(outcome, InstallPlan)
        checks = {check.name: check for check in outcome.checks}
        assert (checks["firmware"].result, checks["firmware"].message) == (Result.PASS, "UEFI, Secure Boot on")
        assert len(outcome.reservations) == len(said)
        assert all(words in reservation for words, reservation in zip(said, outcome.reservations, strict=True))


def test_consent_is_seen() -> None:
    carrying = machine(disk(table="gpt"), **GOOD)
    assert "may be erased" in _report(carrying, spec(wipe=True))[0].message
    answer = spec().model_copy(update={"disk": spec().disk.model_copy(update={"wipe_disks": ("/dev/sda",)})})
    assert "may be erased" in _report(carrying, answer)[0].message
    answer = spec().model_copy(update={"disk": spec().disk.model_copy(update={"wipe_disks": ("/dev/sdb",)})})
    assert _report(carrying, answer)[0].result is Result.FAIL


def test_an_image_that_does_not_fit_fails() -> None:
    (check,) = [check for check in _report(machine(disk(), **GOOD), boot_size=300 * MIB) if check.name == "image"]
    assert check.result is Result.FAIL


def test_it_is_shown_with_plan_and_refusal() -> None:
    for facts in (machine(disk(), **GOOD), machine(disk(), memory=GIB, **GOOD)):
        text = io.StringIO()
        show_outcome(Console(file=text, width=80), plan_installation(facts, request()))
        assert "| pass" in text.getvalue()
        assert ("| FAIL" in text.getvalue()) == (facts.memory == GIB)

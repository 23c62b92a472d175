"""Machines for tests: the recorded ones, and small made-up ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

from installer.image import ImageFile, InstallImage
from installer.plan import InstallPlan, Outcome, Refused
from installer.planner import PlanRequest, plan_installation
from tests.unit.installer.medium import TREE
from zeroth.deploy.layout import InstallId
from zeroth.spec.model import HostSpec
from zeroth.system.facts import CpuFacts, DiskFacts, DmiFacts, Facts, FirmwareFacts, NicFacts, RecordedMachine
from zeroth.system.size import GIB, MIB

RECORDINGS = Path(__file__).parents[2] / "machines"
IDENTITY = InstallId(UUID("11111111-2222-4333-8444-555555555555"))
DIGEST = "ab" * 32
# Of no password in use anywhere.
HASH = "$6$rounds=5000$saltsaltsaltsalt$" + "x" * 86
MACHINE = "4c4c4544-0042-3510-8052-b4c04f4e3132"
NIC = NicFacts(name="enp1s0", mac="52:54:00:00:00:01", driver="igb", carrier=True, speed=1000)


def recorded(name: str) -> Facts:
    return RecordedMachine(RECORDINGS / f"{name}.json").facts()


def disk(path: str = "/dev/sda", size: int = 64 * GIB, **fields: Any) -> DiskFacts:  # noqa: ANN401 - whatever the model takes
    return DiskFacts(path=path, size=size, **fields)


def machine(*disks: DiskFacts, nics: tuple[NicFacts, ...] = (NIC,), **fields: Any) -> Facts:  # noqa: ANN401
    defaults: dict[str, Any] = {
        "memory": 4 * GIB,
        "clock": "2026-11-01T12:00:00+00:00",
        "cpu": CpuFacts(count=4, virtualization="vmx"),
        "dmi": DmiFacts(uuid=MACHINE),
        "firmware": FirmwareFacts(kind="uefi"),
    }
    return Facts(disks=disks, nics=nics, **{**defaults, **fields})


def spec(select: str = "only", *, wipe: bool = False, **fields: Any) -> HostSpec:  # noqa: ANN401
    return HostSpec.model_validate(
        {
            "hostname": "host1",
            "root": {"password_hash": HASH},
            "disk": {"select": select, "wipe": wipe},
            **fields,
        }
    )


def image(root_size: int = 400 * MIB, boot_size: int = 20 * MIB) -> InstallImage:
    def file(name: str, size: int) -> ImageFile:
        return ImageFile(name, Path("/run/zeroth/medium/zeroth") / name, size, "00" * 32)

    boot = tuple(file(name, boot_size) for name in ("xen.gz", "vmlinuz", "initrd.img"))
    return InstallImage("0.1.0", file("root.squashfs", root_size), boot, TREE)


def request(answer: HostSpec | None = None, *, with_image: InstallImage | None = None) -> PlanRequest:
    return PlanRequest(answer or spec(), DIGEST, with_image or image(), IDENTITY)


def planned(facts: Facts, answer: HostSpec | None = None) -> InstallPlan:
    """The plan; the least answer unless told."""
    outcome = plan_installation(facts, request(answer))
    assert isinstance(outcome, InstallPlan), outcome
    return outcome


def reasons(outcome: Outcome) -> str:
    """Why nothing is installed, a line each; each has a hint."""
    assert isinstance(outcome, Refused), outcome
    assert all(problem.hint for problem in outcome.problems)
    return "\n".join(problem.message for problem in outcome.problems)

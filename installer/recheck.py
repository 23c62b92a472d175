"""Whether the disks of a plan still are what it was made for.

Between the plan and the first write lie the trial of the network, the check of the image and the answer's hooks:
minutes, in which a name like ``/dev/sdb`` may come to mean another disk, and a disk may be put to use.
"""

from __future__ import annotations

from collections.abc import Iterator

from installer.keeping import kept_sr
from installer.plan import InstallPlan
from zeroth.errors import ExitCode, UserError
from zeroth.progress import Step
from zeroth.system.facts import DiskFacts, Facts, Machine

__all__ = ["changes", "check_again", "check_agreed"]


def check_again(plan: InstallPlan, machine: Machine, step: Step) -> None:
    """Look at the machine once more.

    :raises UserError: when a disk that is to be written to is another one, is in use, or carries what was not shown.
    """
    with step.step("Look at the disks once more"):
        found = tuple(changes(plan, machine.facts()))
        if found:
            raise UserError(
                f"the plan does not hold any more: {'; '.join(found)}",
                "Nothing was written. Start the installation again: it plans anew.", code=ExitCode.MACHINE,
            )  # fmt: skip


def changes(plan: InstallPlan, facts: Facts) -> Iterator[str]:
    """What is against the plan now, a phrase each."""
    now = {disk.path: disk for disk in facts.disks}
    for planned in (*plan.disks, *(leg.disk for leg in plan.sr_disks)):
        disk = now.get(planned.path)
        if disk is None:
            yield f"{planned.path} is not there any more"
        elif disk.medium or _identity(disk) != _identity(planned):
            yield f"{planned.path} is another disk now"
        else:
            yield from (f"{disk.path} is in use: {use}" for use in disk.in_use)
            yield from (f"{disk.path} carries now: {what}" for what in disk.contents if what not in planned.contents)
    if plan.kept and plan.disk.path in now:
        try:
            same = kept_sr(now[plan.disk.path], facts.disks) == plan.kept
        except UserError as error:
            yield error.message
        else:
            if not same:
                yield f"the local storage repository on {plan.disk.path} is not the one that was to stay"


def check_agreed(agreed: InstallPlan, plan: InstallPlan) -> None:
    """Whether a plan does what a person agreed to, who may have looked at it for hours.

    :raises UserError: when it writes to other disks, loses more, or keeps something else.
    """
    if _meant(agreed) != _meant(plan) or not set(plan.destroys) <= set(agreed.destroys):
        disks = ", ".join(disk.path for disk in (*plan.disks, *(leg.disk for leg in plan.sr_disks)))
        raise UserError(
            f"the machine changed since the plan was shown, which would now write to {disks}",
            "Nothing was written. Look at the plan again.", code=ExitCode.MACHINE,
        )  # fmt: skip


def _meant(plan: InstallPlan) -> tuple[object, ...]:
    disks = (*plan.disks, *(leg.disk for leg in plan.sr_disks))
    return [(disk.path, *_identity(disk)) for disk in disks], len(plan.disks), plan.kept


def _identity(disk: DiskFacts) -> tuple[object, ...]:
    return (disk.serial, disk.wwn, disk.size, disk.logical_sector, disk.vendor, disk.model)

"""``zeroth installer repair``: what a host boots by is looked at, shown and put right."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping

import click
from rich.console import Console

from installer.image import InstallImage, read_image
from installer.repair import RepairPlan
from installer.repair_session import RepairSession
from installer.show import show_actions, show_checks
from zeroth.deploy.upgrade_cli import alone
from zeroth.errors import ExitCode, UserError
from zeroth.progress import Stream
from zeroth.sinks import sink_for
from zeroth.spec.render import printable
from zeroth.system.live import MEDIUM, LiveMachine

__all__ = ["repair"]


@click.command
@click.option("--disk", metavar="PATH", help="A disk of the host that is meant, where there are several.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--plan", "plan_only", is_flag=True, help="Show what would be done, and do nothing.")
@click.option("--json", "as_json", is_flag=True, help="The plan as JSON.")
def repair(*, disk: str | None, yes: bool, plan_only: bool, as_json: bool) -> int:
    """Put right what a host boots by: GRUB for BIOS and UEFI, its menu and its state, the firmware's entry.

    In the rescue system of the medium, or on the host itself. Only what is wrong is written, and nothing of what the
    host holds: images, settings and guests' disks stay as they are. Ends with 3 when something stays wrong that it
    names, and with 4 when neither slot can be started.

    \b
    Examples:
      zeroth installer repair
      zeroth installer repair --plan --json
      zeroth installer repair --disk /dev/sda --yes
    """
    if os.geteuid() != 0:
        raise UserError("boot loaders are root's", "Run it as root.", code=ExitCode.MACHINE)
    if not (yes or plan_only) and (as_json or not sys.stdin.isatty()):
        raise UserError("nobody can be asked here", "Say --yes to repair, or --plan to see what would be done.",
                        code=ExitCode.USAGE)  # fmt: skip
    stream = Stream([sink_for(Console(stderr=True), sys.stderr)])
    session = RepairSession(LiveMachine().facts(), disk, _medium)
    with alone(), stream.step("Look at what the host boots by") as looking, session.planned(looking) as found:
        plan, reservations = found.plan, found.plan.reservations
        if not as_json:
            _show(Console(), plan)
        goes = bool(plan.actions) and not plan_only and (yes or click.confirm("Write this?"))
        if goes:
            with stream.step("Repair", total=len(plan.actions)) as step:
                reservations = found.run(step)
    if as_json:
        click.echo(json.dumps(_facts(plan, reservations, done=goes), indent=1, ensure_ascii=False))
    else:
        for note in reservations:
            click.echo(f"Note: {printable(note)}.")
        if goes:
            click.echo(f"The host on {plan.legs[0].disk.path} can be started.")
    return ExitCode.RESERVATIONS if reservations else ExitCode.DONE


def _facts(plan: RepairPlan, reservations: tuple[str, ...], *, done: bool) -> Mapping[str, object]:
    outcome = "repaired" if done else "plan" if plan.actions else "nothing to do"
    return {"outcome": outcome, **plan.as_json(), "reservations": list(reservations)}


def _show(console: Console, plan: RepairPlan) -> None:
    disks = " and ".join(leg.disk.path for leg in plan.legs)
    click.echo(f"The host on {disks}: zeroth {plan.version}, started from slot {plan.boot.committed}.")
    show_checks(console, plan.checks)
    if plan.actions:
        click.echo("What will be written; everything else stays as it is:")
        show_actions(console, plan.actions)
    else:
        click.echo("There is nothing to repair.")


def _medium() -> InstallImage | None:
    return read_image() if MEDIUM.is_mount() else None

"""``zeroth disk``: the disks of a host that lies on two."""

from __future__ import annotations

import json
import os
import sys

import click
from rich.console import Console

from installer.replace import Replacement, plan_replacement
from zeroth.deploy.booted import Booted, booted
from zeroth.deploy.legs import Mirror, read_mirror, start_arrays, sync_boot
from zeroth.deploy.running import installation, legs_given
from zeroth.deploy.slotstate import SlotState
from zeroth.errors import ExitCode, UserError
from zeroth.progress import Stream
from zeroth.sinks import sink_for
from zeroth.system.live import LiveMachine
from zeroth.system.run import run

__all__ = ["disk"]


@click.group()
def disk() -> None:
    """The disks that this host starts from."""


@disk.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def status(*, as_json: bool) -> int:
    """Say whether the mirror is whole, disk by disk. Ends with 3 when it is not.

    \b
    Examples:
      zeroth disk status
      zeroth disk status --json
    """
    mirror = _mirror(booted())
    if mirror is None:
        facts = {"mirror": False}
        click.echo(json.dumps(facts) if as_json else "this host lies on one disk")
        return ExitCode.DONE
    click.echo(json.dumps(mirror.as_json(), indent=1) if as_json else "\n".join(mirror.lines()))
    return ExitCode.DONE if mirror.whole else ExitCode.RESERVATIONS


@disk.command()
@click.option("--disk", "wanted", metavar="DISK", help="The new disk, named as in an answer: serial=S3Z9.")
@click.option("--erase", is_flag=True, help="What is on the new disk may be lost.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--plan", "plan_only", is_flag=True, help="Show what would be done, and do nothing.")
@click.option("--json", "as_json", is_flag=True, help="The plan as JSON.")
def replace(*, wanted: str | None, erase: bool, yes: bool, plan_only: bool, as_json: bool) -> int:
    """Make a new disk the second one of this host's mirror: everything that the other has, so that it starts alone.

    Shows first what will be done. Guests run on. When it is interrupted, the same command goes on.

    \b
    Examples:
      zeroth disk replace
      zeroth disk replace --plan --json
      zeroth disk replace --disk serial=S3Z9NB0K --yes
    """
    if not (yes or plan_only) and (as_json or not sys.stdin.isatty()):
        raise UserError("nobody can be asked here", "Say --yes to replace, or --plan to see what would be done.",
                        code=ExitCode.USAGE)  # fmt: skip
    mirror = _mirror(booted())
    if mirror is None:
        raise UserError("this host lies on one disk: it was not installed as a mirror", "Install it again as one.")
    state = SlotState()
    plan = plan_replacement(mirror, LiveMachine().facts(), legs_given(state), wanted, erase=erase)
    if not as_json:
        click.echo("\n".join(plan.lines()))
    reservations: tuple[str, ...] = ()
    goes = not plan_only and (yes or click.confirm("Go on?"))
    if goes:
        with Stream([sink_for(Console(stderr=True), sys.stderr, json_lines=False)]).step("Replace the disk") as step:
            reservations = Replacement(plan, state).run(step)
    if as_json:
        outcome = "replaced" if goes else "plan"
        click.echo(json.dumps({"outcome": outcome, **plan.as_json(), "reservations": list(reservations)}, indent=1))
    for text in () if as_json else reservations:
        click.echo(f"note: {text}", err=True)
    return ExitCode.RESERVATIONS if reservations else ExitCode.DONE


@disk.command()
def sync() -> None:
    """Start what the host lies on, and bring the boot files of its disks in step. A unit runs this at each start.

    \b
    Examples:
      zeroth disk sync
    """
    here = booted()
    if not here.mirror:
        return
    identity, _ = installation(SlotState())
    for wrong in start_arrays(identity):
        _alert(wrong)
    mirror = read_mirror(identity)
    # First: a disk that fails may fail here too.
    if not mirror.whole:
        _alert("the mirror has lost a disk: `zeroth disk status` says which, `zeroth disk replace` gives it another")
    with Stream([sink_for(Console(stderr=True), sys.stderr, json_lines=False)]).step("Boot files") as step:
        again = sync_boot(mirror, here, step)
    if again:
        _alert("this disk was away, and started an older system than this host's: the machine restarts")
        run(["systemctl", "reboot"])


def _mirror(here: Booted) -> Mirror | None:
    """None on a host that lies on one disk."""
    return read_mirror(installation(SlotState())[0]) if here.mirror else None


def _alert(text: str) -> None:
    # In the journal this is an alert; see sd-daemon(3).
    click.echo(("<1>" if "JOURNAL_STREAM" in os.environ else "") + text, err=True)

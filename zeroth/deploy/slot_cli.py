"""``zeroth slot``: which slot this host runs from, whether its image is still whole, and the trial of a new one."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from zeroth.deploy.booted import FOUND_OUT, ROOT_DEVICE, Booted, booted
from zeroth.deploy.bootenv import BootState, read_boot_state
from zeroth.deploy.dom0 import fit_dom0
from zeroth.deploy.goback import check_way_back, go_back
from zeroth.deploy.prepare import prepare_slot
from zeroth.deploy.scrub import scrub as scrub_device
from zeroth.deploy.slotstate import SLOTS, Slot, SlotState
from zeroth.deploy.upgrade_cli import alone, as_root
from zeroth.errors import ExitCode, UserError
from zeroth.progress import Stream
from zeroth.sinks import sink_for
from zeroth.spec.stored import load_spec
from zeroth.system.console import on_consoles
from zeroth.system.run import run

__all__ = ["slot"]

SPEC = Path("/var/lib/zeroth/hostspec.json")
"""The settings of the running slot."""


@click.group()
def slot() -> None:
    """The two slots of a host."""


@slot.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def status(*, as_json: bool) -> None:
    """Say which slot runs, which one has proved itself, and which one is on trial.

    \b
    Examples:
      zeroth slot status
      zeroth slot status --json
    """
    here = booted()
    as_root()
    state = read_boot_state(here.esp())
    if as_json:
        on_trial = here.on_trial(state.committed)
        facts = {"booted": here.slot, "on_trial": on_trial, "root_hash": here.root_hash, **asdict(state)}
        click.echo(json.dumps(facts, indent=1))
        return
    for line in status_lines(here, state):
        click.echo(line)


def status_lines(here: Booted, state: BootState) -> list[str]:
    """The same in words."""
    on_trial = here.on_trial(state.committed)
    lines = [f"running from slot {here.slot}" + (", on trial" if on_trial else "")]
    lines.append(f"slot {state.committed} has proved itself, and is started by default")
    if here.slot != state.committed and not on_trial:
        lines.append(f"slot {state.committed} could not be started, or another was chosen in the boot menu")
    if state.trial:
        left = f"{state.tries} more tries" if state.tries else "no try left: it failed"
        lines.append(f"slot {state.trial} is on trial: {left}")
    return lines


@slot.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def scrub(*, as_json: bool) -> int:
    """Read the whole image of the running slot, and find blocks that have gone bad.

    Ends with 4 when there are any. A timer does this every week.

    \b
    Examples:
      zeroth slot scrub
      zeroth slot scrub --json
    """
    here = booted()
    with Stream([sink_for(Console(stderr=True), sys.stderr, json_lines=False)]).step("Read the image") as step:
        try:
            found = scrub_device(ROOT_DEVICE, step)
        except OSError as error:
            message = f"{ROOT_DEVICE} cannot be read: {error.strerror}"
            raise UserError(message, "Run it as root, on an installed host.", code=ExitCode.MACHINE) from None
    if as_json:
        click.echo(json.dumps({"slot": here.slot, **asdict(found)}, indent=1))
    elif not found.bad:
        click.echo(f"slot {here.slot} is whole: {found.size} bytes fit their hashes")
    if not found.bad:
        return ExitCode.DONE
    places = ", ".join(map(str, found.bad[:5])) + (" ..." if len(found.bad) > 5 else "")
    # In the journal this is an alert; see sd-daemon(3).
    level = "<1>" if "JOURNAL_STREAM" in os.environ else ""
    click.echo(
        f"{level}error: slot {here.slot} has {len(found.bad)} bad blocks (at bytes {places}): the disk does not keep "
        "what was written to it\nhint: Running guests go on. Move them away, replace the disk, install again.",
        err=True,
    )
    return ExitCode.MACHINE


@slot.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def fit(*, as_json: bool) -> None:
    """Give domain 0 the memory and processors of the host's settings, after a signed program started it.

    Arguments of Xen are inside that program, and the same on every host. A unit runs this at each start. With Secure
    Boot off Xen has the settings on its command line, and nothing is done.

    \b
    Examples:
      zeroth slot fit
      zeroth slot fit --json
    """
    commands = fit_dom0(load_spec(SPEC).dom0) if FOUND_OUT.is_file() else []
    if as_json:
        click.echo(json.dumps({"commands": commands}, indent=1))
        return
    for command in commands or [["nothing to do"]]:
        click.echo(" ".join(command))


@slot.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--plan", "plan_only", is_flag=True, help="Show what would be lost, and do nothing.")
@click.option("--reboot", is_flag=True, help="Restart the machine at the end.")
@click.option("--json", "as_json", is_flag=True, help="What is lost as JSON.")
def back(*, yes: bool, plan_only: bool, reboot: bool, as_json: bool) -> None:
    """Make the other slot the one that is started by default, with the host's state as it was when it was left.

    What was made or changed since is listed first: it is lost to the host, though the disks of virtual machines stay.
    Takes effect at the next start of the machine.

    \b
    Examples:
      zeroth slot back
      zeroth slot back --plan --json
      zeroth slot back --yes --reboot
    """
    if not (yes or plan_only) and (as_json or not sys.stdin.isatty()):
        raise UserError("nobody can be asked here", "Say --yes to go back, or --plan to see what would be lost.")
    as_root()
    # Not while an upgrade is written: the slot that was looked at would be another one by the time of the answer.
    with alone():
        here, state = booted(), SlotState()
        way = check_way_back(state, here.esp())
        if as_json:
            click.echo(json.dumps({"outcome": "plan" if plan_only else "back", **asdict(way)}, indent=1))
        else:
            click.echo(f"Back to slot {way.slot}: {way.title}.")
            for phrase in way.lost or ("nothing was made or changed since",):
                click.echo(f"  {phrase}")
        if plan_only or not (yes or click.confirm(f"Start slot {way.slot} from now on?")):
            return
        go_back(state, here.esp(), way)
    if reboot:
        run(["systemctl", "reboot"])
    elif not as_json and here.slot != way.slot:
        click.echo("Restart the machine: systemctl reboot")


@slot.command(hidden=True)
def prove() -> None:
    """Watch a slot on trial until it is well, and commit it; ends with 4 when it is not (zeroth-trial.service)."""
    # Not at the top: other commands of this group need none of the host's drivers.
    from zeroth.deploy.health import host_checks
    from zeroth.deploy.prove import Proof

    here = booted()
    if not here.trial:
        raise UserError(f"slot {here.slot} is not on trial", code=ExitCode.MACHINE)
    # It begins early: the names of partitions may still be on their way.
    run(["udevadm", "settle", "--timeout=60"], ok=(0, 1))
    proof = Proof(
        _slot(here.slot), here.esp(), SlotState(), host_checks(), say=_tell, clock=time.monotonic, sleep=time.sleep
    )
    try:
        proof.run()
    except UserError as error:
        _tell(error.message)
        raise


@slot.command(hidden=True)
@click.argument("name", type=click.Choice(SLOTS), metavar="SLOT")
@click.option("--state", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
def prepare(name: str, *, state: Path) -> None:
    """Give a slot on trial a copy of the state of the other one (the initrd, in the new image)."""
    prepare_slot(SlotState(state), _slot(name), Path("/etc"), lambda text: click.echo(f"zeroth: {text}"))


def _tell(text: str) -> None:
    """To the journal, and to whoever stands before the machine."""
    click.echo(text)
    on_consoles(f"zeroth: {text}\n")


def _slot(name: str) -> Slot:
    return "a" if name == "a" else "b"

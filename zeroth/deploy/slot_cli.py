"""``zeroth slot``: which slot this host runs from, and whether its image is still whole."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from zeroth.deploy.booted import FOUND_OUT, ROOT_DEVICE, Booted, booted
from zeroth.deploy.bootenv import BootState, read_boot_state
from zeroth.deploy.dom0 import fit_dom0
from zeroth.deploy.scrub import scrub as scrub_device
from zeroth.errors import ExitCode, UserError
from zeroth.progress import Stream
from zeroth.sinks import sink_for
from zeroth.spec.stored import load_spec

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
    state = read_boot_state(here.esp())
    if as_json:
        facts = {"booted": here.slot, "on_trial": here.trial, "root_hash": here.root_hash, **asdict(state)}
        click.echo(json.dumps(facts, indent=1))
        return
    for line in status_lines(here, state):
        click.echo(line)


def status_lines(here: Booted, state: BootState) -> list[str]:
    """The same in words."""
    lines = [f"running from slot {here.slot}" + (", on trial" if here.trial else "")]
    lines.append(f"slot {state.committed} has proved itself, and is started by default")
    if here.slot != state.committed and not here.trial:
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

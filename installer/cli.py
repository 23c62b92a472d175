"""``zeroth probe``, ``zeroth plan`` and ``zeroth installer``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from uuid import UUID, uuid5

import click
from rich.console import Console

from installer.consoles import console_devices, hush_others, load_keymap, open_consoles
from installer.ending import after, end_machine
from installer.image import InstallImage, read_image
from installer.main import Session
from installer.person import Decision
from installer.plan import Refused
from installer.planner import PlanRequest, plan_installation
from installer.remote import DESK, take_over
from installer.repair_cli import repair
from installer.screens.front import Front
from installer.show import show_facts, show_outcome
from zeroth.deploy.layout import InstallId
from zeroth.errors import ExitCode
from zeroth.spec.answer import AnswerText
from zeroth.spec.load import load_answer
from zeroth.system.facts import Machine, RecordedMachine
from zeroth.system.live import MEDIUM, LiveMachine

__all__ = ["installer", "plan", "probe"]

# What stands in for the number of an installation, which is drawn when there is one.
_PLANNED = UUID("8b1e0d4e-6a0f-4f7e-9d0b-3c1c3b9a5f10")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_PIPED = click.Path(exists=True, dir_okay=False, path_type=Path, allow_dash=True)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON; a recording for --machine.")
def probe(as_json: bool) -> None:
    """Show what this machine has: disks and what is on them, network cards, firmware.

    \b
    Changes nothing. Examples:
      zeroth probe
      zeroth probe --json > machine.json
    """
    facts = LiveMachine().facts()
    if as_json:
        click.echo(facts.model_dump_json(indent=2))
    else:
        show_facts(Console(), facts)


@click.command
@click.option("--answer", "answer_file", required=True, type=_PIPED, help="The answer file.")
@click.option("--machine", "machine_file", type=_PIPED, help="A recorded machine instead of this one.")
@click.option("--medium", type=_FOLDER, help="A mounted medium, for the sizes of the image. [default: this machine's]")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def plan(answer_file: Path, machine_file: Path | None, medium: Path | None, as_json: bool) -> int:
    """Show what an installation would do, or why it would be refused. Changes nothing.

    The same answer on the same machine gives the same plan; the UUIDs are those of an installation only when it runs.
    One of the two files may be standard input, named -.

    \b
    Examples:
      zeroth plan --answer host.ks
      zeroth plan --answer host.ks --machine machine.json --json
      ssh root@192.0.2.57 zeroth probe --json | zeroth plan --answer host.ks --machine -
    """
    if str(answer_file) == str(machine_file) == "-":
        raise click.UsageError("only one of --answer and --machine can be standard input")
    answer = AnswerText.from_argument(answer_file)
    spec = load_answer(answer)
    recording = Path("/dev/stdin") if str(machine_file) == "-" else machine_file
    machine: Machine = RecordedMachine(recording) if recording else LiveMachine()
    digest = answer.digest()
    request = PlanRequest(spec, digest, _image(medium), InstallId(uuid5(_PLANNED, digest)))
    outcome = plan_installation(machine.facts(), request)
    if as_json:
        click.echo(json.dumps(outcome.as_json(), indent=2, ensure_ascii=False))
    else:
        show_outcome(Console(), outcome)
    return ExitCode.INPUT if isinstance(outcome, Refused) else ExitCode.DONE


@click.group
def installer() -> None:
    """Install zeroth on this machine (on a booted installation medium)."""


installer.add_command(repair)


@installer.command
def screen() -> int:
    """Show the installer's screens on this terminal, taking them over from where they are.

    \b
    For whoever logs in to the installer by ssh. Example:
      zeroth installer screen
    """
    take_over(DESK, Path(os.ttyname(0)) if sys.stdin.isatty() else None)
    return ExitCode.DONE


@installer.command("run")
@click.option("--answer", "answer_file", type=_FILE, help="The answer file. [default: looked for, as at boot]")
@click.option("--no-end-action", is_flag=True, help="Stay as you are at the end: no reboot, no power-off, no shells.")
@click.option("--all-consoles", is_flag=True, help="Report on every console of the machine, as the service does.")
def run_installer(answer_file: Path | None, no_end_action: bool, all_consoles: bool) -> int:
    """Find the answer, show the plan, install, then do what the answer says comes next.

    \b
    Examples:
      zeroth installer run
      zeroth installer run --answer /tmp/host.ks --no-end-action
    """
    outputs, devices, hushed = [sys.stdout], list[Path](), set[Path]()
    if all_consoles:
        devices = console_devices()
        outputs.append(open_consoles(devices, hushed))
    elif answer_file is None and sys.stdin.isatty():
        # By hand: asked on this terminal alone, since shells are on the others.
        devices = [Path(os.ttyname(0))]
        outputs = [open_consoles(devices, hushed)]
    front = None
    if devices:
        front = Front(devices, hushed, hush=hush_others, keymap=load_keymap, desk=DESK)
    while True:
        report = Session(outputs, answer_file, person=front).run()
        wish = front.ended(report) if front else None
        if wish is not Decision.RETRY:
            break
    if front:
        front.close()
    if wish:
        # The console that had the screens has not seen it yet.
        print(report.line, file=outputs[-1], flush=True)
    if not no_end_action:
        end_machine(report.ended, *after(wish, report.end_action, report.on_failure))
    return report.code


def _image(medium: Path | None) -> InstallImage | None:
    if medium is None and not MEDIUM.is_mount():
        return None
    return read_image(medium or MEDIUM)

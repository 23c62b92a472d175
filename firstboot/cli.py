"""``zeroth firstboot``: run it, or see how far it is."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from firstboot import engine
from firstboot.context import Context
from firstboot.journal import Entry, Journal, Record, StepState, read
from firstboot.paths import Paths
from firstboot.system import LiveSystem
from zeroth.drivers.network.machine import Machine
from zeroth.errors import ExitCode, UserError
from zeroth.progress import Stream
from zeroth.sinks import log_file, sink_for
from zeroth.spec.stored import load_spec
from zeroth.system.address import url_host
from zeroth.system.console import on_consoles

__all__ = ["firstboot"]

_root_option = click.option(
    "--root", type=click.Path(path_type=Path, file_okay=False, exists=True), default=Path("/"), hidden=True
)


@click.group()
def firstboot() -> None:
    """Make a freshly installed machine into the host of its answer.

    \b
    Runs by itself at boot (zeroth-firstboot.service). By hand:
      zeroth firstboot status     how far it is, and what went wrong
      zeroth firstboot run        try again from where it stopped
    """


@firstboot.command()
@click.option("--refresh", is_flag=True, help="Only follow a change of the management address.")
def run(refresh: bool) -> None:
    """Do the steps that are not done yet; on a finished host, follow a change of address.

    \b
    Safe to call at any time and any number of times. Example:
      zeroth firstboot run
    """
    if os.geteuid() != 0:
        raise UserError("first boot must be run by root", code=ExitCode.MACHINE)
    paths = Paths()
    context = Context(load_spec(paths.hostspec), paths, LiveSystem(), Machine())
    with _alone(paths.lock), log_file(paths.log) as log:
        stream = Stream([sink_for(Console(), sys.stdout), log])
        context.say = click.echo
        if not refresh:
            engine.start(context, stream, on_consoles)
            return
        journal = Journal(paths.journal, engine.names())
        if journal.record.finished:
            engine.refresh(context, journal, on_consoles, booting=False)


@firstboot.command()
@click.option("--json", "as_json", is_flag=True, help="Print the journal as JSON.")
@_root_option
def status(as_json: bool, root: Path) -> None:
    """Show each step: done or not, when, how long it took, and why it failed.

    \b
    Exit code 0: finished. 3: not finished yet. 4: a step failed.
    Example:
      zeroth firstboot status --json | jq .finished
    """
    paths = Paths(root)
    record = read(paths.journal)
    if not record.steps and not paths.hostspec.parent.is_dir():
        raise UserError(
            "this is not an installed zeroth host",
            "Run it on a host that the installer made.",
            where=str(paths.journal),
            code=ExitCode.MACHINE,
        )
    journal = Journal(paths.journal, engine.names())
    if as_json:
        click.echo(journal.record.model_dump_json(indent=2))
    else:
        _show(journal.record)
    if any(entry.state is StepState.FAILED for entry in record.steps):
        raise SystemExit(ExitCode.MACHINE)
    if not record.finished:
        raise SystemExit(ExitCode.RESERVATIONS)


def _show(record: Record) -> None:
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("Step", "State", "Ended", "Seconds", "Tries"):
        table.add_column(column, justify="right" if column in ("Seconds", "Tries") else "left")
    for entry in record.steps:
        colour = {StepState.DONE: "green", StepState.FAILED: "bold red"}.get(entry.state, "yellow")
        seconds = f"{entry.seconds:.1f}" if entry.ended else ""
        table.add_row(entry.name, f"[{colour}]{entry.state}[/]", entry.ended, seconds, str(entry.tries or ""))
    console.print(table)
    for entry in record.steps:
        _show_remarks(console, entry)
    if record.finished:
        places = " ".join(f"https://{url_host(it)}/" for it in (record.address, record.address6) if it)
        console.print(f"First boot finished {record.finished}. {places}", markup=False)
    elif any(entry.state is StepState.FAILED for entry in record.steps):
        console.print("First boot failed; it is tried again at the next boot, or now: zeroth firstboot run")
    else:
        console.print("First boot is not finished.")


def _show_remarks(console: Console, entry: Entry) -> None:
    for label, text in (("error", entry.error), ("hint", entry.hint), ("note", entry.note)):
        if text:
            console.print(f"{entry.name}: {label}: {text}", markup=False, soft_wrap=True)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """One first boot at a time: a second one waits, and then finds everything done."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        with suppress(OSError):
            os.close(handle)

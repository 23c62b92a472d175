"""``zeroth upgrade apply`` and ``status``: on a host that runs."""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console

from zeroth.deploy.booted import booted
from zeroth.deploy.bootenv import BootState, read_boot_state, write_boot_state
from zeroth.deploy.esp import Esp
from zeroth.deploy.running import read_host
from zeroth.deploy.slotstate import SlotState
from zeroth.deploy.upgrade import plan_upgrade
from zeroth.deploy.upgrade_apply import Upgrade
from zeroth.deploy.upgrade_input import file_options, opened
from zeroth.deploy.upgrade_show import show_upgrade
from zeroth.deploy.upgrade_status import upgrade_status
from zeroth.errors import ExitCode, UserError
from zeroth.progress import Stream
from zeroth.sinks import log_file, sink_for
from zeroth.system.console import on_consoles
from zeroth.system.run import run

__all__ = ["alone", "apply", "as_root", "cancel", "status"]

_LOCK = Path("/run/zeroth/upgrade.lock")
_LOG = Path("/var/log/zeroth/upgrade.log")


@click.command()
@file_options
@click.option("--allow-downgrade", is_flag=True, help="Take an older version than the one that runs.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--plan", "plan_only", is_flag=True, help="Show what would be done, and do nothing.")
@click.option("--reboot", is_flag=True, help="Restart the machine at the end, into the new slot.")
@click.option("--json", "as_json", is_flag=True, help="The plan as JSON.")
def apply(
    file: str, *, keys: tuple[Path, ...], unsigned: bool, allow_downgrade: bool, yes: bool, plan_only: bool,
    reboot: bool, as_json: bool,
) -> None:  # fmt: skip
    """Write an upgrade file into the slot that does not run. A hyphen reads standard input.

    The running slot and the boot loader are not touched, and guests run on. At the next start of the machine the
    new slot is tried, on a copy of the host's state: when Xen, network, storage and agent are well it stays, else
    the machine goes back to the old slot by itself.

    \b
    Examples:
      zeroth upgrade apply zeroth-1.2.0.zup
      zeroth upgrade apply zeroth-1.2.0.zup --plan --json
      curl --silent https://example.com/zeroth.zup | zeroth upgrade apply - --yes --reboot
    """  # fmt: skip
    as_root()
    if not (yes or plan_only) and (as_json or file == "-" or not sys.stdin.isatty()):
        raise UserError("nobody can be asked here", "Say --yes to apply it, or --plan to see what would be done.")
    state = SlotState()
    with alone(), opened(file, keys, unsigned=unsigned) as found:
        plan = plan_upgrade(read_host(state), found.header, allow_downgrade=allow_downgrade)
        if plan is None:
            click.echo(
                json.dumps({"outcome": "nothing to do"}) if as_json else "This host runs this very image already."
            )
            return
        if as_json:
            click.echo(json.dumps({"outcome": "plan" if plan_only else "apply", **plan.as_json()}, indent=1))
        else:
            show_upgrade(Console(), plan)
        if plan_only or not (yes or click.confirm(f"Write slot {plan.slot}?")):
            return
        with log_file(_LOG) as log:
            stream = Stream([sink_for(Console(stderr=True), sys.stderr), log])
            with stream.step(f"Upgrade to {plan.header.version}") as step:
                Upgrade(plan, found, state).run(step)
    if reboot:
        run(["systemctl", "reboot"])
    elif not as_json:
        click.echo("Restart the machine to try it: systemctl reboot (zeroth upgrade cancel takes it back).")


@click.command()
def cancel() -> None:
    """Do not try the upgrade that waits; the running slot goes on as the one that is started.

    \b
    Example:
      zeroth upgrade cancel
    """  # fmt: skip
    as_root()
    with alone():
        host = read_host(SlotState())
        if host.trial:
            raise UserError(
                "the upgrade is being tried", "To go back restart the machine and choose the other slot.",
                code=ExitCode.MACHINE,
            )  # fmt: skip
        if not host.boot.trial:
            click.echo("No upgrade waits.")
            return
        # Of a mirror every disk: the firmware may start any of them.
        write_boot_state(Esp(host.esp, *host.other_esps), BootState(committed=host.boot.committed))
    click.echo(f"Slot {host.boot.trial} is not tried; slot {host.boot.committed} is started by default.")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--alert", is_flag=True, hidden=True, help="Only when an upgrade failed; for the journal.")
def status(*, as_json: bool, alert: bool) -> None:
    """Say how the last upgrade went, and which changed files of /etc could not be merged.

    \b
    Examples:
      zeroth upgrade status
      zeroth upgrade status --json
    """  # fmt: skip
    here = booted()
    as_root()
    found = upgrade_status(SlotState(), "a" if here.slot == "a" else "b", read_boot_state(here.esp()))
    if alert:
        if found.failed:
            text = f"{found.lines()[0]}; this is slot {found.running} again"
            # The level of an alert; see sd-daemon(3).
            click.echo(f"<1>{text}")
            on_consoles(f"zeroth: {text}\n")
        return
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=1))
        return
    for line in found.lines():
        click.echo(line)


def as_root() -> None:
    """Refuse to anybody else.

    :raises UserError: for who is not root.
    """
    if os.geteuid() != 0:
        raise UserError("slots and upgrades are root's", "Run it as root.", code=ExitCode.MACHINE)


@contextmanager
def alone() -> Iterator[None]:
    """One upgrade at a time."""
    _LOCK.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError("another upgrade is under way", "Wait for it.", code=ExitCode.MACHINE) from None
        yield
    finally:
        os.close(handle)

"""``zeroth host``: the agent's own commands. Its parts are imported when a command needs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from zeroth.errors import ExitCode

__all__ = ["host"]


@click.group()
def host() -> None:
    """Look after the host agent, which answers the XenAPI on this machine."""


@host.command()
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")
@click.option("--socket", type=click.Path(path_type=Path), hidden=True, help="The agent's status socket.")
def status(as_json: bool, socket: Path | None) -> int:
    """Show how the agent, the hypervisor and the virtual machines are.

    Exits with 3 when something is wrong that the agent lives with, with 4 when no agent runs.

    \b
    Examples:
      zeroth host status
      zeroth host status --json | jq .hypervisor
    """
    from hostagent.status import STATUS_SOCKET, problems, read_status

    document = read_status(socket or STATUS_SOCKET)
    wrong = problems(document)
    if as_json:
        click.echo(json.dumps({**document, "problems": wrong}, indent=2))
    else:
        _show(document, wrong)
    return ExitCode.RESERVATIONS if wrong else ExitCode.DONE


@host.command()
@click.option("--store", type=click.Path(path_type=Path), help="The store [/var/lib/zeroth/store.db].")
@click.option("--certificate", type=click.Path(path_type=Path), help="Certificate, PEM [/etc/zeroth/tls/host.pem].")
@click.option("--key", type=click.Path(path_type=Path), help="Its key, PEM [/etc/zeroth/tls/host.key].")
@click.option("--listen", "addresses", multiple=True, help="Local address to listen on; may be repeated [all].")
@click.option("--https-port", type=click.IntRange(0, 65535), help="[443]")
@click.option("--http-port", type=click.IntRange(0, 65535), help="Port that only redirects to HTTPS [80].")
@click.option("--libvirt", help="libvirt's URI [xen:///system].")
@click.option("--status-socket", type=click.Path(path_type=Path), hidden=True)
@click.option("--auth-socket", hidden=True)
@click.option("--power-socket", hidden=True)
@click.option("--debug", is_flag=True, help="Log more.")
def serve(*, debug: bool, **options: Any) -> None:  # noqa: ANN401 - click's
    """Run the agent in the foreground; systemd does this as zeroth-agent.service.

    \b
    Example:
      zeroth host serve
    """
    import asyncio
    import logging

    from hostagent.daemon import Settings, run
    from hostagent.journal import log_to_journal

    log_to_journal("zeroth-agent", logging.DEBUG if debug else logging.INFO)
    given = {name: value for name, value in options.items() if value is not None and value != ()}
    asyncio.run(run(Settings(**given)))


@host.command(hidden=True)
@click.argument("kept", type=click.Path(path_type=Path))
@click.argument("given_up", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def lost(kept: Path, given_up: Path, *, as_json: bool) -> None:
    """Say what is lost when one store is gone on with instead of another (`zeroth slot back`)."""
    from hostagent.store.compare import lost_objects

    found = lost_objects(kept, given_up)
    click.echo(json.dumps(found, indent=1) if as_json else "\n".join(found))


def _show(document: dict[str, Any], wrong: list[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    facts, agent, vms = document["host"], document["agent"], document["vms"]
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    total, free = facts["memory_total"] >> 20, facts["memory_free"] >> 20
    states = ", ".join(f"{count} {state}" for state, count in vms.items() if state != "total") or "none"
    hypervisor = document["hypervisor"]
    for name, value in (
        ("Host", f"{facts['name']} ({facts['uuid']})"),
        ("Address", f"https://{facts['address']}/"),
        ("Takes VMs", "yes" if facts["enabled"] else "no (disabled)"),
        ("Hypervisor", f"Xen {facts['xen']}" if hypervisor["up"] else "not available"),
        ("Linux", facts["linux"]),
        ("Memory", f"{free} MiB free of {total} MiB" if total else "not known yet"),
        ("VMs", states),
        ("Clients", f"{document['sessions']} sessions, {document['tasks']} tasks running"),
        ("Agent", f"version {document['version']}, {agent['memory'] >> 20} MiB, up {agent['uptime']:.0f} s"),
    ):
        table.add_row(name, value)
    console = Console(highlight=False)
    console.print(table)
    for problem in wrong:
        console.print("[bold red]problem:[/] ", end="")
        console.print(problem, markup=False)

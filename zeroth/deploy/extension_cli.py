"""``zeroth extension``: what is added to a host's image, and taken away again."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from zeroth.deploy.booted import booted
from zeroth.deploy.extension import EXTENSION_NAME, open_extension
from zeroth.deploy.extensions import Extensions, Kept, running_image
from zeroth.errors import ExitCode, UserError
from zeroth.keys.keyring import trusted_keys
from zeroth.progress import Stream
from zeroth.sinks import sink_for
from zeroth.system.size import Size

__all__ = ["extension"]


@click.group()
def extension() -> None:
    """Extensions of this host's image."""


@extension.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def install(file: Path) -> int:
    """Install an extension, or another one of the same name in its place, and activate it.

    Signature, version and needs are checked before anything is copied.

    \b
    Examples:
      zeroth extension install tree-0.1.0.zext
    """
    here = _here()
    stream = Stream([sink_for(Console(stderr=True), sys.stderr, json_lines=False)])
    with stream.step("Install the extension") as step, open_extension(file, here.trusted) as opened:
        here.check(opened)
        name = opened.extension.name
        before = {one.name: one.extension for one in here.kept()}.get(name)
        if before != opened.extension:
            with step.step("Copy", total=1) as copying:
                here.add(opened, copying)
        with step.step("Activate"):
            kept = here.activate()
    click.echo(f"{name}: {_listed(opened.extension.packages)}")
    return _told([one for one in kept if one.name == name])


@extension.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_(*, as_json: bool) -> None:
    """List the extensions: what they add, and whether they are active.

    \b
    Examples:
      zeroth extension list
      zeroth extension list --json
    """
    kept = _here().kept()
    if as_json:
        click.echo(json.dumps([_facts(one) for one in kept], indent=1))
        return
    if not kept:
        click.echo("no extension is installed")
        return
    table = Table("name", "active", "size", "packages", box=None, pad_edge=False)
    for one in kept:
        told = f"not activated: {one.problem}" if one.problem or not one.extension else _listed(one.extension.packages)
        size = Size(one.extension.size).approx() if one.extension else ""
        table.add_row(one.name, "yes" if one.active else "no", size, told)
    Console().print(table)


@extension.command()
@click.argument("name")
def remove(name: str) -> int:
    """Take an extension away.

    \b
    Examples:
      zeroth extension remove tree
    """
    here = _here()
    known = [one.name for one in here.kept()]
    if not re.fullmatch(EXTENSION_NAME, name) or not here.remove(name):
        raise UserError(f"no extension is called {name[:60]!r}", f"There are: {', '.join(known) or 'none'}.")
    kept = here.activate()
    click.echo(f"{name} is removed")
    return _told(kept)


@extension.command()
def activate() -> int:
    """Activate what fits the running image, and say what does not; done at every start of a host.

    \b
    Examples:
      zeroth extension activate
    """
    return _told(_here().activate())


def _facts(one: Kept) -> dict[str, object]:
    told = one.extension.model_dump(mode="json", include={"version", "packages", "size"}) if one.extension else {}
    return {"name": one.name, "active": one.active, "problem": one.problem, **told}


def _here() -> Extensions:
    booted()
    if os.geteuid() != 0:
        raise UserError("extensions are looked at and changed by root", "Run it with sudo.", code=ExitCode.MACHINE)
    return Extensions(running_image(), trusted_keys())


def _told(kept: Sequence[Kept]) -> int:
    """Say what was not activated, as a warning where the journal reads it."""
    level = "<4>" if "JOURNAL_STREAM" in os.environ else ""
    problems = [one for one in kept if one.problem]
    for one in problems:
        click.echo(f"{level}{one.name} is not activated: {one.problem}", err=True)
    return ExitCode.RESERVATIONS if problems else ExitCode.DONE


def _listed(packages: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(packages.items()))

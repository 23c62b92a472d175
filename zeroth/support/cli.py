"""``zeroth support``."""

from __future__ import annotations

import json
import socket
import sys
import time
from pathlib import Path

import click
from rich.console import Console

from zeroth.errors import ExitCode
from zeroth.progress import Stream
from zeroth.sinks import sink_for
from zeroth.support.bundle import write_bundle
from zeroth.support.collect import collect
from zeroth.support.scrub import Scrubber
from zeroth.system.size import Size

__all__ = ["support"]


@click.group()
def support() -> None:
    """Help others to help you."""


@support.command()
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path),
              help="The file to write. [default: zeroth-support-HOST-TIME.tar.gz here]")  # fmt: skip
@click.option("--root", type=click.Path(exists=True, file_okay=False, path_type=Path), default=Path("/"), hidden=True)
@click.option("--json", "as_json", is_flag=True, help="Say as JSON what is in it.")
def bundle(output: Path | None, root: Path, as_json: bool) -> int:
    """Put logs, journals, facts, versions and the state of the slots into one file, without secrets.

    Works on a host and in the installer. Changes nothing, sends nothing; shows what is in it. Passwords, hashes,
    tokens and private keys are replaced by ***; names, addresses and serial numbers stay. Look at it before you give
    it away.

    \b
    Examples:
      zeroth support bundle
      zeroth support bundle --output /tmp/case-17.tar.gz --json
    """
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    path = output or Path(f"zeroth-support-{socket.gethostname()}-{stamp}.tar.gz")
    stream = Stream([sink_for(Console(stderr=True), sys.stderr)])
    with stream.step("Collect") as step:
        members = write_bundle(path, collect(step, root), Scrubber(root))
    if as_json:
        click.echo(json.dumps({"bundle": str(path), "members": [it.as_json() for it in members]}, indent=1))
        return ExitCode.DONE
    for member in members:
        if member.size:
            note = f" ({member.note})" if member.note else ""
            click.echo(f"{Size(member.size).approx():>10}  {member.name}{note}")
    for member in members:
        if not member.size:
            click.echo(f"   nothing  {member.name}: {member.note or 'it is empty'}")
    click.echo(f"{path}: {Size(path.stat().st_size).approx()}")
    return ExitCode.DONE

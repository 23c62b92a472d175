"""``zeroth upgrade``: look into an upgrade file, write it into the other slot, see how it went."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from zeroth.deploy.upgrade_cli import apply, cancel, status
from zeroth.deploy.upgrade_input import file_options, opened
from zeroth.deploy.zup import UpgradeFile
from zeroth.progress import Stream
from zeroth.sinks import sink_for
from zeroth.system.size import Size

__all__ = ["upgrade"]


@click.group()
def upgrade() -> None:
    """Upgrade files (zeroth-VERSION.zup), and upgrading a host with them."""


for _command in (apply, cancel, status):
    upgrade.add_command(_command)


@upgrade.command()
@file_options
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def inspect(file: str, *, keys: tuple[Path, ...], unsigned: bool, as_json: bool) -> None:
    """Check an upgrade file from its first byte to its last, and show what it holds. A hyphen reads standard input.

    \b
    Examples:
      zeroth upgrade inspect zeroth-1.2.0-amd64.zup --key release.pub
      curl --silent https://example.com/zeroth.zup | zeroth upgrade inspect - --json
    """  # fmt: skip
    with opened(file, keys, unsigned=unsigned) as found:
        _read(found, as_json=as_json)
    header, signer = found.header, found.signer
    if as_json:
        facts = {**header.model_dump(mode="json"), "size": header.size, "signer": signer and signer.key.name}
        click.echo(json.dumps(facts, indent=1))
        return
    by = f"signed by {signer.key.name} ({signer.key.comment})" if signer else "nobody's signature was asked for"
    click.echo(f"zeroth {header.version} for {header.architecture}, profile {header.profile}: {by}")
    table = Table("payload", "kind", "size", "SHA-256", box=None, pad_edge=False)
    table.columns[2].justify = "right"
    for payload in header.payloads:
        table.add_row(payload.name, payload.kind, Size(payload.size).approx(), payload.sha256)
    Console().print(table)
    click.echo(f"root hash {header.tree.root_hash}")


def _read(found: UpgradeFile, *, as_json: bool) -> None:
    progress = Stream([sink_for(Console(stderr=True), sys.stderr, json_lines=False)] if not as_json else [])
    done = 0
    with progress.step("Check") as step:
        for payload in found.payloads():
            for chunk in payload.chunks():
                done += len(chunk)
                step.update(done, of=found.header.size)

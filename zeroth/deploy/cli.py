"""``zeroth upgrade``: look into an upgrade file."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import click
from rich.console import Console
from rich.table import Table

from zeroth.deploy.zup import UpgradeFile
from zeroth.errors import UserError
from zeroth.keys.keyring import public_key, trusted_keys
from zeroth.keys.signing import PublicKey
from zeroth.progress import Stream
from zeroth.sinks import sink_for
from zeroth.system.size import Size

__all__ = ["upgrade"]


@click.group()
def upgrade() -> None:
    """Upgrade files (zeroth-VERSION.zup)."""


@upgrade.command()
@click.argument("file", metavar="FILE")
@click.option(
    "--key",
    "keys",
    type=click.Path(dir_okay=False, path_type=Path),
    multiple=True,
    metavar="PUB",
    help="Trust this public key, and not the keys of this machine; can be given again.",
)
@click.option("--unsigned", is_flag=True, help="Do not ask who signed it.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def inspect(file: str, *, keys: tuple[Path, ...], unsigned: bool, as_json: bool) -> None:
    """Check an upgrade file from its first byte to its last, and show what it holds. A hyphen reads standard input.

    \b
    Examples:
      zeroth upgrade inspect zeroth-1.2.0-amd64.zup --key release.pub
      curl --silent https://example.com/zeroth.zup | zeroth upgrade inspect - --json
    """  # fmt: skip
    trusted: Sequence[PublicKey] | None = None if unsigned else [*map(public_key, keys)] or trusted_keys()
    if trusted is not None and not trusted:
        raise UserError("this machine trusts no key yet", "Name one with --key PUB, or look at it with --unsigned.")
    if file == "-":
        found = _read(sys.stdin.buffer, trusted, "standard input", as_json=as_json)
    else:
        try:
            with Path(file).open("rb") as stream:
                found = _read(stream, trusted, file, as_json=as_json)
        except OSError as error:
            raise UserError(f"cannot read it: {error.strerror}", where=file) from None
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


def _read(stream: BinaryIO, trusted: Sequence[PublicKey] | None, name: str, *, as_json: bool) -> UpgradeFile:
    progress = Stream([sink_for(Console(stderr=True), sys.stderr, json_lines=False)] if not as_json else [])
    found = UpgradeFile.open(stream, trusted, name=name)
    done = 0
    with progress.step("Check") as step:
        for payload in found.payloads():
            for chunk in payload.chunks():
                done += len(chunk)
                step.update(done, of=found.header.size)
    return found

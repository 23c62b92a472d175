"""``python -m tests.bench``: measure and print (make bench)."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import click
from rich.console import Console

from tests.bench.build import build_figures
from tests.bench.copying import copy_figures
from tests.bench.debian import debian_figures
from tests.bench.figures import Figures, as_json, print_figures
from tests.bench.hosts import host_figures
from tests.bench.lint import lint_figures
from tests.bench.peers import peer_figures
from tests.bench.rootfs import rootfs_figures
from tests.bench.size import size_figures
from tests.lab.needs import prepare
from zeroth.cli import run_command

PARTS = ("lint", "build", "peers", "rootfs", "size", "host", "copy", "debian")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("parts", nargs=-1, type=click.Choice(PARTS))
@click.option("--json", "json_", is_flag=True, help="Print one JSON list instead of tables.")
def bench(parts: Sequence[str], json_: bool) -> None:
    """Measure the linter, the build, other builders, the medium's size, an installed host, copying to a disk, Debian.

    All of it unless parts are named.

    \b
    Examples:
      python -m tests.bench
      python -m tests.bench size --json
    """
    if set(parts or PARTS) - {"lint"}:
        prepare()
    aside = Console(stderr=True)
    found: list[Figures] = []
    for part in parts or PARTS:
        if part == "lint":
            found += lint_figures()
        elif part == "build":
            found += build_figures(lambda text: aside.print(text, highlight=False))
        elif part == "peers":
            found += peer_figures(lambda text: aside.print(text, highlight=False))
        elif part == "rootfs":
            found += rootfs_figures(lambda text: aside.print(text, highlight=False))
        elif part == "size":
            found += size_figures()
        elif part == "host":
            found += host_figures(aside)
        elif part == "copy":
            found += copy_figures(aside)
        else:
            found += debian_figures(aside)
    if json_:
        click.echo(json.dumps([as_json(figures) for figures in found], indent=1))
        return
    console = Console(width=None if sys.stdout.isatty() else 120)
    for figures in found:
        print_figures(figures, console)


if __name__ == "__main__":
    sys.exit(run_command(bench, "python -m tests.bench"))

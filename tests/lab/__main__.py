"""``python -m tests.lab``: run scenarios, or stand an installed host in front of a person."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType

import click
from rich.console import Console

from tests.lab.machine import Firmware
from tests.lab.needs import prepare
from tests.lab.paths import ISO, ROOT
from tests.lab.person import stand, take_pictures
from tests.lab.runner import print_results, run_all
from tests.lab.scenario import Scenario, every, select
from zeroth.cli import run_command
from zeroth.errors import UserError
from zeroth.system.run import run


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Real Xen hosts in QEMU."""


@cli.command("list")
def list_() -> None:
    """Name every scenario.

    \b
    Example: python -m tests.lab list
    """
    for found in every():
        mark = "main" if found.main else "    "
        click.echo(f"{found.name:20} {mark} {found.minutes:4g} min  {found.about}")


@cli.command()
@click.option("--jobs", default=2, show_default=True, help="Scenarios at a time.")
def main(jobs: int) -> None:
    """Build the image if it is not current, then run the main paths (make test).

    \b
    Example: python -m tests.lab main
    """
    prepare()
    started = time.monotonic()
    console = _console()
    console.print("Building the image, if anything changed since the last time", highlight=False)
    run([sys.executable, "-m", "zeroth", "image", "build"], cwd=ROOT, on_line=click.echo)
    parts = [("image", time.monotonic() - started)]
    _finish([found for found in every() if found.main], console, jobs, parts)


@cli.command("run")
@click.argument("names", nargs=-1)
@click.option("--jobs", default=2, show_default=True, help="Scenarios at a time.")
@click.option("--patience", default=1.0, show_default=True, help="Wait so many times as long: for a busy machine.")
def run_(names: Sequence[str], jobs: int, patience: float) -> None:
    """Run the named scenarios, or all (make lab).

    \b
    Examples:
      python -m tests.lab run
      python -m tests.lab run iso-bios clients
    """
    _needs_iso()
    prepare()
    _finish(select([word for name in names for word in name.split(",")]), _console(), jobs, [], patience)


@cli.command()
@click.option("--firmware", type=click.Choice(["bios", "uefi"]), default="bios", show_default=True)
def host(firmware: str) -> None:
    """Stand an installed host in front of you: web, ssh and serial (make run).

    \b
    Example: python -m tests.lab host --firmware uefi
    """
    _needs_iso()
    prepare()
    stand(_console(), Firmware(firmware))


@cli.command()
def pictures() -> None:
    """Take the pictures of docs/pictures anew.

    \b
    Example: python -m tests.lab pictures
    """
    _needs_iso()
    prepare()
    for path in take_pictures(_console()):
        click.echo(path)


def _needs_iso() -> None:
    if not ISO.exists():
        raise UserError(f"there is no {ISO.relative_to(ROOT)} to boot", "Run `make iso` first.")


def _finish(
    scenarios: list[Scenario],
    console: Console,
    jobs: int,
    parts: list[tuple[str, float]],
    patience: float = 1.0,
) -> None:
    started = time.monotonic()
    results = run_all(scenarios, console, jobs, patience)
    parts.append(("boots, all together", time.monotonic() - started))
    if not print_results(results, console, parts):
        sys.exit(1)


def _console() -> Console:
    # Where output goes to a file the table must not be cut to 80 columns.
    return Console(width=None if sys.stdout.isatty() else 160)


def _terminated(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _terminated)
    sys.exit(run_command(cli, "python -m tests.lab"))

"""``zeroth image``: build the image, see what a build would do, clean up."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import click
from rich.console import Console
from rich.table import Table

from images.build import build as build_image
from images.build import build_extension, finished_tree, planned
from images.cache import Store, tree_size
from images.config import CUSTOMISATION_FILE, KEYRING, BuildConfig, Profile, checkout
from images.isolate import in_root
from images.manifest import DATABASE
from images.snapshot import parse_snapshot
from zeroth.errors import ExitCode
from zeroth.keys.cli import passphrase_for
from zeroth.keys.keyring import secret_key
from zeroth.keys.secureboot import program_key
from zeroth.progress import Stream
from zeroth.sinks import Timings, log_file, sink_for
from zeroth.system.size import Size

__all__ = ["image"]


@click.group()
def image() -> None:
    """Build the image that installs and runs hosts."""


_Command = TypeVar("_Command", bound=Callable[..., object])


def _options(command: _Command) -> _Command:
    """The options that decide what is built."""
    for option in reversed([
        click.option("--profile", type=click.Choice([profile.value for profile in Profile]),
                     default=Profile.RELEASE.value, show_default=True, help="dev: quick to make. release: small."),
        click.option("--mirror", default="", metavar="URL", help="Debian archive to use instead of apt's own."),
        click.option("--answer", type=click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path),
                     metavar="FILE", help="Embed an answer file in the ISO: it then installs without asking."),
        click.option("--firmware/--no-firmware", default=None,
                     help="Firmware of server network cards and storage adapters.  [default: in release images]"),
        click.option("--customise", type=click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path),
                     metavar="FILE", help=f"What you change about the image.  [default: {CUSTOMISATION_FILE} of the "
                     "checkout]"),
        click.option("--no-customise", is_flag=True, help=f"Leave {CUSTOMISATION_FILE} out of account."),
        click.option("--into", type=click.Path(file_okay=False, resolve_path=True, path_type=Path), metavar="DIR",
                     help="Where results are put.  [default: dist]"),
        click.option("--upgrade/--no-upgrade", default=None,
                     help="Make the upgrade file (.zup) too.  [default: in release images]"),
        click.option("--update", is_flag=True, help="Take the newest packages, even though some are cached."),
        click.option("--offline", is_flag=True,
                     help="Ask nobody but mirrors on this machine; packages of earlier builds are used."),
        click.option("--snapshot", default="", metavar="DATE",
                     help="Packages as of a date (its beginning, UTC), from a --mirror that keeps snapshots."),
        click.option("--keyring", type=click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path),
                     metavar="FILE", help="Keys that sign the --mirror, when they are not Debian's."),
        click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, show_default="all processors",
                     help="Steps, and compressor threads, at a time."),
    ]):  # fmt: skip
        command = option(command)
    return command


def _config(
    *,
    profile: str,
    mirror: str,
    answer: Path | None,
    firmware: bool | None,
    upgrade: bool | None,
    update: bool,
    offline: bool,
    snapshot: str,
    keyring: Path | None,
    jobs: int,
    customise: Path | None,
    no_customise: bool,
    into: Path | None,
) -> BuildConfig:
    kind, root = Profile(profile), checkout()
    if no_customise and customise:
        raise click.UsageError("--customise and --no-customise exclude each other")
    own = root / CUSTOMISATION_FILE
    if customise is None and own.is_file() and not no_customise:
        click.echo(f"customised by {own} (--no-customise leaves it out)", err=True)
        customise = own
    return BuildConfig(
        root, kind, mirror, answer, firmware=firmware, update=update,
        upgrade=kind is Profile.RELEASE if upgrade is None else upgrade, jobs=jobs, customise=customise, into=into,
        offline=offline, keyring=keyring or KEYRING, snapshot=parse_snapshot(snapshot) if snapshot else None,
    )  # fmt: skip


@image.command()
@_options
@click.option("--json", "as_json", is_flag=True, help="Progress as one JSON object a line on standard output.")
@click.option("--log", type=click.Path(dir_okay=False, path_type=Path), help="Append the progress to this file too.")
@click.option("--timings", is_flag=True, help="Show at the end how long each step took.")
@click.option(
    "--sign-key",
    "sign_keys",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    metavar="KEY",
    help="Sign the results with this secret key; twice while one key follows another.",
)
@click.option(
    "--secure-boot",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    metavar="DIR",
    help="Make programs for UEFI Secure Boot too, signed with db.key of this folder.",
)
def build(
    *,
    as_json: bool,
    log: Path | None,
    timings: bool,
    sign_keys: tuple[Path, ...],
    secure_boot: Path | None,
    **options: object,
) -> int:
    """Build dist/zeroth.iso and dist/netboot from Debian packages.

    Steps whose inputs did not change are not run again. What the tools print is in .cache/zeroth/build.log.

    \b
    Examples:
      zeroth image build
      zeroth image build --profile dev --timings
      zeroth image build --customise site/zeroth-image.yaml --into site/dist
      zeroth image build --answer lab/host1.ks --mirror http://mirror.example/debian
      zeroth image build --sign-key ~/keys/release.key
      zeroth image build --secure-boot ~/keys/secureboot
      zeroth image build --offline
      zeroth image build --snapshot 2026-01-31 --mirror http://snapshots.example/archive/debian
    """
    config = _config(**options)  # type: ignore[arg-type]
    # Asked for now, and not after minutes of building.
    keys = [secret_key(path, passphrase_for(path)) for path in sign_keys]
    program = program_key(secure_boot, passphrase_for) if secure_boot else None
    times = Timings()
    with ExitStack() as stack:
        stream = Stream([sink_for(Console(stderr=True), sys.stdout if as_json else sys.stderr, json_lines=as_json)])
        stream.add(times)
        if log:
            stream.add(stack.enter_context(log_file(log)))
        result = build_image(config, stream, keys, program)
    if timings:
        Console(stderr=True).print(_timings(times))
    size = Size(result.iso.stat().st_size)
    if as_json:
        facts = {"iso": str(result.iso), "size": size, "reservations": result.reservations}
        click.echo(json.dumps({"kind": "result", **facts}))
    else:
        click.echo(f"{config.dist / 'zeroth.iso'} ({size.approx()})")
        for reservation in result.reservations:
            click.echo(f"reservation: {reservation}", err=True)
    return ExitCode.RESERVATIONS if result.reservations else ExitCode.DONE


@image.command()
@_options
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def graph(*, as_json: bool, **options: object) -> None:
    """Show which steps a build would run, and why.

    \b
    Examples:
      zeroth image graph
      zeroth image graph --profile dev --json
    """
    items = planned(_config(**options))  # type: ignore[arg-type]
    if as_json:
        rows = [
            {"step": item.step.name, "title": item.step.title, "run": item.run, "why": item.why, "key": item.step.key,
             "needs": [step.name for step in item.step.needs], "inputs": dict(item.step.inputs)}
            for item in items
        ]  # fmt: skip
        click.echo(json.dumps(rows, indent=1))
        return
    table = Table("step", "", "why", "needs", box=None, pad_edge=False)
    for item in items:
        needs = ", ".join(step.name for step in item.step.needs)
        table.add_row(item.step.name, "[yellow]run[/]" if item.run else "[green]kept[/]", item.why, needs)
    Console().print(table)


@image.command(context_settings={"ignore_unknown_options": True})
@_options
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def shell(*, command: tuple[str, ...], **options: object) -> int:
    """Open a shell in the tree that goes into the image, or run a command there; ends with the command's own status.

    The tree is made first when it is not there. What is changed in it is thrown away at the end.

    \b
    Examples:
      zeroth image shell
      zeroth image shell -- dpkg --list
    """
    config = _config(**options)  # type: ignore[arg-type]
    tree = finished_tree(config, Stream([sink_for(Console(stderr=True), sys.stderr, json_lines=False)]))
    if not command:
        click.echo("What you change here is thrown away when you leave (exit).", err=True)
    with tempfile.TemporaryDirectory(prefix="zeroth-shell-") as place:
        # A running host has a link from /var to the image's package database.
        words = in_root(tree, Path(place), ("env", f"DPKG_ADMINDIR=/{DATABASE}", *(command or ("/bin/bash", "-l"))))
        # Not run(): a shell talks to the terminal itself.
        return subprocess.call(words)


@image.command()
@_options
@click.argument("name")
@click.option("--package", "packages", multiple=True, metavar="NAME", help="A package of Debian 13; several times.")
@click.option(
    "--deb",
    "debs",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path),
    multiple=True,
    metavar="FILE",
    help="A package file of your own; several times.",
)
@click.option(
    "--sign-key",
    "sign_keys",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    required=True,
    metavar="KEY",
    help="Sign it with this secret key, whose public half the hosts trust.",
)
def extension(
    *, name: str, packages: tuple[str, ...], debs: tuple[Path, ...], sign_keys: tuple[Path, ...], **options: object
) -> int:
    """Build an extension: packages that a host gets beside its image, without a new image.

    It fits the image that the other options give, and no other. Ends with 3 when something of a package is left out.

    \b
    Examples:
      zeroth image extension tree --package tree --sign-key ~/keys/site.key
      zeroth image extension raid-tools --deb storcli_7.1_amd64.deb --sign-key ~/keys/site.key
    """
    from images.extension import Wanted

    config = _config(**options)  # type: ignore[arg-type]
    keys = [secret_key(path, passphrase_for(path)) for path in sign_keys]
    stream = Stream([sink_for(Console(stderr=True), sys.stderr, json_lines=False)])
    target, made = build_extension(config, Wanted(name, packages, debs), stream, keys)
    click.echo(f"{target} ({Size(target.stat().st_size).approx()})")
    for package, version in sorted(made.extension.packages.items()):
        click.echo(f"  {package} {version}")
    for note in made.notes:
        click.echo(f"reservation: {note}", err=True)
    return ExitCode.RESERVATIONS if made.notes else ExitCode.DONE


@image.command()
@click.option("--packages", is_flag=True, help="Remove the downloaded packages too.")
def clean(*, packages: bool) -> None:
    """Remove what was built, here and in dist/; downloaded packages stay unless asked for.

    \b
    Examples:
      zeroth image clean
      zeroth image clean --packages
    """
    config = BuildConfig(checkout())
    folders = [config.dist, *(config.cache / name for name in ("objects", "work", "index"))]
    if packages:
        folders.append(config.cache / "packages")
    with Store(config.cache).locked(lambda text: click.echo(text, err=True)):
        present = [folder for folder in folders if folder.exists()]
        freed = sum(tree_size(folder) for folder in present)
        for folder in present:
            shutil.rmtree(folder)
        (config.cache / "packages-as-of").unlink(missing_ok=True)
    click.echo(f"{Size(freed).approx()} removed")


def _timings(times: Timings) -> Table:
    table = Table("step", "seconds", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    for path, seconds in times.rows:
        table.add_row("  " * (len(path) - 1) + path[-1], f"{seconds:.1f}")
    return table

"""``zeroth answer``: check, show, explain and convert answer files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from zeroth.errors import ExitCode, UserError
from zeroth.spec.answer import AnswerText, Language
from zeroth.spec.errors import AnswerErrors
from zeroth.spec.explain import explained
from zeroth.spec.kickstart.writer import kickstart_text
from zeroth.spec.load import Reading, load_answer, read_answer
from zeroth.spec.model import HostSpec
from zeroth.spec.plain import plain_data
from zeroth.spec.problems import Problem
from zeroth.spec.reference import json_schema, kickstart_reference
from zeroth.spec.render import headline, print_problems
from zeroth.spec.secrets import redacted
from zeroth.spec.yaml_text import write_yaml

__all__ = ["answer"]

_FILE = click.Path(path_type=Path, allow_dash=True)


@click.group()
def answer() -> None:
    """Check, show and convert answer files.

    An answer file says what one host shall be. It is written as kickstart (.ks), .yaml or .json, or it is one of
    XenServer's or XCP-ng's installer (.xml) or of Proxmox VE's (.toml). A file named - is read from standard input, as
    kickstart.

    \b
    Examples:
      zeroth answer lint host1.ks host2.yaml
      zeroth answer explain host1.ks
      zeroth answer convert host1.ks --to yaml
    """


@answer.command()
@click.argument("files", nargs=-1, required=True, type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="Print the problems as JSON.")
def lint(files: tuple[Path, ...], as_json: bool) -> int:
    """Check answer files; report everything that is wrong with them, with file, line and what to do.

    Exits 0 when no file has an error (there may be warnings), else 1.

    \b
    Examples:
      zeroth answer lint answer.ks
      zeroth answer lint --json *.ks | jq '.[].problems[].message'
    """
    console = Console()
    results: list[dict[str, object]] = []
    bad = 0
    for path in files:
        name, text, problems, refused = _linted(path)
        bad += refused
        if as_json:
            results.append({"file": name, "ok": not refused, "problems": [it.as_json(name) for it in problems]})
            continue
        console.print(headline(name, problems), markup=False, highlight=False, soft_wrap=True)
        if problems:
            console.print()
            print_problems(console, name, problems, text)
    if as_json:
        click.echo(json.dumps(results, indent=2, ensure_ascii=False))
    return ExitCode.INPUT if bad else ExitCode.DONE


@answer.command()
@click.argument("file", type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of YAML.")
def show(file: Path, as_json: bool) -> None:
    """Show the host that a file describes, every setting spelt out, secrets hidden.

    \b
    Example:
      zeroth answer show answer.ks
    """
    data = redacted(_loaded(file))
    click.echo(json.dumps(data, indent=2) if as_json else write_yaml(data), nl=as_json)


@answer.command()
@click.argument("file", type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def explain(file: Path, as_json: bool) -> None:
    """Say in words what the host will be and what will be destroyed.

    \b
    Example:
      zeroth answer explain answer.ks
    """
    rows = explained(_loaded(file))
    if as_json:
        click.echo(json.dumps(dict(rows), indent=2))
        return
    table = Table.grid(padding=(0, 2))
    for topic, text in rows:
        style = "bold red" if topic == "Destroyed" and "EVERYTHING" in text else ""
        table.add_row(f"[bold]{topic}[/]", text, style=style)
    Console().print(table, highlight=False)


@answer.command()
@click.argument("file", type=_FILE)
@click.option(
    "--to", "language", type=click.Choice(["ks", "yaml", "json"]), required=True, help="The language wanted."
)
def convert(file: Path, language: str) -> int:
    """Write an answer in another language on standard output.

    FILE may also be an answer of another installer: of XenServer or XCP-ng (.xml), or of Proxmox VE (.toml). What such
    an answer says that has no counterpart is listed on standard error, and the command then exits with 3.

    The result says the same; it holds the hash of the password (a plain one is hashed), so treat it as a secret.
    Comments are lost.

    \b
    Examples:
      (umask 077; zeroth answer convert answer.ks --to yaml > answer.yaml)
      (umask 077; zeroth answer convert xenserver.xml --to ks > answer.ks)
    """
    reading = read_answer(_read(file))
    spec, name = reading.accepted(), reading.answer.name
    if reading.answer.language in (Language.XENSERVER, Language.PROXMOX) and reading.problems:
        errors = Console(stderr=True)
        errors.print(headline(name, reading.problems), markup=False, highlight=False, soft_wrap=True)
        errors.print()
        print_problems(errors, name, reading.problems, reading.answer.text)
    if language == "ks":
        click.echo(kickstart_text(spec), nl=False)
    else:
        data = plain_data(spec)
        click.echo(write_yaml(data) if language == "yaml" else json.dumps(data, indent=2), nl=language == "json")
    return ExitCode.RESERVATIONS if reading.left_out else ExitCode.DONE


@answer.command()
def schema() -> None:
    """Print the JSON Schema of answers in YAML and JSON.

    \b
    Example (an editor then completes and checks while you type):
      zeroth answer schema > hostspec.schema.json
    """
    click.echo(json_schema(), nl=False)


@answer.command()
def reference() -> None:
    """Print the reference of the kickstart language, in Markdown."""
    click.echo(kickstart_reference(), nl=False)


def _read(path: Path) -> AnswerText:
    if str(path) == "-":
        return AnswerText.from_stream(sys.stdin.buffer, "standard-input.ks")
    return AnswerText.from_file(path)


def _loaded(path: Path) -> HostSpec:
    return load_answer(_read(path))


def _linted(path: Path) -> tuple[str, str, tuple[Problem, ...], bool]:
    """Name, text, problems, and whether the file is refused."""
    try:
        found: Reading = read_answer(_read(path))
    except AnswerErrors as error:
        return error.name, error.text, tuple(error.problems), True
    except UserError as error:
        return str(path), "", (Problem(error.message, error.hint),), True
    return found.answer.name, found.answer.text, found.problems, found.spec is None

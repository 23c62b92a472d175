"""``zeroth answer``: check, show, explain, compare and convert answer files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zeroth.errors import ExitCode, UserError
from zeroth.spec.answer import AnswerText, Language
from zeroth.spec.cli_signing import sign, verify
from zeroth.spec.errors import AnswerErrors
from zeroth.spec.load import Reading, load_answer, read_answer
from zeroth.spec.problems import Problem
from zeroth.spec.render import coloured, headline

# What else a command needs is loaded when it runs: the linter shall be as quick as its libraries let it be.
if TYPE_CHECKING:
    from zeroth.spec.model import HostSpec

__all__ = ["answer"]

_FILE = click.Path(path_type=Path, allow_dash=True)


@click.group()
def answer() -> None:
    """Check, show, compare, convert and sign answer files.

    An answer file says what one host shall be. It is written as kickstart (.ks), .yaml or .json, or it is one of
    XenServer's or XCP-ng's installer (.xml) or of Proxmox VE's (.toml). A file named - is standard input, whose
    language is told by how it begins.

    \b
    Examples:
      zeroth answer lint host1.ks host2.yaml
      zeroth answer explain host1.ks
      zeroth answer convert host1.ks --to yaml
    """


answer.add_command(sign)
answer.add_command(verify)


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
    results: list[dict[str, object]] = []
    bad = 0
    for path in files:
        name, text, problems, refused = _linted(path)
        bad += refused
        if as_json:
            results.append({"file": name, "ok": not refused, "problems": [it.as_json(name) for it in problems]})
            continue
        _print_problems(name, problems, text)
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
    from zeroth.spec.secrets import redacted
    from zeroth.spec.yaml_text import write_yaml

    data = redacted(_loaded(file))
    click.echo(json.dumps(data, indent=2) if as_json else write_yaml(data), nl=as_json)


@answer.command()
@click.argument("file", type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def explain(file: Path, as_json: bool) -> None:
    """Say in words what the host will be and what will be destroyed.

    Of another installer's answer, it also says what has no counterpart (zeroth answer lint shows where it stands).

    \b
    Example:
      zeroth answer explain answer.ks
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from zeroth.spec.explain import explained

    reading = read_answer(AnswerText.from_argument(file))
    rows = explained(reading.accepted(), [problem.message for problem in reading.left_out])
    if as_json:
        click.echo(json.dumps(dict(rows), indent=2))
        return
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(overflow="fold")
    for topic, text in rows:
        style = "bold red" if "EVERYTHING" in text else ""
        table.add_row(Text(topic, style="bold"), Text(text), style=style)
    Console().print(table, highlight=False)


@answer.command()
@click.argument("one", metavar="A", type=_FILE)
@click.argument("two", metavar="B", type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def diff(one: Path, two: Path, as_json: bool) -> int:
    """Compare the hosts that two answers describe, setting by setting, whatever language each is written in.

    Secrets are hidden: it is only told that they differ. A plain password is the same as a hash of it.

    Exits 0 when both describe the same host, 3 when they differ, and 1 when one of them has errors.

    \b
    Examples:
      zeroth answer diff host1.ks host2.ks
      zeroth answer diff xenserver.xml host1.yaml --json
    """
    from zeroth.spec.compare import compared

    first, second = (read_answer(AnswerText.from_argument(path), keep_plain=True).accepted() for path in (one, two))
    changes = compared(first, second)
    if as_json:
        click.echo(json.dumps([change.as_json() for change in changes], indent=2))
    elif not changes:
        click.echo("both describe the same host")
    else:
        for change in changes:
            click.secho(change.path, bold=True)
            click.secho(f"  - {_short(change.before)}", fg="red")
            click.secho(f"  + {_short(change.after)}", fg="green")
    return ExitCode.RESERVATIONS if changes else ExitCode.DONE


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
    reading = read_answer(AnswerText.from_argument(file))
    spec, name = reading.accepted(), reading.answer.name
    if reading.answer.language in (Language.XENSERVER, Language.PROXMOX) and reading.problems:
        _print_problems(name, reading.problems, reading.answer.text, err=True)
    if language == "ks":
        from zeroth.spec.kickstart.writer import kickstart_text

        click.echo(kickstart_text(spec), nl=False)
    else:
        from zeroth.spec.plain import plain_data
        from zeroth.spec.yaml_text import write_yaml

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
    from zeroth.spec.reference import json_schema

    click.echo(json_schema(), nl=False)


@answer.command()
def reference() -> None:
    """Print the reference of the kickstart language, in Markdown."""
    from zeroth.spec.reference import kickstart_reference

    click.echo(kickstart_reference(), nl=False)


def _loaded(path: Path) -> HostSpec:
    return load_answer(AnswerText.from_argument(path))


def _linted(path: Path) -> tuple[str, str, tuple[Problem, ...], bool]:
    """Name, text, problems, and whether the file is refused."""
    try:
        found: Reading = read_answer(AnswerText.from_argument(path))
    except AnswerErrors as error:
        return error.name, error.text, tuple(error.problems), True
    except UserError as error:
        return str(path), "", (Problem(error.message, error.hint),), True
    return found.answer.name, found.answer.text, found.problems, found.spec is None


def _print_problems(name: str, problems: tuple[Problem, ...], text: str, *, err: bool = False) -> None:
    click.echo(headline(name, problems), err=err)
    if problems:
        click.echo("\n" + coloured(name, problems, text), err=err)


def _short(value: object) -> str:
    """A value on one line."""
    text = "(nothing)" if value is None or value == [] else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:197]}..."

"""Writes the generated pages of docs/reference; ``make docs`` runs it, a unit test keeps the pages current."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import click

from images.customisation.model import ImageSpec
from zeroth.cli import cli
from zeroth.errors import ExitCode
from zeroth.spec.reference import json_schema, kickstart_reference

__all__ = ["PAGES", "main"]

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"


def commands_page() -> str:
    """Every command with its options, from the commands themselves."""
    context = cli.make_context("zeroth", [], resilient_parsing=True)
    parts = [
        "# Commands\n\nThis page is made from the program; `zeroth COMMAND --help` shows the same.\n",
        "## Exit codes\n\n| code | meaning |\n|---|---|\n"
        + "".join(f"| {code.value} | {code.name.lower()} |\n" for code in ExitCode),
    ]
    names = {point.name for point in entry_points(group="zeroth.commands")}
    for name in sorted(names):
        command = cli.get_command(context, name)
        if command is not None and not command.hidden:
            parts.extend(_describe(command, name, context))
    return "\n".join(parts)


def _describe(command: click.Command, name: str, parent: click.Context) -> list[str]:
    # With its parents, as in a real call: they settle what help is called.
    context = click.Context(command, info_name=name, parent=parent, max_content_width=100, terminal_width=100)
    level = "#" * (len(context.command_path.split()))
    parts = [f"{level} {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"]
    if isinstance(command, click.Group):
        for inner_name in command.list_commands(context):
            inner = command.get_command(context, inner_name)
            if inner is not None and not inner.hidden:
                parts.extend(_describe(inner, inner_name, context))
    return parts


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands_page,
    "hostspec.schema.json": json_schema,
    "kickstart.md": kickstart_reference,
    "zeroth-image.schema.json": lambda: json_schema(ImageSpec),
}


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit 1 and name the pages that are not current.")
def main(check: bool) -> None:
    """Write the generated pages of docs/reference that are not current."""
    stale = [name for name, make in PAGES.items() if not _is(REFERENCE / name, make())]
    for name in stale:
        if not check:
            (REFERENCE / name).write_text(PAGES[name]())
        click.echo(f"docs/reference/{name} {'is not current: run `make docs`' if check else 'written'}")
    sys.exit(1 if check and stale else 0)


def _is(page: Path, text: str) -> bool:
    return page.exists() and page.read_text() == text


if __name__ == "__main__":
    main()

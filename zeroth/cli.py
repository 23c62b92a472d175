"""The ``zeroth`` command: loads each room's commands lazily, by entry points."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

import click

from zeroth import __version__
from zeroth.errors import ExitCode, UserError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["cli", "main", "run_command"]

_GROUP = "zeroth.commands"


class LazyGroup(click.Group):
    """A group whose commands are the entry points of ``zeroth.commands``, imported when first used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all rooms' commands, sorted."""
        return sorted({*super().list_commands(ctx), *_room_commands()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command; None when there is none of that name."""
        own = super().get_command(ctx, cmd_name)
        point = _room_commands().get(cmd_name)
        if own or point is None:
            return own
        try:
            command = point.load()
        except ModuleNotFoundError as error:
            # A room that is not part of this installation (the builder on a host, say): say so when it is
            # called, and leave it out of the help.
            return _absent(cmd_name, error.name or "a library")
        assert isinstance(command, click.Command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The names that begin so. click's own would import every room, to leave out what is hidden."""
        from click.shell_completion import CompletionItem

        names = [CompletionItem(name) for name in self.list_commands(ctx) if name.startswith(incomplete)]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]


def _absent(name: str, missing: str) -> click.Command:
    @click.command(name, hidden=True, context_settings={"ignore_unknown_options": True})
    @click.argument("words", nargs=-1)
    def absent(words: tuple[str, ...]) -> None:
        raise UserError(
            f"the command {name!r} is not part of this installation ({missing} is missing)",
            "Use it from a checkout of zeroth, or install the missing library.",
            code=ExitCode.MACHINE,
        )

    return absent


def _room_commands() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=_GROUP)}


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "-V", "--version", prog_name="zeroth")
def cli() -> None:
    """Build, install and run Xen hosts.

    \b
    Tab completion (for zsh and fish see: zeroth completion --help):
      eval "$(zeroth completion bash)"
    """


def _quicken() -> None:
    """Leave out what a command line need not wait for: pydantic would look for plugins among all that is installed,
    and check the schema that it made of our own models (the tests do).
    """
    for name in ("PYDANTIC_DISABLE_PLUGINS", "PYDANTIC_SKIP_VALIDATING_CORE_SCHEMAS"):
        os.environ.setdefault(name, "1")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit with one of :class:`zeroth.errors.ExitCode`."""
    _quicken()
    code = run_cli(argv)
    # Else Python looks through all objects for cycles before it ends: a tenth of a short command's time.
    gc.freeze()
    sys.exit(code)


def run_cli(argv: Sequence[str] | None = None) -> int:
    """Run the ``zeroth`` command line; returns the exit code."""
    return run_command(cli, "zeroth", argv)


def run_command(command: click.Command, name: str, argv: Sequence[str] | None = None) -> int:
    """Run a command under the name it is shown by; returns the exit code.

    A user's mistake never tracebacks, a bug of ours does.
    """
    try:
        result = command.main(args=argv, prog_name=name, standalone_mode=False)
    except UserError as error:
        report(error)
        return error.code
    except click.exceptions.Abort:
        click.echo("Interrupted.", err=True)
        return ExitCode.INTERRUPTED
    except KeyboardInterrupt:
        click.echo("Interrupted.", err=True)
        return ExitCode.INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:
        # The reader of our output went away (as in `zeroth ... | head`): not an error. Keep Python from
        # complaining when it flushes standard output at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.DONE
    except Exception:  # noqa: BLE001 - the last resort: show it as our bug
        from rich.console import Console

        Console(stderr=True).print_exception()
        click.echo("This is a bug in zeroth; please report it with the text above.", err=True)
        return ExitCode.BUG
    return result if isinstance(result, int) else ExitCode.DONE


def report(error: UserError) -> None:
    """Print an error and its hint on standard error."""
    # Here and above, not at the top: a daemon that starts through this command would keep 8 MB for it.
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print("[bold red]error:[/] ", end="")
    console.print(str(error), markup=False)
    if error.hint:
        console.print("[bold]hint:[/]  ", end="")
        console.print(error.hint, markup=False)

"""Opening the upgrade file that a command was given."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import click

from zeroth.deploy.zup import UpgradeFile
from zeroth.errors import UserError
from zeroth.keys.keyring import public_key, trusted_keys
from zeroth.keys.signing import PublicKey

__all__ = ["file_options", "opened"]

_Command = TypeVar("_Command", bound=Callable[..., object])


def file_options(command: _Command) -> _Command:
    """The file, and who must have signed it."""
    for option in reversed([
        click.argument("file", metavar="FILE"),
        click.option("--key", "keys", type=click.Path(dir_okay=False, path_type=Path), multiple=True, metavar="PUB",
                     help="Trust this public key, and not the keys of this machine; can be given again."),
        click.option("--unsigned", is_flag=True, help="Do not ask who signed it."),
    ]):  # fmt: skip
        command = option(command)
    return command


@contextmanager
def opened(file: str, keys: Sequence[Path], *, unsigned: bool) -> Iterator[UpgradeFile]:
    """The upgrade file of this name, its front checked; a hyphen is standard input.

    :raises UserError: when it cannot be read, or nobody who is trusted signed it.
    """
    trusted: Sequence[PublicKey] | None = None if unsigned else [*map(public_key, keys)] or trusted_keys()
    if trusted is not None and not trusted:
        raise UserError("this machine trusts no key yet", "Name one with --key PUB, or look at it with --unsigned.")
    if file == "-":
        yield UpgradeFile.open(sys.stdin.buffer, trusted, name="standard input")
        return
    try:
        stream = Path(file).open("rb")  # noqa: SIM115 - closed below; only opening it gives this error
    except OSError as error:
        raise UserError(f"cannot read it: {error.strerror}", where=file) from None
    with stream:
        yield UpgradeFile.open(stream, trusted, name=file)

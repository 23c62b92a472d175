"""``zeroth keys``: make keys, change from one to the next, look at them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from zeroth.errors import UserError
from zeroth.keys.efi_lists import Variable
from zeroth.keys.keyring import KeyFiles, key_files, make_key, rotate_key, secret_key
from zeroth.keys.secureboot import make_secure_boot_keys

__all__ = ["keys", "passphrase_for"]

_NAMED_BY = "ZEROTH_PASSPHRASE_FILE"
_LIMIT = 1024
_OWNER_LIMIT = 40


@click.group()
def keys() -> None:
    """Keys that images, upgrade files and answers are signed with."""


_folder = click.option("--folder", type=click.Path(file_okay=False, path_type=Path), default=Path(),
                       metavar="DIR", help="Where the key files lie.  [default: here]")  # fmt: skip
_plain = click.option("--no-passphrase", is_flag=True, help="Leave the secret key unencrypted, for a build machine.")
_json = click.option("--json", "as_json", is_flag=True, help="As JSON.")


@keys.command()
@click.argument("name")
@_folder
@_plain
@_json
def new(name: str, *, folder: Path, no_passphrase: bool, as_json: bool) -> None:
    """Make NAME.key (secret) and NAME.pub (give it to whoever checks your signatures).

    The passphrase is asked for, or read from the file that ZEROTH_PASSPHRASE_FILE names.

    \b
    Examples:
      zeroth keys new release --folder ~/keys
      zeroth keys new ci --no-passphrase
    """
    _show(make_key(folder, name, None if no_passphrase else _new_passphrase(f"{name}.key")), as_json=as_json)


@keys.command()
@click.argument("old", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("name")
@_plain
@_json
def rotate(old: Path, name: str, *, no_passphrase: bool, as_json: bool) -> None:
    """Make the key NAME that follows the secret key OLD, beside it.

    OLD signs the new public key, so that whoever trusts OLD can tell that it is yours. Sign with both until every
    host has the new one: zeroth image build --sign-key NAME.key --sign-key OLD.key

    \b
    Examples:
      zeroth keys rotate ~/keys/2026.key 2027
    """
    before = secret_key(old, passphrase_for(old))
    made = rotate_key(before, old.parent, name, None if no_passphrase else _new_passphrase(f"{name}.key"))
    _show(made, as_json=as_json)


@keys.command(name="list")
@_folder
@_json
def list_(*, folder: Path, as_json: bool) -> None:
    """List the keys in a folder.

    \b
    Examples:
      zeroth keys list --folder /etc/zeroth/keys
      zeroth keys list --json
    """
    found = key_files(folder)
    if as_json:
        click.echo(json.dumps([_facts(it) for it in found], indent=1))
        return
    table = Table("name", "id", "secret key", "follows", box=None, pad_edge=False)
    for it in found:
        here = "[yellow]here[/]" if it.secret_path.is_file() else "elsewhere"
        table.add_row(it.name, it.public.name, here, it.successor_of)
    Console().print(table)


@keys.group()
def secureboot() -> None:
    """Keys that UEFI firmware checks programs with."""


@secureboot.command(name="new")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--owner", default="zeroth", show_default=True, help="Whose keys they are; shown by firmware.")
@_plain
@_json
def new_secureboot(folder: Path, *, owner: str, no_passphrase: bool, as_json: bool) -> None:
    """Make a set of keys for Secure Boot in DIR: PK, KEK and db.

    Programs are signed with db.key; a build needs it and db.crt, and nothing else of the set. The firmware gets
    NAME.cer, NAME.esl or NAME.auth, whichever kind its setup takes: db first and PK last.

    \b
    Examples:
      zeroth keys secureboot new ~/keys/secureboot --owner "Example Ltd"
      zeroth image build --secure-boot ~/keys/secureboot
    """
    if not owner.isprintable() or not 1 <= len(owner) <= _OWNER_LIMIT:
        raise UserError("an owner's name has 1 to 40 printable characters", "Give another --owner.")
    passphrase = None if no_passphrase else _new_passphrase("these keys")
    made = make_secure_boot_keys(folder, owner, passphrase, datetime.now(UTC))
    if as_json:
        rows = [
            {"name": str(variable), "sha256": digest, "secret": str(made.path(variable, ".key")),
             "certificate": str(made.path(variable, ".crt"))}
            for variable, digest in made.fingerprints.items()
        ]  # fmt: skip
        click.echo(json.dumps({"owner": made.owner, "keys": rows}, indent=1))
        return
    for variable, digest in made.fingerprints.items():
        click.echo(f"{variable:<4}{made.path(variable, '.crt')}\n    SHA-256 {digest}")
    secret = ", ".join(f"{variable}.key" for variable in Variable)
    click.echo(f"Keep {secret}, and a copy, safe; a build needs db.key and db.crt only.")


def passphrase_for(path: Path) -> Callable[[], bytes]:
    """A function that gets the passphrase of a secret key file: from the file that ``ZEROTH_PASSPHRASE_FILE`` names,
    else by asking. The words never stand in an environment or on a command line.
    """
    return lambda: _from_file() or _asked(f"Passphrase of {path.name}", confirm=False)


def _new_passphrase(name: str) -> bytes:
    return _from_file() or _asked(f"Passphrase for {name}", confirm=True)


def _from_file() -> bytes:
    given = os.environ.get(_NAMED_BY)
    if not given:
        return b""
    try:
        with Path(given).open("rb") as file:
            raw = file.read(_LIMIT + 1)
    except OSError as error:
        raise UserError(f"cannot read the passphrase: {error.strerror}", f"Set {_NAMED_BY} to a file.",
                        where=given) from None  # fmt: skip
    words = raw.split(b"\n")[0].rstrip(b"\r")
    if not words or len(raw) > _LIMIT:
        raise UserError("this holds no passphrase", "Write it into the first line.", where=given)
    return words


def _asked(prompt: str, *, confirm: bool) -> bytes:
    words = click.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True)
    return str(words).encode()


def _facts(it: KeyFiles) -> dict[str, object]:
    return {
        "name": it.name, "id": it.public.name, "public": str(it.public_path), "follows": it.successor_of,
        "secret": str(it.secret_path) if it.secret_path.is_file() else None,
    }  # fmt: skip


def _show(it: KeyFiles, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(_facts(it), indent=1))
        return
    click.echo(f"key {it.public.name}\n  secret  {it.secret_path}  (keep it, and a copy, safe)\n"
               f"  public  {it.public_path}")  # fmt: skip

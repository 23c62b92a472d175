"""``zeroth answer sign`` and ``verify``: the signature of an answer lies beside it, as ``FILE.minisig``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from zeroth.spec.answer import AnswerText
from zeroth.spec.load import load_answer

__all__ = ["sign", "verify"]

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=_FILE)
@click.option("--key", "keys", type=_FILE, multiple=True, required=True, metavar="KEY",
              help="A secret key of zeroth keys; can be given again, while one key follows another.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def sign(file: Path, *, keys: tuple[Path, ...], as_json: bool) -> None:
    """Sign an answer: FILE.minisig is written beside it. An answer with errors is not signed.

    Put both files where the installer finds the answer: on the volume, the web server, the TFTP server. It takes the
    signature from beside the answer and checks it with the keys of its medium.

    \b
    Examples:
      zeroth keys new site --folder ~/keys
      zeroth answer sign host1.ks --key ~/keys/site.key
    """
    from zeroth.keys.cli import passphrase_for
    from zeroth.keys.keyring import secret_key, sign_file
    from zeroth.keys.signing import Purpose

    load_answer(AnswerText.from_file(file))
    signers = [secret_key(path, passphrase_for(path)) for path in keys]
    signature = sign_file(file, signers, Purpose.ANSWER)
    if as_json:
        facts = {"file": str(file), "signature": str(signature), "keys": [it.public.name for it in signers]}
        click.echo(json.dumps(facts, indent=1))
    else:
        click.echo(f"{signature}: signed by {' and '.join(it.public.name for it in signers)}")


@click.command()
@click.argument("file", type=_FILE)
@click.option("--key", "keys", type=_FILE, multiple=True, metavar="PUB",
              help="Trust this public key, and not the keys of this machine; can be given again.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def verify(file: Path, *, keys: tuple[Path, ...], as_json: bool) -> None:
    """Check an answer against the signature beside it. Exits 1 unless a trusted key signed just this text.

    \b
    Examples:
      zeroth answer verify host1.ks --key site.pub
      minisign -Vm host1.ks -p site.pub
    """
    from zeroth.keys.keyring import check_file, public_key, trusted_keys
    from zeroth.keys.signing import Purpose

    trusted = [public_key(path) for path in keys] or trusted_keys()
    signer = check_file(file, trusted, Purpose.ANSWER)
    if as_json:
        click.echo(json.dumps({"file": str(file), "signer": signer.name, "comment": signer.comment}, indent=1))
    else:
        click.echo(f"{file}: signed by {signer.name} ({signer.comment})")

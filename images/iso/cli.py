"""``zeroth iso``: work on finished ISO images, without root and without a build."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console

from images.iso.content import embedded, manifest
from images.iso.diff import difference
from images.iso.embed import embed as embed_in
from images.iso.facts import iso_facts
from images.iso.layout import Iso, open_iso
from images.iso.show import show_difference, show_facts
from images.iso.verify import signature_of
from images.iso.verify import verify as verify_iso
from images.iso.wanted import (
    read_arguments,
    read_authorities,
    read_for_embedding,
    read_keys,
    read_pins,
    read_signers,
    read_token,
)
from images.iso.write import Stick, choose_stick, stick_lines, write_stick
from zeroth.errors import ExitCode, UserError
from zeroth.keys.keyring import public_key, trusted_keys
from zeroth.progress import Step, Stream
from zeroth.sinks import sink_for
from zeroth.spec.embedded import Embedded
from zeroth.system.size import Size

__all__ = ["iso"]

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def iso() -> None:
    """Look into finished ISO images, embed in them, compare, verify and write them."""


@iso.command()
@click.argument("image", metavar="ISO", type=_FILE)
@click.option("--answer", type=_FILE, metavar="FILE", help="An answer file, in any of its languages.")
@click.option("--ca", type=_FILE, metavar="PEM", help="Authorities that addresses of answers are verified by.")
@click.option("--ssh-key", "keys", type=_FILE, multiple=True, metavar="PUB", help="May log in as root on the host.")
@click.option("--args", "arguments", metavar="WORDS", help="Kernel arguments of all entries of the menu.")
@click.option("--pin", "pins", multiple=True, metavar="sha256//...", help="The key of a server of answers.")
@click.option("--token", type=_FILE, metavar="FILE", help="A file with the bearer token that those servers want.")
@click.option("--signer", "signers", type=_FILE, multiple=True, metavar="PUB", help="A key that may sign answers.")
@click.option("--require-signed/--no-require-signed", default=None, help="Take only signed answers, or any again.")
@click.option("--remove", is_flag=True, help="Take out what is embedded: the image as it was published.")
@click.option("-o", "--output", type=_FILE, metavar="FILE", help="The image to write.")
@click.option("--in-place", is_flag=True, help="Put the new image in the place of the old one.")
def embed(
    image: Path,
    *,
    answer: Path | None,
    ca: Path | None,
    keys: tuple[Path, ...],
    arguments: str | None,
    pins: tuple[str, ...],
    token: Path | None,
    signers: tuple[Path, ...],
    require_signed: bool | None,
    remove: bool,
    output: Path | None,
    in_place: bool,
) -> int:
    """Put an answer, ways to fetch and check one, ssh keys or kernel arguments into a copy of an ISO image.

    What is given replaces what was embedded of that kind; the rest stays. Plain passwords are hashed. The signature of
    an answer (FILE.minisig) comes along. Nothing else of the image changes, and its checksums stay valid.

    \b
    Examples:
      zeroth iso embed zeroth.iso --answer host1.ks -o host1.iso
      zeroth iso embed zeroth.iso --args "zeroth.answer=https://boot.example.com/" --ca ca.pem -o site.iso
      zeroth iso embed zeroth.iso --signer site.pub --require-signed -o site.iso
      zeroth iso embed host1.iso --remove --in-place
    """
    given = any((answer, ca, keys, arguments is not None, pins, token, signers, require_signed is not None))
    if (output is None) == (not in_place) or given == remove:
        what = "Give what to embed (--answer, --ca, ...), or --remove alone." if given == remove else ""
        raise UserError("what to embed and where to write it is not clear",
                        what or "Give either -o FILE or --in-place.", code=ExitCode.USAGE)  # fmt: skip
    found = open_iso(image)
    content, reservations = Embedded(), []
    if given:
        content = embedded(found)
        changes: dict[str, object] = {}
        if answer:
            wanted = read_for_embedding(answer)
            changes["answer"] = wanted.embedded
            reservations = list(wanted.reservations)
            if wanted.hashed:
                click.echo(f"{answer}: the plain password was hashed; the answer is embedded as JSON", err=True)
        if ca:
            changes["authorities"] = read_authorities(ca)
        if keys:
            changes["ssh_keys"] = read_keys(keys)
        if arguments is not None:
            changes["arguments"] = read_arguments(arguments)
        if pins:
            changes["pins"] = read_pins(pins)
        if token:
            changes["token"] = read_token(token)
        if signers:
            changes["signers"] = read_signers(signers)
        if require_signed is not None:
            changes["require_signed"] = require_signed
        content = content.model_copy(update=changes)
        _check_signed(content)
    target = output or image
    with _step("Write the image") as step:
        embed_in(found, target, content, step)
    click.echo(f"{target} ({Size(target.stat().st_size).approx()})")
    for text in reservations:
        click.echo(f"reservation: {text}", err=True)
    return ExitCode.RESERVATIONS if reservations else ExitCode.DONE


def _check_signed(content: Embedded) -> None:
    """What is embedded must not refuse itself."""
    if content.require_signed and content.answer and not content.answer.signature:
        raise UserError("only signed answers are to be taken, and the embedded one has no signature",
                        "Sign it first (zeroth answer sign), without a plain password in it.")  # fmt: skip


@iso.command()
@click.argument("image", metavar="ISO", type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def inspect(image: Path, *, as_json: bool) -> None:
    """Show what an ISO image holds: version, packages, files, how it boots, what is embedded. Secrets stay hidden.

    \b
    Examples:
      zeroth iso inspect zeroth.iso
      zeroth iso inspect zeroth.iso --json
    """
    facts = _facts(open_iso(image))
    if as_json:
        click.echo(json.dumps(facts, indent=1))
    else:
        show_facts(facts, Console())


@iso.command()
@click.argument("one", metavar="A", type=_FILE)
@click.argument("two", metavar="B", type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def diff(one: Path, two: Path, *, as_json: bool) -> None:
    """Compare two ISO images: versions, packages, files, sizes, what is embedded.

    \b
    Examples:
      zeroth iso diff zeroth-0.1.0-amd64.iso zeroth-0.2.0-amd64.iso
      zeroth iso diff old.iso new.iso --json
    """
    images = open_iso(one), open_iso(two)
    packages = (manifest(images[0])["packages"], manifest(images[1])["packages"])
    found = difference(_facts(images[0]), _facts(images[1]), packages)
    if as_json:
        click.echo(json.dumps(found, indent=1))
    else:
        show_difference(found, Console())


@iso.command()
@click.argument("image", metavar="ISO", type=_FILE)
@click.option("--key", "keys", type=_FILE, multiple=True, metavar="PUB",
              help="Trust this public key, and not the keys of this machine; can be given again.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def verify(image: Path, *, keys: tuple[Path, ...], as_json: bool) -> int:
    """Compare every file of an ISO image with its checksum, and the signature beside the image.

    \b
    Examples:
      zeroth iso verify zeroth.iso
      zeroth iso verify zeroth.iso --key release.pub
    """
    trusted = [public_key(path) for path in keys] or trusted_keys()
    found = open_iso(image)
    with _step("Verify") as step:
        verified = verify_iso(found, step)
    signed = signature_of(found, verified.digests, trusted)
    if keys and signed is None:
        raise UserError("nothing beside it is signed", "Keep SHA256SUMS and its signature beside the image.",
                        where=str(image))  # fmt: skip
    if as_json:
        facts = {
            "files": verified.files, "damaged": verified.damaged, "sha256": verified.digests.actual,
            "pristine_sha256": verified.digests.pristine, "signer": signed.key.name if signed else None,
        }  # fmt: skip
        click.echo(json.dumps(facts, indent=1))
    elif not verified.damaged:
        click.echo(f"{verified.files} files are what they should be")
        by = f"{signed.path.name} is signed by {signed.key.name} ({signed.key.comment})" if signed else "no signature"
        click.echo(by if signed else "there is no signature beside it")
    for name in verified.damaged:
        click.echo(f"error: {image}: {name} is damaged or missing", err=True)
    if verified.content != Embedded():
        click.echo("something is embedded, which no checksum covers; see: zeroth iso inspect", err=True)
    return ExitCode.INPUT if verified.damaged else ExitCode.DONE


@iso.command()
@click.argument("image", metavar="ISO", type=_FILE)
@click.argument("device", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask.")
def write(image: Path, device: Path, *, yes: bool) -> None:
    """Write an ISO image to a USB stick, and compare what the stick then holds.

    Everything on the stick is lost. A disk that is in use is refused.

    \b
    Examples:
      zeroth iso write zeroth.iso /dev/disk/by-id/usb-SanDisk_Ultra_4C53-0:0
      zeroth iso write zeroth.iso /dev/sdx --yes
    """
    found = open_iso(image)
    stick: Stick = choose_stick(device, found.size)
    for line in stick_lines(stick):
        click.echo(line, err=True)
    if not yes:
        if not sys.stdin.isatty():
            raise UserError(f"everything on {device} would be lost, and nobody can be asked", "Say --yes.",
                            code=ExitCode.USAGE)  # fmt: skip
        click.confirm(f"Erase {stick.facts.path} and write {image.name} to it?", abort=True, err=True)
    with _step("Write the stick") as step:
        write_stick(found, stick, step)
    click.echo(f"{stick.facts.path} holds {image.name}")


def _facts(found: Iso) -> dict[str, object]:
    with _step("Read the image") as step:
        return iso_facts(found, step)


@contextmanager
def _step(title: str) -> Iterator[Step]:
    with Stream([sink_for(Console(stderr=True), sys.stderr, json_lines=False)]).step(title) as step:
        yield step

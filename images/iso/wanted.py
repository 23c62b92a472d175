"""What people want embedded, from files and words to values; each is checked before a byte is written."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import TypeAdapter, ValidationError

from zeroth.errors import UserError
from zeroth.keys.keyring import public_key
from zeroth.keys.signing import SIGNATURE_LIMIT, SIGNATURE_SUFFIX
from zeroth.spec.answer import AnswerText
from zeroth.spec.embedded import EmbeddedAnswer
from zeroth.spec.fetch.pins import parse_pins
from zeroth.spec.fields import SshKey
from zeroth.spec.gaps import gaps
from zeroth.spec.load import Reading, read_answer
from zeroth.spec.plain import plain_data

__all__ = [
    "Answer",
    "read_arguments",
    "read_authorities",
    "read_for_embedding",
    "read_keys",
    "read_pins",
    "read_signers",
    "read_token",
]

_LIMIT = 1 << 20
_TOKEN_LIMIT = 4096
# The kernel takes 2047 bytes on x86 (COMMAND_LINE_SIZE); the menu's own take less than 200.
_ARGUMENTS_LIMIT = 1500
_OURS = ("boot", "zeroth.mode")
_KEY = TypeAdapter(SshKey)


@dataclass(frozen=True)
class Answer:
    """An answer that is fit to be embedded.

    :ivar reading: what was read; its problems are warnings.
    :ivar hashed: it had a plain password, so it was rewritten with the hash in its place.
    """

    embedded: EmbeddedAnswer
    reading: Reading
    hashed: bool

    @property
    def reservations(self) -> tuple[str, ...]:
        """Why this version's installer would not do all that the answer says."""
        spec = self.reading.accepted()
        return (
            *(problem.message for problem in self.reading.left_out),
            *(f"{gap}: the installer refuses the answer" for gap in gaps(spec) if gap.refused),
        )


def read_for_embedding(path: Path) -> Answer:
    """Read and check an answer file. It is kept as it is written, unless it holds a plain password.

    The signature beside it comes along, if there is one and the text stays as it is.

    :raises UserError: when it cannot be read, or has mistakes; all of them are told.
    """
    reading = read_answer(AnswerText.from_file(path))
    spec = reading.accepted()
    if not reading.hashed:
        # As it is in the file: a signature is over its bytes.
        text = _read(path).decode()
        beside = path.with_name(path.name + SIGNATURE_SUFFIX)
        signature = _read(beside).decode(errors="replace")[:SIGNATURE_LIMIT] if beside.is_file() else ""
        return Answer(EmbeddedAnswer(name=path.name, text=text, signature=signature), reading, hashed=False)
    text = json.dumps(plain_data(spec), indent=1) + "\n"
    return Answer(EmbeddedAnswer(name=f"{path.stem}.json", text=text), reading, hashed=True)


def read_authorities(path: Path) -> str:
    """The certificates in a PEM file, as PEM and nothing else.

    :raises UserError: when there are none, one has expired, or the file holds a private key.
    """
    data = _read(path)
    if b"PRIVATE KEY" in data:
        raise UserError("this file holds a private key", "Give the certificate alone.", where=str(path))
    try:
        found = x509.load_pem_x509_certificates(data)
    except ValueError:
        raise UserError("this holds no certificate in PEM", "It begins with -----BEGIN CERTIFICATE-----.",
                        where=str(path)) from None  # fmt: skip
    for certificate in found:
        end = certificate.not_valid_after_utc
        if end < datetime.now(UTC):
            subject = certificate.subject.rfc4514_string()
            raise UserError(f"the certificate of {subject} expired on {end:%Y-%m-%d}", where=str(path))
    return "".join(certificate.public_bytes(Encoding.PEM).decode() for certificate in found)


def read_keys(paths: Sequence[Path]) -> tuple[str, ...]:
    """The public ssh keys in files, one a line, as in ``id_ed25519.pub`` and ``authorized_keys``.

    :raises UserError: naming the line that is no public key.
    """
    return tuple(dict.fromkeys(key for path in paths for key in _keys(path)))


def read_pins(texts: Sequence[str]) -> tuple[str, ...]:
    """Pins of servers' keys.

    :raises UserError: one is malformed.
    """
    return tuple(dict.fromkeys(str(pin) for text in texts for pin in parse_pins(text)))


def read_signers(paths: Sequence[Path]) -> tuple[str, ...]:
    """Public keys that may sign answers, as the text of their files.

    :raises UserError: naming the file that is no public key.
    """
    return tuple(dict.fromkeys(public_key(path).text for path in paths))


def read_token(path: Path) -> str:
    """The token in the first line of a file.

    :raises UserError: when there is none, or others may read it.
    """
    if path.is_file() and path.stat().st_mode & 0o077:
        raise UserError("others can read this token", f"Run: chmod 600 {path}", where=str(path))
    lines = _read(path).decode("ascii", "replace").splitlines() or [""]
    token = lines[0].strip()
    if not token or not all("!" <= char <= "~" for char in token) or len(token) > _TOKEN_LIMIT:
        raise UserError("this holds no token", "Write it into the first line: printable ASCII without spaces.",
                        where=str(path))  # fmt: skip
    return token


def _keys(path: Path) -> Iterator[str]:
    text = _read(path).decode("utf-8", "replace")
    if "PRIVATE KEY" in text:
        raise UserError("this is a private key", f"Give the public one: {path.name}.pub", where=str(path))
    found = False
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        found = True
        try:
            yield _KEY.validate_python(line)
        except ValidationError as error:
            reason = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise UserError(reason, "A key is the one line of a .pub file.", where=f"{path}:{number}") from None
    if not found:
        raise UserError("there is no ssh key in this file", "Give the .pub file.", where=str(path))


def read_arguments(text: str) -> tuple[str, ...]:
    """Kernel arguments, as words; quotes group as in a shell.

    :raises UserError: for what the kernel's command line cannot carry, or what would break the menu's entries.
    """
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise UserError(f"the kernel arguments {text!r} cannot be split: {error}", "Close the quotes.") from None
    for word in words:
        if not (word.isascii() and word.isprintable()) or '"' in word or not word:
            raise UserError(f"the kernel argument {word!r} cannot stand on a command line",
                            'It holds printable ASCII characters other than ".')  # fmt: skip
        name = word.partition("=")[0]
        if name in _OURS:
            raise UserError(
                f"{name}= is what the menu's entries differ by", "Choose another entry of the menu instead."
            )
    length = len(" ".join(words))
    if length > _ARGUMENTS_LIMIT:
        raise UserError(f"the kernel arguments have {length} bytes, and {_ARGUMENTS_LIMIT} fit", "Give fewer.")
    return words


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_LIMIT + 1)
    except OSError as error:
        raise UserError(f"cannot read it: {error.strerror}", where=str(path)) from None
    if len(data) > _LIMIT:
        raise UserError("this file is too large for what it should be", "Is it the right file?", where=str(path))
    return data

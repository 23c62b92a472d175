"""An answer as it came: its text, what it is called, and where it is from."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Self

from zeroth.errors import ExitCode, UserError
from zeroth.spec.errors import AnswerErrors
from zeroth.spec.problems import Problem, Span

__all__ = ["ENDINGS", "SIZE_LIMIT", "AnswerText", "Language"]

SIZE_LIMIT = 1 << 20
"""Bytes; an answer is a page or two, anything above this is a wrong file."""


class Language(StrEnum):
    """The languages in which an answer may be written, by the ending of its name."""

    KICKSTART = "ks"
    YAML = "yaml"
    JSON = "json"
    XENSERVER = "xml"
    """Of XenServer's and XCP-ng's installers."""
    PROXMOX = "toml"
    """Of Proxmox VE's installer."""


ENDINGS = {".ks": Language.KICKSTART, ".cfg": Language.KICKSTART, ".yaml": Language.YAML, ".yml": Language.YAML,
           ".json": Language.JSON, ".xml": Language.XENSERVER, ".toml": Language.PROXMOX}  # fmt: skip
"""What tells the language, at the end of a file's name."""

# How the first line that says something begins. No command of kickstart does so.
_BEGINNINGS = (
    (re.compile(r"\{"), Language.JSON),
    (re.compile(r"<"), Language.XENSERVER),
    (re.compile(r"---\s*$|[A-Za-z]\w*\s*:(\s|$)"), Language.YAML),
    (re.compile(r"\[[\w.-]+\]\s*(#|$)|[A-Za-z][\w.-]*\s*="), Language.PROXMOX),
)


@dataclass(frozen=True)
class AnswerText:
    """The text of an answer.

    :param name: its file name, which decides the language.
    :param origin: where it came from, for people: ``volume ZEROTH-CFG (/dev/vdb)``.
    """

    text: str
    name: str
    origin: str = ""

    @classmethod
    def from_bytes(cls, data: bytes, name: str, origin: str = "") -> Self:
        """Decode what was read.

        :raises AnswerErrors: too large, no text, or not UTF-8; the line and column of the first bad byte are named.
        """
        if len(data) > SIZE_LIMIT:
            raise AnswerErrors(name, [Problem("the file is larger than 1 MiB", "Is it the right file?")])
        data = data.removeprefix(b"\xef\xbb\xbf")
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise AnswerErrors(name, [Problem("this is UTF-16 text", "Save the file as UTF-8 in your editor.")])
        if b"\0" in data:
            raise AnswerErrors(name, [Problem("this is a binary file, not text", "Is it the right file?")])
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            before = data[: error.start]
            line_start = before.rfind(b"\n") + 1
            column = len(before[line_start:].decode("utf-8")) + 1
            where = Span(before.count(b"\n") + 1, column, column + 1)
            message = f"the byte 0x{data[error.start]:02x} is not UTF-8 text"
            problem = Problem(message, "Save the file as UTF-8 in your editor.", where)
            raise AnswerErrors(name, [problem], data.decode("utf-8", "replace")) from None
        # One kind of line end, so that line numbers are those of the user's editor.
        return cls(text.replace("\r\n", "\n"), name, origin)

    @classmethod
    def from_stream(cls, stream: BinaryIO, name: str, origin: str = "") -> Self:
        """Read an open file, at most a little more than the limit.

        :raises AnswerErrors: as :meth:`from_bytes`.
        """
        return cls.from_bytes(stream.read(SIZE_LIMIT + 1), name, origin)

    @classmethod
    def from_unnamed(cls, stream: BinaryIO, name: str) -> Self:
        """Read an open file that has no name, and tell the language by how the text begins.

        :param name: what it is called, without an ending.
        :raises AnswerErrors: as :meth:`from_bytes`.
        """
        answer = cls.from_stream(stream, name)
        return cls(answer.text, f"{name}.{_language_of(answer.text)}")

    @classmethod
    def from_file(cls, path: Path, origin: str = "") -> Self:
        """Read a file.

        :raises UserError: it cannot be opened.
        :raises AnswerErrors: as :meth:`from_bytes`.
        """
        try:
            with path.open("rb") as stream:
                return cls.from_stream(stream, str(path), origin)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise UserError(f"cannot read {path}: {reason}", "Check the path.", code=ExitCode.INPUT) from None

    @classmethod
    def from_argument(cls, path: Path) -> Self:
        """Read a file that was named on a command line; a hyphen is standard input.

        :raises UserError, AnswerErrors: as :meth:`from_file`.
        """
        return cls.from_unnamed(sys.stdin.buffer, "standard-input") if str(path) == "-" else cls.from_file(path)

    @property
    def language(self) -> Language:
        """By the ending of the name.

        :raises AnswerErrors: no ending that is known.
        """
        ending = Path(self.name).suffix.lower()
        if ending in ENDINGS:
            return ENDINGS[ending]
        message = (
            f"the ending {ending!r} of the name does not tell the language" if ending else "the name has no ending"
        )
        raise AnswerErrors(
            self.name,
            [Problem(message, "Name the file .ks (kickstart), .yaml, .json, .xml (XenServer) or .toml (Proxmox).")],
        )

    def digest(self, *more: str) -> str:
        """Recognises the same answer again, as the reinstall guard does.

        :param more: what else was applied with it.

        The text may hold a password, so this is a slow hash (scrypt, 16 MiB), in hexadecimal. It is that of the
        text, since the hash of a plain password is salted anew each time the text is loaded.
        """
        import hashlib  # here: it takes a while to load, and only the installer asks

        text = "\0".join((self.text, *more))
        return hashlib.scrypt(text.encode(), salt=b"zeroth answer 1", n=1 << 14, r=8, p=1, dklen=32).hex()


def _language_of(text: str) -> Language:
    lines = (line.strip() for line in text.split("\n"))
    first = next((line for line in lines if line and not line.startswith("#")), "")
    return next((language for pattern, language in _BEGINNINGS if pattern.match(first)), Language.KICKSTART)

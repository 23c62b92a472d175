"""Taking secrets out of text: those that this machine is known to have, and whatever looks like one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from zeroth.redaction import Redactor
from zeroth.spec.secrets import secrets_in

__all__ = ["Scrubber"]

_HIDDEN = "***"
_NAME = r"(?:pass(?:word|wd|phrase)?|secret|token|chap_?(?:password|secret)|community|psk|private_?key)"
_WORD = rf"\b[a-z0-9_.-]*{_NAME}[a-z0-9_-]*"
_PATTERNS = (
    # Private keys of any kind, whole.
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), _HIDDEN),
    # Password hashes as crypt(5) has them.
    (re.compile(r"\$(?:y|gy|7|6|5|2[abxy]?|1|sha1|argon2[a-z]*)\$[^\s:\"'\\]{8,}"), _HIDDEN),
    (re.compile(r"(?i)\b(authorization\s*[:=]\s*)?(bearer|basic)\s+[A-Za-z0-9+/=._~-]{4,}"), rf"\1\2 {_HIDDEN}"),
    # User and password, and the query, of an address.
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s/@\"']+@"), rf"\1{_HIDDEN}@"),
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s?\"'<>]+)\?[^\s\"'<>]+"), rf"\1?{_HIDDEN}"),
    # "name": "value" and name="value", also where JSON stands in a string of JSON; to the line's end if it is cut.
    (re.compile(rf'(?im)({_WORD}(?:\\*")?\s*[=:]\s*)(?P<quote>\\*)".*?(?:(?<!\\)(?P=quote)"|$)'),
     rf'\1\g<quote>"{_HIDDEN}\g<quote>"'),
    # name=value and name: value
    (re.compile(rf'(?i)({_WORD}\s*[=:]\s*)(?![\s"]|\\+"|null\b|\*\*\*)[^\s,;"]+'), rf"\1{_HIDDEN}"),
    (re.compile(rf"(?i)(--{_NAME}[= ])(?!\*\*\*)\S+"), rf"\1{_HIDDEN}"),
)  # fmt: skip


class Scrubber:
    """Makes text fit to be given away.

    :param root: of the system whose secrets are looked up: those of its stored answer, and its accounts' hashes.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._known = Redactor()
        self._known.learn(_of_answer(root / "var/lib/zeroth/hostspec.json"))
        self._known.learn(_of_accounts(root / "etc/shadow"))

    def __call__(self, text: str) -> str:
        """The text with ``***`` in the place of secrets."""
        text = self._known(text)
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        return text


def _of_answer(path: Path) -> Iterator[str]:
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError):
        return
    yield from secrets_in(data)


def _of_accounts(path: Path) -> Iterator[str]:
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        fields = line.split(":")
        if len(fields) > 1 and len(fields[1]) > 3:
            yield fields[1]

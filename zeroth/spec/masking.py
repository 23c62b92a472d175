"""A line of an answer as it may be shown: what may be a secret in it is replaced.

This goes by what the text looks like, since it is wanted most for texts that cannot be read: wide on purpose, so that
a misspelt command or key does not give a secret away.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["MASK", "masked"]

MASK = "***"

_ALWAYS = r"pw|pass|plaintext|iscrypted|secret|token|://[^/\s]*@|\$(?:[56y17]|gy|2[aby])\$"
_SECRET = re.compile(_ALWAYS, re.IGNORECASE)
# `root: hunter2` is a mistake that is easily made; what stands below `root:` is a group of settings.
_SENSITIVE = re.compile(rf"{_ALWAYS}|\broot[\"']?\s*:", re.IGNORECASE)

# What is shown of such a line: the name of a setting, element or command, and options.
_NAME = re.compile(
    r"[ \t]*(?:<[A-Za-z][A-Za-z-]*(?=[^A-Za-z-]|$)(?:[ \t]+type=\"[a-z]*\")?>?"
    r"|(?:[{\[,-][ \t]*)*[\"']?[A-Za-z_][A-Za-z_.-]*[\"']?(?:[ \t]*[:=]|(?=[ \t]|$)))"
)
_OPTION = re.compile(r"--[A-Za-z][A-Za-z-]*(?:=|(?=\s|$))")

_SETTING = re.compile(r"""\s*(?:[{\[,-][ \t]*)*["']?[A-Za-z_][A-Za-z_.-]*["']?[ \t]*(?::(?=\s|$)|=)""")
_BLOCK = re.compile(r"[|>][+-]?[0-9]?[+-]?\s*$")
_OPEN_TAG = re.compile(r"<([^<>/!?][^<>]*)>[^<]*\Z")
_LOOKED_BACK = 100
"""Lines; a secret has fewer."""


def masked(lines: Sequence[str], index: int, start: int, end: int) -> tuple[str, int, int]:
    """A line with what may be secret replaced.

    :param lines: the whole text.
    :param index: of the line, from 0.
    :param start: of a place in it, in characters from 0.
    :param end: after the place.
    :returns: what to show, and where the place is in it.
    """
    line = lines[index].rstrip("\r")
    start, end = min(start, len(line)), min(max(end, start), len(line))
    if _within_secret(lines, index):
        keep = []
    elif _SENSITIVE.search(line):
        keep = [match.span() for match in (_NAME.match(line), *_OPTION.finditer(line)) if match]
    else:
        return line, start, end
    return _replaced(line, keep, start, end)


def _within_secret(lines: Sequence[str], index: int) -> bool:
    """Whether the line goes on with a secret that begins in a line before it."""
    line, above = lines[index], lines[max(0, index - _LOOKED_BACK) : index]
    text = "\n".join(above).replace("<![CDATA[", "")
    tag = _OPEN_TAG.search(text)
    if tag and not tag[1].endswith("/") and _SECRET.search(tag[1]):
        return True
    for quotes in ('"""', "'''"):
        if text.count(quotes) % 2 and _SECRET.search(next(it for it in reversed(above) if quotes in it)):
            return True
    filled = [it for it in above if it.strip()]
    return bool(filled) and (_goes_on(filled[-1], line) or _belongs_to(filled, line))


def _goes_on(before: str, line: str) -> bool:
    """Whether the line before, with a secret in it, does not end with it."""
    if not _SENSITIVE.search(before):
        return False
    if not _SECRET.search(before) and _SETTING.match(line):
        return False
    end = before.rstrip()
    quotes = before.count('"') % 2 or before.count("'") % 2
    new = _SETTING.match(line) or line.lstrip().startswith(("[", "<", "%"))
    if end.endswith((",", "'", '"')) and not quotes and new:
        return False
    in_a_tag = end.endswith(">") and "<" in before
    # A password or hash that was to be the argument in the line before.
    alone = len(line.split()) == 1 and not new and not line.strip(" \t\r{}],").isalpha()
    opens = end.endswith((":", "|", ">", "\\", "-", ",", "'", '"')) and not in_a_tag
    return bool(opens or quotes or alone)


def _belongs_to(above: Sequence[str], line: str) -> bool:
    """Whether the line is a further one of a text that begins in a line with less indentation, as in YAML."""
    depth = _indentation(line)
    parent = next((it for it in reversed(above) if _indentation(it) < depth), "")
    if not _SECRET.search(parent) or parent.lstrip().startswith("<"):
        return False
    return bool(_BLOCK.search(parent)) or not _SETTING.match(line)


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def _replaced(line: str, keep: Sequence[tuple[int, int]], start: int, end: int) -> tuple[str, int, int]:
    shown, at, moves = "", 0, {}
    for first, last in [*keep, (len(line), len(line))]:
        if first < at:
            continue
        hidden = line[at:first]
        if hidden.strip(" =\"'{}[],"):
            lead = len(hidden) - len(hidden.lstrip())
            tail = len(hidden) - len(hidden.rstrip())
            replaced = hidden[:lead] + MASK + (hidden[len(hidden) - tail :] if tail else "")
        else:
            replaced = hidden
        for offset in range(len(hidden)):
            moves[at + offset] = len(shown) + min(offset, max(0, len(replaced) - 1))
        for offset in range(first, last):
            moves[offset] = len(shown) + len(replaced) + offset - first
        shown += replaced + line[first:last]
        at = last
    new_start = moves.get(start, len(shown))
    new_end = moves.get(end - 1, len(shown) - 1) + 1 if end > start else new_start
    return shown, new_start, max(new_end, new_start)

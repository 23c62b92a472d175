"""Problems shown on the user's own text: the line, a caret under the place, and what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import click

from zeroth.spec.problems import Problem, Severity, Span

__all__ = ["annotated", "coloured", "headline", "printable"]

_WIDTH = 100
# A line that may hold a secret: its words are not shown, only its options. Wide on purpose, so that a misspelt
# command or key does not give the secret away.
_SENSITIVE = re.compile(
    r"pw|pass|plaintext|iscrypted|secret|token|://[^/\s]*@|\broot[\"']?\s*:|\$(?:[56y17]|gy|2[aby])\$", re.IGNORECASE
)
_SHOWN_WORD = re.compile(r"""[ \t]*(?:[{\[,-][ \t]*)*["']?[A-Za-z_]*["']?[ \t]*:?""")
_OPTION = re.compile(r"--[A-Za-z][A-Za-z-]*(?:=|(?=\s|$))")
MASK = "***"
_STYLES: dict[str, dict[str, Any]] = {
    "bold": {"bold": True}, "dim": {"dim": True}, "warning": {"fg": "yellow"},
    "error": {"fg": "red", "bold": True}, "place": {"fg": "yellow", "bold": True},
}  # fmt: skip
_Line = list[tuple[str, str]]
"""Words, and the name of their style; empty for none."""


def headline(name: str, problems: Sequence[Problem]) -> str:
    """One line: what the file is called and how much is wrong with it."""
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    left_out = sum(problem.severity is Severity.LEFT_OUT for problem in problems)
    warnings = len(problems) - errors - left_out
    parts = [_count(errors, "error")] if errors else []
    if warnings:
        parts.append(_count(warnings, "warning"))
    if left_out:
        parts.append(f"{left_out} left out")
    return f"{printable(name)}: {', '.join(parts) or 'no problems'}"


def annotated(name: str, problems: Sequence[Problem], text: str) -> str:
    """The problems as plain text."""
    return "\n".join("".join(words for words, _ in line) for line in _lines(name, problems, text)).rstrip("\n")


def coloured(name: str, problems: Sequence[Problem], text: str) -> str:
    """The problems for ``click.echo``, which takes the colours away where there is no terminal to show them."""
    return "\n".join(
        "".join(click.style(words, **_STYLES[style]) if style else words for words, style in line)
        for line in _lines(name, problems, text)
    )


def printable(text: str) -> str:
    """Text that cannot steer a terminal: control and other unprintable characters replaced."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _lines(name: str, problems: Sequence[Problem], text: str) -> list[_Line]:
    lines = text.split("\n")
    shown: list[_Line] = []
    for span, group in groupby(problems, key=lambda it: it.where):
        members = list(group)
        style = "error" if any(it.severity is Severity.ERROR for it in members) else "place"
        place = f"{printable(name)}:{span.line}:{span.column}" if span.line else printable(name)
        shown.append([(place, "bold")])
        if 0 < span.line <= len(lines):
            shown.extend(_excerpt(lines, span, style))
        for problem in members:
            kind = "error" if problem.severity is Severity.ERROR else "warning"
            shown.append([("  ", ""), (f"{problem.severity}: ", kind), (printable(problem.message), "")])
            if problem.hint:
                shown.append([("  ", ""), ("hint: ", "bold"), (printable(problem.hint), "")])
        shown.append([])
    return shown


def _excerpt(lines: Sequence[str], span: Span, style: str) -> list[_Line]:
    line = lines[span.line - 1].rstrip("\r")
    before = lines[span.line - 2] if span.line > 1 else ""
    shown, start, end = _masked(line, before, span.column - 1, span.end - 1)
    shown = shown.replace("\t", " ")
    # A long line is shown from shortly before the place.
    cut = max(0, start - _WIDTH // 2) if len(shown) > _WIDTH else 0
    shown, start, end = shown[cut : cut + _WIDTH], start - cut, min(end - cut, _WIDTH)
    number = f"{span.line:>5} | "
    caret = " " * (len(number) - 2) + "| " + " " * start + "^" * max(1, end - start)
    return [[(number, "dim"), (printable(shown), "")], [(caret, style)]]


def _masked(line: str, before: str, start: int, end: int) -> tuple[str, int, int]:
    """The line with what may be secret replaced, and where the place then is."""
    start, end = min(start, len(line)), min(max(end, start), len(line))
    if _SENSITIVE.search(line):
        keep = [match.span() for match in (_SHOWN_WORD.match(line), *_OPTION.finditer(line)) if match]
    elif _SENSITIVE.search(before) and before.rstrip().endswith((":", "|", ">", "\\", "-", ",", "'", '"')):
        keep = []
    else:
        return line, start, end
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


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")

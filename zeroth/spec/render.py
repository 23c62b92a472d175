"""Problems shown on the user's own text: the line, a caret under the place, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import click

from zeroth.spec.masking import masked
from zeroth.spec.problems import Problem, Severity, Span

__all__ = ["annotated", "coloured", "headline", "printable"]

_WIDTH = 100
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
    shown, start, end = masked(lines, span.line - 1, span.column - 1, span.end - 1)
    shown = shown.replace("\t", " ")
    # A long line is shown from shortly before the place.
    cut = max(0, start - _WIDTH // 2) if len(shown) > _WIDTH else 0
    shown, start, end = shown[cut : cut + _WIDTH], start - cut, min(end - cut, _WIDTH)
    number = f"{span.line:>5} | "
    caret = " " * (len(number) - 2) + "| " + " " * start + "^" * max(1, end - start)
    return [[(number, "dim"), (printable(shown), "")], [(caret, style)]]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")

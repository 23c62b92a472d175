"""A line cut into words as kickstart cuts it, with the place of each word."""

from __future__ import annotations

import io
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

__all__ = ["Line", "Word", "cut", "join_list", "split_list"]


@dataclass(frozen=True)
class Word:
    """A word.

    :param text: with quotes removed, as the command sees it.
    :param start: column of its first character in the line, from 1, quotes included.
    :param end: the column after its last character.
    """

    text: str
    start: int
    end: int

    @cached_property
    def option(self) -> str:
        """The option's name when the word is one (``--ip`` of ``--ip=192.0.2.1``), else empty."""
        name = self.text.partition("=")[0]
        plain = name[2:].replace("-", "").replace("_", "")
        return name if name.startswith("--") and plain.isascii() and plain.isalnum() else ""


@dataclass(frozen=True)
class Line:
    """A command line: its number from 1, and its words, of which the first is the command."""

    number: int
    words: tuple[Word, ...]

    def value(self, option: str) -> Word:
        """The place of an option's value: what follows ``=``, or the next word; the command where there is none."""
        for index, word in enumerate(self.words):
            if word.text == option:
                following = self.words[index + 1 : index + 2]
                return following[0] if following else word
            if word.option == option:
                start = min(word.start + len(option) + 1, word.end - 1)
                return Word(word.text.partition("=")[2], start, word.end)
        return self.words[0]

    def given(self, option: str) -> Word | None:
        """The word that gives an option, where there is one."""
        return next((word for word in self.words if word.option == option), None)


def cut(text: str) -> tuple[Word, ...]:
    """The words of one line, without its comment: those of ``shlex.split(text, comments=True)``.

    :raises ValueError: a quotation is not closed, or a backslash ends the line.
    """
    stream = io.StringIO(text)
    lexer = shlex.shlex(stream, posix=True)
    lexer.whitespace_split = True
    words: list[Word] = []
    start = 0
    while (token := lexer.get_token()) is not None:
        stop = stream.tell()
        while start < stop and text[start] in lexer.whitespace:
            start += 1
        # The lexer has read one character more, a blank, unless the line ended with the word or a comment followed. A
        # blank with a backslash before it (and no backslash before that one, and so on) belongs to the word.
        raw = text[start:stop]
        backslashes = len(raw) - 1 - len(raw[:-1].rstrip("\\"))
        end = stop - 1 if raw[-1:] in lexer.whitespace and backslashes % 2 == 0 else stop
        words.append(Word(token, start + 1, end + 1))
        start = stop
    return tuple(words)


def split_list(text: str) -> list[str]:
    """The parts of a list with commas; ``\\,`` is a comma and ``\\\\`` a backslash within a part."""
    parts = [""]
    escaped = False
    for char in text:
        if escaped:
            parts[-1] += char if char in ",\\" else f"\\{char}"
        elif char == ",":
            parts.append("")
        elif char != "\\":
            parts[-1] += char
        escaped = char == "\\" and not escaped
    if escaped:
        parts[-1] += "\\"
    return [part.strip() for part in parts]


def join_list(parts: Iterable[object]) -> str:
    """What :func:`split_list` takes apart again."""
    return ",".join(str(part).replace("\\", "\\\\").replace(",", "\\,") for part in parts)

"""TOML, read as data with places.

Python's own parser reads it; where its keys stand it does not tell, so they are looked up in the text again.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

from zeroth.spec.document import MOST_VALUES, Path
from zeroth.spec.places import Places
from zeroth.spec.problems import FILE, Problem, Span

__all__ = ["TomlWrong", "read_toml"]

_DEPTH = 16
_KEY = r"""(?:[A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*')"""
_DOTTED = re.compile(rf"{_KEY}(?:[ \t]*\.[ \t]*{_KEY})*")
_PART = re.compile(_KEY)
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"""{1,3}(?!")|\'\'\'.*?\'\'\'{1,3}(?!\')|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'', re.DOTALL
)
_PLAIN = re.compile(r"[^\s,\]}#]+(?: [0-9][^\s,\]}#]*)?")
_ERROR = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)


class TomlWrong(Exception):
    """It cannot be read.

    :param problem: why, and where.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def read_toml(text: str) -> tuple[dict[str, Any], dict[Path, Span], dict[Path, Span]]:
    """Read a text.

    :returns: the data; the places of values, by their path; and those of keys.
    :raises TomlWrong: it is not TOML, or more than an answer holds.
    """
    too_deep = re.search(r"(?:[\[{][ \t\r\n]*){17}", text)
    if too_deep or text.count(".") > MOST_VALUES:
        where = Places(text).span(too_deep.start()) if too_deep else FILE
        raise TomlWrong(Problem("this is nested too deeply", "Is it the right file?", where))
    try:
        data = tomllib.loads(text, parse_float=_number)
    except tomllib.TOMLDecodeError as error:
        raise TomlWrong(_syntax_error(str(error), text)) from None
    except ValueError as error:
        # A whole number of thousands of digits.
        raise TomlWrong(Problem(f"TOML: {str(error).partition(':')[0]}", "Is it the right file?")) from None
    except RecursionError:
        raise TomlWrong(Problem("this is nested too deeply", "Is it the right file?")) from None
    _check_size(data, 0)
    finder = _Finder(text)
    finder.document()
    return data, finder.marks, finder.keys


def _check_size(value: object, depth: int) -> int:
    if depth > _DEPTH:
        raise TomlWrong(Problem("this is nested too deeply", "Is it the right file?"))
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    count = 1 + sum(_check_size(item, depth + 1) for item in inner)
    if count > MOST_VALUES:
        raise TomlWrong(Problem("these are more values than an answer has", "Is it the right file?"))
    return count


def _number(text: str) -> float:
    return float(text)


def _syntax_error(message: str, text: str) -> Problem:
    match = _ERROR.fullmatch(message)
    hint = "Check quotes, brackets and the equals sign at this place and just before it."
    if match is None:
        return Problem(f"TOML: {message}", hint)
    said = match[1][:1].lower() + match[1][1:]
    if match[2]:
        return Problem(f"TOML: {said}", hint, Span(int(match[2]), int(match[3]), int(match[3]) + 1))
    return Problem(f"TOML: {said}", hint, Places(text).span(len(text.rstrip())))


class _Finder:
    """Goes through a text that is known to be TOML, and notes where keys and values stand.

    Should it lose its way, it stops: places are then less precise, and nothing else.
    """

    def __init__(self, text: str) -> None:
        self.marks: dict[Path, Span] = {}
        self.keys: dict[Path, Span] = {}
        self._text = text
        self._places = Places(text)
        self._at = 0
        self._arrays: dict[Path, int] = {}

    def document(self) -> None:
        """The whole text."""
        table: Path = ()
        while self._skip() < len(self._text):
            array = self._text.startswith("[[", self._at)
            if self._text[self._at] == "[":
                self._at += 2 if array else 1
                table = self._header(array=array)
                self._at += 2 if array else 1
            elif not self._pair(table):
                return

    def _header(self, *, array: bool) -> Path:
        self._space()
        names, where = self._name()
        self._space()
        path: Path = ()
        for index, name in enumerate(names):
            path = (*path, name)
            if array and index == len(names) - 1:
                self._arrays[path] = self._arrays.get(path, -1) + 1
            if path in self._arrays:
                self.marks.setdefault(path, where)
                path = (*path, self._arrays[path])
        self.marks.setdefault(path, where)
        self.keys.setdefault(path, where)
        return path

    def _pair(self, table: Path) -> bool:
        names, where = self._name()
        if not names:
            return False
        path: Path = table
        for name in names:
            path = (*path, name)
            self.keys.setdefault(path, where)
            self.marks.setdefault(path, where)
        self._space()
        self._at += 1  # the equals sign
        self._space()
        self._value(path)
        return True

    def _value(self, path: Path) -> None:
        start = self._at
        head = self._text[start : start + 1]
        if head in ("[", "{"):
            self._at += 1
            index = 0
            while self._skip() < len(self._text) and self._text[self._at] not in "]}":
                before = self._at
                if head == "[":
                    self._value((*path, index))
                    index += 1
                elif not self._pair(path):
                    return
                self._skip()
                self._at += self._text[self._at : self._at + 1] == ","
                if self._at == before:
                    return
            self._at += 1
            return
        match = _STRING.match(self._text, start) or _PLAIN.match(self._text, start)
        if match:
            self.marks[path] = self._places.span(match.start(), match.end())
            self._at = match.end()

    def _name(self) -> tuple[list[str], Span]:
        match = _DOTTED.match(self._text, self._at)
        if match is None:
            return [], FILE
        self._at = match.end()
        parts = [part[0] for part in _PART.finditer(match[0])]
        return [_bare(part) for part in parts], self._places.span(match.start(), match.end())

    def _space(self) -> None:
        while self._text[self._at : self._at + 1] in (" ", "\t"):
            self._at += 1

    def _skip(self) -> int:
        match = _BLANK.match(self._text, self._at)
        assert match
        self._at = match.end()
        return self._at


def _bare(part: str) -> str:
    if part[0] == "'":
        return part[1:-1]
    # A quoted key has the escapes of a string.
    return next(iter(tomllib.loads(f"{part} = 0"))) if part[0] == '"' else part

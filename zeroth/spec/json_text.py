"""JSON, read as data with places."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from zeroth.spec.document import MOST_VALUES, Document, Path
from zeroth.spec.places import Places
from zeroth.spec.problems import Problem, Span

__all__ = ["read_json"]

_DEPTH = 16
_SPACE = re.compile(r"[ \t\n\r]*")


def read_json(text: str) -> Document:
    """Read a JSON text; what is wrong with it is in the document's problems."""
    if not text.strip():
        return Document(
            None, problems=[Problem("the file says nothing", 'Begin with: {"hostname": "xen1.example.com"')]
        )
    scanner = _Scanner(text)
    try:
        data = scanner.whole()
    except json.JSONDecodeError as error:
        where = Places(text).span(error.pos)
        message = error.msg.replace("Expecting", "expecting")
        hint = "Check commas, quotes and brackets just before this place."
        return Document(None, problems=[Problem(f"JSON: {message}", hint, where)])
    return Document(data, scanner.marks, scanner.keys, scanner.problems)


class _Scanner:
    """Walks objects and arrays itself, so as to know where things stand; Python's decoder reads the rest."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.marks: dict[Path, Span] = {}
        self.keys: dict[Path, Span] = {}
        self.problems: list[Problem] = []
        self._decoder = json.JSONDecoder(parse_constant=_no_constant, parse_int=_whole, parse_float=_number)
        self._places = Places(text)
        self._values = 0

    def whole(self) -> object:
        """The text's one value.

        :raises JSONDecodeError: it is not JSON.
        """
        value, end = self._value(self._skip(0), ())
        if self._skip(end) != len(self.text):
            raise json.JSONDecodeError("extra data after the end", self.text, self._skip(end))
        return value

    def _value(self, start: int, path: Path) -> tuple[Any, int]:
        self._values += 1
        if self._values > MOST_VALUES:
            raise json.JSONDecodeError("these are more values than an answer has", self.text, start)
        if len(path) >= _DEPTH:
            raise json.JSONDecodeError("this is nested too deeply", self.text, start)
        head = self.text[start : start + 1]
        if head == "{":
            return self._object(start, path)
        if head == "[":
            return self._array(start, path)
        try:
            value, end = self._decoder.raw_decode(self.text, start)
        except json.JSONDecodeError:
            raise
        except ValueError as error:
            raise json.JSONDecodeError(str(error), self.text, start) from None
        self.marks.setdefault(path, self._places.span(start, end))
        return value, end

    def _object(self, start: int, path: Path) -> tuple[dict[str, Any], int]:
        self.marks.setdefault(path, self._places.span(start, start + 1))
        found: dict[str, Any] = {}
        first: dict[str, Span] = {}
        at = self._skip(start + 1)
        if self.text[at : at + 1] == "}":
            return found, at + 1
        while True:
            if self.text[at : at + 1] != '"':
                raise json.JSONDecodeError("expecting a name in double quotes", self.text, at)
            name, end = self._decoder.raw_decode(self.text, at)
            where = self._places.span(at, end)
            at = self._expect(":", end)
            if self.text[at : at + 1] in ("{", "["):
                self.marks[*path, name] = where
            value, end = self._value(at, (*path, name))
            if name in found:
                message = f"{name} is given twice, first in line {first[name].line}"
                self.problems.append(Problem(message, "Leave out one of the two.", where, field=name))
            else:
                found[name], first[name] = value, where
                self.keys[*path, name] = where
            at = self._skip(end)
            if self.text[at : at + 1] == "}":
                return found, at + 1
            at = self._expect(",", at)

    def _array(self, start: int, path: Path) -> tuple[list[Any], int]:
        self.marks.setdefault(path, self._places.span(start, start + 1))
        found: list[Any] = []
        at = self._skip(start + 1)
        if self.text[at : at + 1] == "]":
            return found, at + 1
        while True:
            value, end = self._value(at, (*path, len(found)))
            found.append(value)
            at = self._skip(end)
            if self.text[at : at + 1] == "]":
                return found, at + 1
            at = self._expect(",", at)

    def _expect(self, char: str, at: int) -> int:
        at = self._skip(at)
        if self.text[at : at + 1] != char:
            raise json.JSONDecodeError(f"expecting {char!r}", self.text, at)
        return self._skip(at + 1)

    def _skip(self, at: int) -> int:
        match = _SPACE.match(self.text, at)
        assert match
        return match.end()


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _whole(text: str) -> int:
    if len(text) > 18:
        raise ValueError("this number is too long")
    return int(text)


def _number(text: str) -> float:
    if len(text) > 40:
        raise ValueError("this number is too long")
    return float(text)

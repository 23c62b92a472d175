"""The filter of ``get_all_records_where``: ``field "power_state"="Running" and not field "is_a_template"="true"``.

Grammar: ``or`` binds weaker than ``and``, which binds weaker than ``not``; a comparison has ``field "name"`` or a
quoted text on either side of ``=``; ``true``, ``false`` and parentheses. Fields are compared as text, sets and maps as
their JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from hostagent.store import Record
from hostagent.xenapi.errors import ApiError
from hostagent.xenapi.model import Field, Value
from hostagent.xenapi.model.types import format_datetime

__all__ = ["parse_where"]

Predicate = Callable[[Record], bool]
_Operand = Callable[[Record], str]

_TOKEN: Final = re.compile(r"""\s*(?:([()=])|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|(\w+))""")
_DEEPEST: Final = 50


def parse_where(text: str, fields: Mapping[str, Field]) -> Predicate:
    """Make a test for records out of a filter.

    :param fields: of the class.
    :raises ApiError: INVALID_VALUE ["expr", what is wrong].
    """
    parser = _Parser(text, fields)
    predicate = parser.alternatives(0)
    if parser.peek():
        raise _wrong(f"unexpected {parser.peek()!r}")
    return predicate


def _wrong(why: str) -> ApiError:
    return ApiError("INVALID_VALUE", "expr", why)


class _Parser:
    def __init__(self, text: str, fields: Mapping[str, Field]) -> None:
        self._fields = fields
        self._words: list[tuple[str, bool]] = []
        at = 0
        text = text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise _wrong(f"cannot read {text[at : at + 20]!r}")
            sign, double, single, word = match.groups()
            quoted = double if double is not None else single
            if quoted is not None:
                self._words.append((re.sub(r"\\(.)", r"\1", quoted), True))
            else:
                self._words.append((sign or word, False))
            at = match.end()

    def peek(self) -> str:
        """The next bare word or sign, "" when there is none; a quoted text counts as a quote."""
        if not self._words:
            return ""
        word, quoted = self._words[0]
        return '"' if quoted else word

    def alternatives(self, depth: int) -> Predicate:
        """One or more conjunctions, with ``or`` between."""
        if depth > _DEEPEST:
            raise _wrong("nested too deeply")
        parts = [self._conjunction(depth)]
        while self.peek() == "or":
            self._take("or")
            parts.append(self._conjunction(depth))
        return lambda record: any(part(record) for part in parts)

    def _conjunction(self, depth: int) -> Predicate:
        parts = [self._factor(depth)]
        while self.peek() == "and":
            self._take("and")
            parts.append(self._factor(depth))
        return lambda record: all(part(record) for part in parts)

    def _factor(self, depth: int) -> Predicate:
        if depth > _DEEPEST:
            raise _wrong("nested too deeply")
        match self.peek().lower():
            case "not":
                self._take()
                inner = self._factor(depth + 1)
                return lambda record: not inner(record)
            case "(":
                self._take()
                inner = self.alternatives(depth + 1)
                self._take(")")
                return inner
            case "true" | "false" as word:
                self._take()
                return lambda _: word == "true"
        left = self._operand()
        self._take("=")
        right = self._operand()
        return lambda record: left(record) == right(record)

    def _operand(self) -> _Operand:
        if self.peek() == "field":
            self._take("field")
            name = self._text()
            if name not in self._fields:
                raise _wrong(f"there is no field {name!r}")
            return lambda record: _as_text(record[name])
        text = self._text()
        return lambda _: text

    def _text(self) -> str:
        if self.peek() != '"':
            raise _wrong(f"a quoted text is missing before {self.peek()!r}")
        return self._words.pop(0)[0]

    def _take(self, expected: str = "") -> None:
        if expected and self.peek() != expected:
            raise _wrong(f"{expected!r} is missing before {self.peek()!r}")
        self._words.pop(0)


def _as_text(value: Value) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case datetime():
            return format_datetime(value)
        case int() | float():
            return str(value)
    return json.dumps(value, ensure_ascii=False)

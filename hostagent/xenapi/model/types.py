"""The types of the XenAPI, their values in Python, and how loose input becomes a value.

Values are plain: ``str`` (strings, enumeration values, references), ``int``, ``float``, ``bool``, aware UTC
``datetime``, ``list`` (sets) and ``dict`` with string keys (maps and records). A type is written as in the published
data model: ``string``, ``VM ref``, ``enum vm_power_state``, ``string set``, ``(string -> string) map``, ``VM record``.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

__all__ = [
    "EPOCH",
    "NULL",
    "BadValue",
    "EnumType",
    "MapType",
    "RecordType",
    "RefType",
    "ScalarType",
    "SetType",
    "Type",
    "Value",
    "format_datetime",
    "parse_datetime",
    "parse_type",
]

Value = Any
"""str | int | float | bool | datetime | list[Value] | dict[str, Value]; see the module's description."""

NULL = "OpaqueRef:NULL"
"""The reference to nothing."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_INT_MIN, _INT_MAX = -(1 << 63), (1 << 63) - 1
_DATETIME = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)(?:[T ](\d\d):?(\d\d)(?::?(\d\d)(?:\.\d+)?)?)?(Z|[+-]00:?00)?", re.ASCII
)
_INTEGER = re.compile(r"\s*[+-]?\d{1,20}\s*", re.ASCII)
# What XML 1.0 cannot carry, and lone surrogates, which UTF-8 cannot.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class BadValue(ValueError):
    """A value does not fit its type."""


def format_datetime(value: datetime) -> str:
    """``YYYYMMDDTHH:MM:SSZ``, the only form that every client reads."""
    return value.astimezone(UTC).strftime("%Y%m%dT%H:%M:%SZ").rjust(18, "0")


def parse_datetime(text: str) -> datetime:
    """Read a date and time in UTC, with or without dashes, colons and the final Z.

    :raises BadValue: when it is none.
    """
    match = _DATETIME.fullmatch(text.strip())
    if match is None:
        raise BadValue(f"{text!r} is not a date and time")
    try:
        return datetime(*(int(part or 0) for part in match.groups()[:6]), tzinfo=UTC)  # type: ignore[arg-type,misc]
    except ValueError as error:
        raise BadValue(f"{text!r} is not a date and time: {error}") from None


class Type(ABC):
    """One type of the data model. Its text form is ``str(type)``."""

    @property
    @abstractmethod
    def zero(self) -> Value:
        """The value of a field that nothing was written to."""

    @abstractmethod
    def coerce(self, value: Value) -> Value:
        """The value in its Python form, a copy when it is a container; tolerant as clients need it.

        :raises BadValue: when the value does not fit.
        """


@dataclass(frozen=True)
class ScalarType(Type):
    """string, int, float, bool, datetime or void."""

    name: str

    def __str__(self) -> str:
        return self.name

    @property
    def zero(self) -> Value:
        """Empty string, 0, false or the epoch."""
        return {"int": 0, "float": 0.0, "bool": False, "datetime": EPOCH}.get(self.name, "")

    def coerce(self, value: Value) -> Value:
        """Integers may come as text, floats as integers."""
        match self.name:
            case "string":
                return _string(value)
            case "int":
                return _integer(value)
            case "float":
                return _float(value)
            case "bool":
                return _boolean(value)
            case "datetime":
                if isinstance(value, datetime):
                    return value if value.tzinfo else value.replace(tzinfo=UTC)
                return parse_datetime(_string(value))
        if value in ("", None):
            return ""
        raise BadValue("a value where none is expected")


@dataclass(frozen=True)
class RefType(Type):
    """A reference to an object of a class."""

    cls: str

    def __str__(self) -> str:
        return f"{self.cls} ref"

    @property
    def zero(self) -> Value:
        """The null reference."""
        return NULL

    def coerce(self, value: Value) -> Value:
        """An empty string counts as null, as clients treat it."""
        return _string(value) or NULL


@dataclass(frozen=True)
class EnumType(Type):
    """One of some words."""

    name: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"enum {self.name}"

    @property
    def zero(self) -> Value:
        """The first word."""
        return self.values[0]

    def coerce(self, value: Value) -> Value:
        """Exactly one of the words, case included."""
        if value not in self.values:
            raise BadValue(f"{value!r} is not one of {', '.join(self.values)}")
        return value


@dataclass(frozen=True)
class SetType(Type):
    """Values of one type; order and duplicates are kept as given."""

    item: Type

    def __str__(self) -> str:
        return f"{self.item} set"

    @property
    def zero(self) -> Value:
        """An empty list."""
        return []

    def coerce(self, value: Value) -> Value:
        """A list of coerced items."""
        if not isinstance(value, list | tuple):
            raise BadValue("not an array")
        return [self.item.coerce(item) for item in value]


@dataclass(frozen=True)
class MapType(Type):
    """A map; its keys are strings in Python and on the wire, whatever their type."""

    key: Type
    value: Type

    def __str__(self) -> str:
        return f"({self.key} -> {self.value}) map"

    @property
    def zero(self) -> Value:
        """An empty dictionary."""
        return {}

    def coerce(self, value: Value) -> Value:
        """Keys are checked against their type and kept as text."""
        if not isinstance(value, Mapping):
            raise BadValue("not a struct")
        return {str(self.key.coerce(key)): self.value.coerce(item) for key, item in value.items()}


@dataclass(frozen=True)
class RecordType(Type):
    """A whole record of a class. Its fields are checked by whoever knows the class."""

    cls: str

    def __str__(self) -> str:
        return f"{self.cls} record"

    @property
    def zero(self) -> Value:
        """An empty dictionary."""
        return {}

    def coerce(self, value: Value) -> Value:
        """Any struct."""
        if not isinstance(value, Mapping):
            raise BadValue("not a struct")
        return dict(value)


def parse_type(text: str, enums: Mapping[str, tuple[str, ...]]) -> Type:
    """Read the text form of a type.

    :param enums: the words of each enumeration.
    :raises ValueError: when it is no type.
    """
    text = text.strip()
    if text.endswith(" set"):
        return SetType(parse_type(text[:-4], enums))
    if text.endswith(" map") and text.startswith("("):
        key, value = _split_arrow(text[1:-4].rstrip().removesuffix(")"))
        return MapType(parse_type(key, enums), parse_type(value, enums))
    if text.startswith("enum "):
        return EnumType(text[5:], enums[text[5:]])
    if text.endswith(" ref"):
        return RefType(text[:-4])
    if text.endswith(" record"):
        return RecordType(text[:-7])
    if text in ("string", "int", "float", "bool", "datetime", "void"):
        return ScalarType(text)
    raise ValueError(f"{text!r} is no type")


def _split_arrow(text: str) -> tuple[str, str]:
    depth = 0
    for index, letter in enumerate(text):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth == 0 and text.startswith("->", index):
            return text[:index], text[index + 2 :]
    raise ValueError(f"{text!r} has no arrow")


def _string(value: Value) -> str:
    # XML-RPC clients may send a number or date where a string is meant; `True` as a string is a mistake.
    if isinstance(value, datetime):
        return format_datetime(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise BadValue("not a string")
    if _UNPRINTABLE.search(value):
        raise BadValue("a string with control characters")
    return value


def _integer(value: Value) -> int:
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadValue(f"{value!r} is not an integer")
    if not _INT_MIN <= value <= _INT_MAX:
        raise BadValue("an integer of more than 64 bits")
    return value


def _float(value: Value) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise BadValue("not a number")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise BadValue("not a number") from None
    if not math.isfinite(number):
        raise BadValue("not a finite number")
    return number


def _boolean(value: Value) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise BadValue("not a boolean")

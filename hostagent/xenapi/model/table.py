"""The compact tables in which classes are declared, and what they are read into.

A field is a line ``RO|RW|INI name type [= default]``: read-only, read-write, or read-only but given to the
constructor. A message is a line ``name(parameter: type, optional?: type) [-> type]``; in front of it may stand
``removed`` (answers MESSAGE_REMOVED), ``open`` (takes no session) or ``quiet`` (has no Async form).
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from hostagent.xenapi.model.types import (
    EnumType,
    MapType,
    RecordType,
    RefType,
    ScalarType,
    SetType,
    Type,
    Value,
    parse_type,
)

__all__ = ["ClassTable", "Field", "Message", "Param", "Qualifier", "declare", "implicit_messages"]

_FIELD = re.compile(r"(RO|RW|INI)\s+(\w+)\s+(.*?)(?:\s+=\s+(.+))?")
_MESSAGE = re.compile(r"((?:removed |open |quiet )*)(\w+)\((.*?)\)(?:\s+->\s+([^:]+))?")
_PARAM = re.compile(r"\s*(\w+)(\?)?: (.*)")
_VOID = ScalarType("void")
_STRING = ScalarType("string")


class Qualifier(StrEnum):
    """Who may write a field."""

    RO = "RO"
    RW = "RW"
    INI = "INI"


@dataclass(frozen=True)
class Field:
    """A field of a class.

    :ivar declared: whether the default is part of the data model (else it is the type's zero).
    """

    name: str
    type: Type
    qualifier: Qualifier
    default: Value
    declared: bool

    def fresh_default(self) -> Value:
        """The default, safe to change (containers in defaults hold nothing that could be)."""
        return copy.copy(self.default) if isinstance(self.default, list | dict) else self.default


@dataclass(frozen=True)
class Param:
    """A parameter of a message, without the session."""

    name: str
    type: Type
    optional: bool = False


@dataclass(frozen=True)
class Message:
    """A message of a class.

    :ivar name: on the wire, ``VM.start``.
    :ivar session: whether its first parameter on the wire is a session.
    :ivar has_async: whether ``Async.VM.start`` exists.
    """

    name: str
    params: tuple[Param, ...]
    result: Type
    session: bool = True
    has_async: bool = True
    removed: bool = False


@dataclass(frozen=True)
class ClassTable:
    """A class of the data model.

    :ivar volatile: objects live in memory only.
    :ivar events: changes are seen through ``event.from``.
    :ivar listed: ``get_all`` and ``get_all_records`` exist.
    :ivar named: ``get_by_name_label`` exists, if there is such a field.
    :ivar explicit: declared messages, by their name without the class.
    """

    name: str
    fields: Mapping[str, Field]
    explicit: Mapping[str, Message]
    enums: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    volatile: bool = False
    events: bool = True
    listed: bool = True
    named: bool = True

    @property
    def stored(self) -> bool:
        """Whether there are objects of it at all: all but ``event``."""
        return "uuid" in self.fields


def declare(
    name: str,
    *,
    fields: str,
    messages: str = "",
    enums: Mapping[str, str] | None = None,
    volatile: bool = False,
    events: bool = True,
    listed: bool = True,
    named: bool = True,
) -> ClassTable:
    """Read a class from its table.

    :raises ValueError: when the table is wrong, with the line.
    """
    words = {enum: tuple(values.split()) for enum, values in (enums or {}).items()}
    found = [_field(line, words) for line in _lines(fields)]
    explicit = [_message(name, line, words) for line in _lines(messages)]
    return ClassTable(
        name,
        MappingProxyType({one.name: one for one in found}),
        MappingProxyType({one.name.split(".")[1]: one for one in explicit}),
        MappingProxyType(words),
        volatile,
        events,
        listed,
        named and any(one.name == "name_label" for one in found),
    )


def _lines(text: str) -> Sequence[str]:
    return [re.sub(r"\s+", " ", line).strip() for line in text.splitlines() if line.strip()]


def _field(line: str, enums: Mapping[str, tuple[str, ...]]) -> Field:
    match = _FIELD.fullmatch(line)
    if match is None:
        raise ValueError(f"not a field: {line!r}")
    kind = parse_type(match[3], enums)
    if match[4] is None:
        return Field(match[2], kind, Qualifier(match[1]), kind.zero, declared=False)
    raw: Value = match[4]
    if not isinstance(kind, EnumType | RefType) and kind != ScalarType("datetime"):
        raw = json.loads(raw)
    return Field(match[2], kind, Qualifier(match[1]), kind.coerce(raw), declared=True)


def _message(cls: str, line: str, enums: Mapping[str, tuple[str, ...]]) -> Message:
    match = _MESSAGE.fullmatch(line)
    if match is None:
        raise ValueError(f"not a message: {line!r}")
    flags = match[1].split()
    params = []
    for text in filter(None, match[3].split(", ")):
        part = _PARAM.fullmatch(text)
        if part is None:
            raise ValueError(f"not a parameter: {text!r} in {line!r}")
        params.append(Param(part[1], parse_type(part[3], enums), bool(part[2])))
    return Message(
        f"{cls}.{match[2]}",
        tuple(params),
        parse_type(match[4], enums) if match[4] else _VOID,
        session="open" not in flags,
        has_async="quiet" not in flags,
        removed="removed" in flags,
    )


def implicit_messages(table: ClassTable) -> dict[str, Message]:
    """The messages that follow from the fields of a class, by their name without the class."""
    if not table.stored:
        return {}
    ref, record, own = RefType(table.name), RecordType(table.name), Param("self", RefType(table.name))
    found: dict[str, Message] = {}

    def add(name: str, params: tuple[Param, ...], result: Type) -> None:
        found[name] = Message(f"{table.name}.{name}", params, result, has_async=False)

    if table.listed:
        add("get_all", (), SetType(ref))
        add("get_all_records", (), MapType(ref, record))
        add("get_all_records_where", (Param("expr", _STRING),), MapType(ref, record))
    add("get_record", (own,), record)
    add("get_by_uuid", (Param("uuid", _STRING),), ref)
    if table.named:
        add("get_by_name_label", (Param("label", _STRING),), SetType(ref))
    for one in table.fields.values():
        add(f"get_{one.name}", (own,), one.type)
        if one.qualifier is not Qualifier.RW:
            continue
        add(f"set_{one.name}", (own, Param("value", one.type)), _VOID)
        if isinstance(one.type, MapType):
            key = Param("key", one.type.key)
            add(f"add_to_{one.name}", (own, key, Param("value", one.type.value)), _VOID)
            add(f"remove_from_{one.name}", (own, key), _VOID)
        elif isinstance(one.type, SetType):
            add(f"add_{one.name}", (own, Param("value", one.type.item)), _VOID)
            add(f"remove_{one.name}", (own, Param("value", one.type.item)), _VOID)
    return found

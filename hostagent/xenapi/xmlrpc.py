"""XML-RPC as XenAPI clients expect it.

What is written is compact (some parsers fail on white space between elements): strings and integers are untyped
values, and there is never a nil. What is read may be looser. Entities and document types are refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from hostagent.xenapi.model.types import BadValue, Value, format_datetime, parse_datetime

__all__ = ["I4", "Malformed", "decode_call", "encode_bare", "encode_failure", "encode_success", "encode_value"]

_MAX_DEPTH: Final = 64
"""Elements inside one another; a map of sets in a record needs a dozen."""

# The four characters that are escaped, and those that XML cannot carry, which are dropped.
_ESCAPES: Final[dict[int, str | None]] = {
    **dict.fromkeys([*range(0x20), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF]),
    **{ord(letter): letter for letter in "\t\n\r"},
    ord("&"): "&amp;",
    ord("<"): "&lt;",
    ord(">"): "&gt;",
    ord('"'): "&quot;",
}
_PROLOG: Final = '<?xml version="1.0"?>'


class Malformed(ValueError):
    """A request body that is no call."""


class I4(int):
    """An integer that is written as ``<i4>``; only the reference counts of ``event.from`` are."""


def encode_value(value: Value) -> str:
    """``<value>...</value>``, also the form in which a task keeps its result. None is written as an empty string."""
    parts: list[str] = []
    _write(value, parts.append)
    return "".join(parts)


def encode_success(value: Value) -> bytes:
    """The answer to a call that worked."""
    return encode_bare({"Status": "Success", "Value": value})


def encode_failure(description: list[str]) -> bytes:
    """The answer to a call that failed with a XenAPI error."""
    return encode_bare({"Status": "Failure", "ErrorDescription": description})


def encode_bare(value: Value) -> bytes:
    """A response that is not wrapped in a status."""
    body = encode_value(value)
    return f"{_PROLOG}<methodResponse><params><param>{body}</param></params></methodResponse>".encode()


def decode_call(body: bytes) -> tuple[str, list[Value]]:
    """Method and parameters of a request.

    :raises Malformed: when it is not XML, or not a call, or carries what no call needs (entities, deep nesting).
    """
    root = _parse(body)
    if root.tag != "methodCall":
        raise Malformed("not a methodCall")
    method = root.findtext("methodName")
    if not method:
        raise Malformed("no methodName")
    params = root.find("params")
    if params is None:
        return method.strip(), []
    return method.strip(), [_read(_only(param, "value")) for param in params.iterfind("param")]


class _Builder(TreeBuilder):
    """Builds the tree, unless it gets too deep."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0

    def start(self, tag: str, attrs: dict[Any, Any], /) -> Element:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise Malformed("nested too deeply")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        return super().end(tag)


def _parse(body: bytes) -> Element:
    parser = DefusedXMLParser(target=_Builder(), forbid_dtd=True)
    try:
        parser.feed(body)
        root = parser.close()
    except (ParseError, DefusedXmlException, LookupError, ValueError, AssertionError) as error:
        # LookupError and ValueError: encodings that Python does not know or cannot use here.
        raise Malformed(f"not XML that can be read: {error}") from None
    if not isinstance(root, Element):
        raise Malformed("empty")
    return root


def _only(element: Element, tag: str) -> Element:
    found = element.find(tag)
    if found is None:
        raise Malformed(f"no {tag} in {element.tag}")
    return found


def _read(value: Element) -> Value:
    if len(value) == 0:
        return value.text or ""
    kind = value[0]
    reader = _READERS.get(kind.tag)
    if reader is None or len(value) > 1:
        raise Malformed(f"unknown type {kind.tag!r}")
    try:
        return reader(kind)
    except (BadValue, ValueError) as error:
        raise Malformed(f"not {kind.tag}: {error}") from None


def _read_boolean(element: Element) -> bool:
    text = (element.text or "").strip()
    if text not in ("0", "1", "true", "false"):
        raise Malformed(f"{text!r} is not a boolean")
    return text in ("1", "true")


def _read_array(element: Element) -> list[Value]:
    return [_read(item) for item in _only(element, "data").iterfind("value")]


def _read_struct(element: Element) -> dict[str, Value]:
    return {_only(m, "name").text or "": _read(_only(m, "value")) for m in element.iterfind("member")}


_READERS: Final[Mapping[str, Callable[[Element], Value]]] = {
    "string": lambda element: element.text or "",
    "int": lambda element: int((element.text or "").strip()),
    "i4": lambda element: int((element.text or "").strip()),
    "i8": lambda element: int((element.text or "").strip()),
    "double": lambda element: float((element.text or "").strip()),
    "boolean": _read_boolean,
    "dateTime.iso8601": lambda element: parse_datetime(element.text or ""),
    "nil": lambda _: None,
    "array": _read_array,
    "struct": _read_struct,
}


def _write(value: Value, out: Callable[[str], None]) -> None:
    match value:
        case None:
            out("<value></value>")
        case str():
            out(f"<value>{value.translate(_ESCAPES)}</value>")
        case bool():
            out(f"<value><boolean>{value:d}</boolean></value>")
        case I4():
            out(f"<value><i4>{value:d}</i4></value>")
        case int():
            out(f"<value>{value:d}</value>")
        case float():
            number = value if math.isfinite(value) else 0.0
            out(f"<value><double>{number:.16g}</double></value>")
        case datetime():
            out(f"<value><dateTime.iso8601>{format_datetime(value)}</dateTime.iso8601></value>")
        case Mapping():
            out("<value><struct>")
            for name, item in value.items():
                out(f"<member><name>{name.translate(_ESCAPES)}</name>")
                _write(item, out)
                out("</member>")
            out("</struct></value>")
        case list() | tuple():
            out("<value><array><data>")
            for item in value:
                _write(item, out)
            out("</data></array></value>")
        case _:
            raise TypeError(f"{type(value).__name__} has no form in XML-RPC")

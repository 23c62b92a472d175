"""JSON-RPC 1.0 and 2.0 as XenAPI clients expect them: positional parameters, no batches, API errors under HTTP 200."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from hostagent.xenapi.model.types import Value, format_datetime
from hostagent.xenapi.xmlrpc import Malformed

__all__ = ["JsonCall", "decode_call", "encode_error", "encode_result"]


@dataclass(frozen=True)
class JsonCall:
    """A request.

    :ivar version: 1 or 2.
    :ivar id: what the answer must carry.
    """

    method: str
    params: list[Value]
    version: int
    id: str | int | float


def decode_call(body: bytes) -> JsonCall:
    """Read a request.

    :raises Malformed: when it is not JSON, or not one call with an id and positional parameters.
    """
    try:
        text = body.decode()
        call = json.loads(text, parse_constant=_refuse_constant)
        # An escape of half a surrogate pair is text that no answer could repeat.
        json.dumps(call, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Malformed(f"not JSON that can be read: {error}") from None
    if not isinstance(call, dict):
        raise Malformed("not a JSON-RPC call (batches are not supported)")
    method, params, version = call.get("method"), call.get("params", []), call.get("jsonrpc", "1.0")
    if not isinstance(method, str) or not isinstance(params, list) or version not in ("1.0", "2.0"):
        raise Malformed("not a JSON-RPC call with a method and positional parameters")
    ident = call.get("id")
    if not isinstance(ident, str | int | float) or isinstance(ident, bool):
        raise Malformed("a JSON-RPC call needs an id, a number or a string")
    return JsonCall(method, params, 2 if version == "2.0" else 1, ident)


def encode_result(call: JsonCall, value: Value) -> bytes:
    """The answer to a call that worked. None is written as an empty string."""
    if call.version == 2:
        return _dump({"jsonrpc": "2.0", "result": _void(value), "id": call.id})
    return _dump({"result": _void(value), "error": None, "id": call.id})


def encode_error(call: JsonCall, description: list[str]) -> bytes:
    """The answer to a call that failed with a XenAPI error."""
    if call.version == 2:
        # The code is always 1: some clients take 0 for success.
        error = {"code": 1, "message": description[0], "data": description[1:]}
        return _dump({"jsonrpc": "2.0", "error": error, "id": call.id})
    return _dump({"result": None, "error": description, "id": call.id})


def _void(value: Value) -> Value:
    return "" if value is None else value


def _dump(answer: dict[str, Value]) -> bytes:
    try:
        text = json.dumps(answer, default=_encode, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(answer), default=_encode, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def _encode(value: object) -> Value:
    if isinstance(value, datetime):
        return format_datetime(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _finite(value: Value) -> Value:
    """The value with 0 for what JSON has no number for."""
    match value:
        case float():
            return value if math.isfinite(value) else 0.0
        case Mapping():
            return {name: _finite(item) for name, item in value.items()}
        case list() | tuple():
            return [_finite(item) for item in value]
    return value


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")

"""Encoders and decoders: what goes in comes out, and nothing makes them fall over."""

from __future__ import annotations

import json
import re
import xmlrpc.client
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hostagent.xenapi import jsonrpc
from hostagent.xenapi import xmlrpc as codec
from hostagent.xenapi.errors import ApiError
from hostagent.xenapi.model import CLASSES, Value
from hostagent.xenapi.model.types import (
    BadValue,
    MapType,
    RefType,
    ScalarType,
    SetType,
    Type,
    format_datetime,
    parse_datetime,
    parse_type,
)
from hostagent.xenapi.where import parse_where

# What XML carries: no control characters but tab and newline (a carriage return is read back as a newline).
TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="\ufffe\uffff", exclude_categories=("Cc", "Cs"))
) | st.just("a\tb\n")
TIMES = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)).map(
    lambda time: time.replace(microsecond=0)
)
LEAVES = TEXT | st.booleans() | st.floats(-1e300, 1e300) | TIMES
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20)


def call(method: str, *values: Value) -> bytes:
    params = "".join(f"<param>{codec.encode_value(value)}</param>" for value in values)
    return f"<methodCall><methodName>{method}</methodName><params>{params}</params></methodCall>".encode()


def close(one: Value, other: Value) -> bool:
    """Equal, but for the 16 digits of a double."""
    match one:
        case bool() | str() | datetime():
            return bool(one == other)
        case float():
            return bool(one == pytest.approx(other, rel=1e-14))
        case list():
            return len(one) == len(other) and all(close(*pair) for pair in zip(one, other, strict=True))
        case dict():
            return list(one) == list(other) and all(close(one[key], other[key]) for key in one)
    return False


@pytest.mark.thorough
@settings(max_examples=50)
@given(st.lists(VALUES, max_size=3))
def test_xml_round_trip(values: list[Value]) -> None:
    method, read = codec.decode_call(call("a.b", *values))
    assert method == "a.b"
    assert close(values, read)


@given(VALUES)
def test_xml_is_read_by_the_standard_library(value: Value) -> None:
    answer = codec.encode_success(value)
    ((read,), _) = xmlrpc.client.loads(answer.decode())
    assert read["Status"] == "Success"  # type: ignore[call-overload,index]


PLAIN = st.recursive(
    st.sampled_from(["x", True, 1.5, 3]), lambda inner: st.lists(inner) | st.dictionaries(st.just("k"), inner)
)


@given(PLAIN)
def test_xml_has_no_white_space_of_its_own(value: Value) -> None:
    assert not re.search(r"\s", codec.encode_value(value))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_call_or_malformed(body: bytes) -> None:
    for decode in (codec.decode_call, jsonrpc.decode_call):
        try:
            decode(body)
        except codec.Malformed:
            continue


FRAGMENTS = st.sampled_from(
    ["<methodCall>", "</methodCall>", "<methodName>a</methodName>", "<params>", "</params>", "<param>", "</param>",
     "<value>", "</value>", "<struct>", "</struct>", "<member>", "</member>", "<name>n</name>", "<array>", "</array>",
     "<data>", "</data>", "<int>1</int>", "<boolean>2</boolean>", "<double>x</double>", "<nil/>", "text", " ",
     "<dateTime.iso8601>20260230T00:00:00Z</dateTime.iso8601>", "<base64>AA==</base64>", "<!-- c -->", "<?pi?>"]
)  # fmt: skip


@given(st.lists(FRAGMENTS, max_size=25))
def test_any_elements_are_a_call_or_malformed(parts: list[str]) -> None:
    for body in (
        "".join(parts),
        f"<methodCall><methodName>a</methodName><params>{''.join(parts)}</params></methodCall>",
    ):
        try:
            codec.decode_call(body.encode())
        except codec.Malformed:
            continue


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda i: st.lists(i) | st.dictionaries(st.text(), i),
)


@given(JSON)
def test_any_json_is_a_call_or_malformed(value: object) -> None:
    for body in (json.dumps(value), json.dumps({"method": "a", "params": [value], "id": 1})):
        try:
            jsonrpc.decode_call(body.encode())
        except codec.Malformed:
            continue


@given(VALUES | st.floats() | st.integers())
def test_json_answers_are_json(value: Value) -> None:
    for version in (1, 2):
        answer = jsonrpc.encode_result(jsonrpc.JsonCall("m", [], version, 5), value)
        read = json.loads(answer, parse_constant=pytest.fail)
        assert read["id"] == 5
        assert "result" in read


def test_json_keeps_wide_integers() -> None:
    answer = jsonrpc.encode_result(jsonrpc.JsonCall("m", [], 2, "x"), [(1 << 63) - 1, float("nan"), None])
    assert answer == b'{"jsonrpc":"2.0","result":[9223372036854775807,0.0,null],"id":"x"}'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "<value></value>"),
        ("", "<value></value>"),
        (7, "<value>7</value>"),
        (True, "<value><boolean>1</boolean></value>"),
        (0.1, "<value><double>0.1</double></value>"),
        (1 / 3, "<value><double>0.3333333333333333</double></value>"),
        (1e300, "<value><double>1e+300</double></value>"),
        (float("inf"), "<value><double>0</double></value>"),
        (codec.I4(3), "<value><i4>3</i4></value>"),
        ("a\x00\x1b<b>\ud800", "<value>a&lt;b&gt;</value>"),
        (datetime(33, 1, 2, 3, tzinfo=UTC), "<value><dateTime.iso8601>00330102T03:00:00Z</dateTime.iso8601></value>"),
        ([], "<value><array><data></data></array></value>"),
        ({}, "<value><struct></struct></value>"),
    ],
)  # fmt: skip
def test_xml_forms(value: Value, text: str) -> None:
    assert codec.encode_value(value) == text


def test_nil_is_read_as_none() -> None:
    body = b"<methodCall><methodName>a</methodName><params><param><value><nil/></value></param></params></methodCall>"
    assert codec.decode_call(body) == ("a", [None])


@given(TIMES)
def test_times_round_trip(time: datetime) -> None:
    assert parse_datetime(format_datetime(time)) == time


@pytest.mark.parametrize(
    "text",
    ["19700101T00:00:00Z", "1970-01-01T00:00:00Z", "19700101T00:00:00", "1970-01-01 00:00:00.5+00:00", "19700101"],
)
def test_times_come_in_many_forms(text: str) -> None:
    assert format_datetime(parse_datetime(text)) == "19700101T00:00:00Z"


@pytest.mark.parametrize("text", ["", "now", "20260230T00:00:00Z", "20260101T25:00:00Z", "2026", "00000101T00:00:00Z"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(BadValue):
        parse_datetime(text)


def _all_types() -> list[Type]:
    found = {field.type for table in CLASSES.values() for field in table.fields.values()}
    return sorted(found, key=str)


@pytest.mark.parametrize("kind", _all_types(), ids=str)
def test_types_read_and_write_themselves(kind: Type) -> None:
    enums = {name: words for table in CLASSES.values() for name, words in table.enums.items()}
    assert str(parse_type(str(kind), enums)) == str(kind)
    assert kind.coerce(kind.zero) == kind.zero


@given(st.sampled_from(_all_types()), JSON)
def test_any_value_fits_or_is_refused(kind: Type, value: Value) -> None:
    try:
        typed = kind.coerce(value)
    except BadValue:
        return
    assert kind.coerce(typed) == typed
    codec.encode_value(typed)


@pytest.mark.parametrize(
    ("kind", "loose", "strict"),
    [
        (ScalarType("int"), "42", 42),
        (ScalarType("int"), 42.0, 42),
        (ScalarType("float"), 1, 1.0),
        (ScalarType("float"), "60.1", 60.1),
        (ScalarType("string"), 5, "5"),
        (ScalarType("bool"), "true", True),
        (ScalarType("datetime"), "20260102T00:00:00Z", datetime(2026, 1, 2, tzinfo=UTC)),
        (RefType("VM"), "", "OpaqueRef:NULL"),
        (SetType(ScalarType("int")), ("1", 2), [1, 2]),
        (MapType(ScalarType("int"), ScalarType("float")), {"0": 1}, {"0": 1.0}),
    ],
)
def test_loose_input(kind: Type, loose: Value, strict: Value) -> None:
    assert kind.coerce(loose) == strict


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (ScalarType("int"), "4.2"),
        (ScalarType("int"), True),
        (ScalarType("int"), 1 << 63),
        (ScalarType("int"), None),
        (ScalarType("float"), "nan"),
        (ScalarType("float"), float("inf")),
        (ScalarType("bool"), 1),
        (ScalarType("string"), True),
        (ScalarType("string"), "a\x00"),
        (ScalarType("string"), None),
        (SetType(ScalarType("int")), "12"),
        (MapType(ScalarType("int"), ScalarType("int")), {"x": 1}),
    ],
)
def test_what_does_not_fit(kind: Type, value: Value) -> None:
    with pytest.raises(BadValue):
        kind.coerce(value)


WORDS = st.sampled_from(
    ["field", '"name_label"', "'x'", '"\\""', "=", "and", "or", "not", "(", ")", "true", "false", "?", '"']
)


@given(st.lists(WORDS, max_size=12).map(" ".join))
def test_any_filter_works_or_is_refused(text: str) -> None:
    try:
        matches = parse_where(text, CLASSES["VM"].fields)
    except ApiError:
        return
    assert matches({"name_label": "x"}) in (True, False)


def test_a_deep_filter_is_refused() -> None:
    for word in ("(", "not "):
        with pytest.raises(ApiError):
            parse_where(word * 100_000 + "true", {})


def test_filters() -> None:
    record = {field.name: field.fresh_default() for field in CLASSES["VM"].fields.values()} | {"name_label": 'a"b'}
    for text, wanted in {
        'field "name_label" = "a\\"b"': True,
        '"a\\"b" = field "name_label"': True,
        'field "is_a_template"="false" and field "memory_target"="0"': True,
        'not field "power_state"="Halted" or false': False,
        'not (field "power_state"="Halted" and true)': False,
        "true or false and false": True,
        "(true or false) and false": False,
        'field "tags"="[]"': True,
        'field "snapshot_time"="19700101T00:00:00Z"': True,
    }.items():
        assert parse_where(text, CLASSES["VM"].fields)(record) is wanted, text

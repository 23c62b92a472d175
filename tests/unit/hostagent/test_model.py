"""The declared data model against the published one, where that is at hand."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from hostagent.xenapi.dispatch import routes
from hostagent.xenapi.model import CLASSES, RELATIONS, ClassTable, Qualifier, implicit_messages
from hostagent.xenapi.model.table import declare
from hostagent.xenapi.model.types import EPOCH, NULL, EnumType, MapType, RefType, SetType, Type

SHARED = Path(os.environ.get("ZEROTH_XENAPI_JSON", Path(__file__).parents[4] / "shared" / "data" / "xenapi.json"))
QUALIFIERS = {"RO/runtime": Qualifier.RO, "RO/constructor": Qualifier.INI, "RW": Qualifier.RW}
# Types that the published model writes in words of its own.
OTHER_WORDS = {"<class> record": "VM record", "an event batch": "event record set"}

Published = dict[str, Any]


@pytest.fixture(scope="module")
def published() -> dict[str, Published]:
    if not SHARED.exists():
        pytest.skip(f"the published data model is not at {SHARED}")
    return {cls["name"]: cls for cls in json.loads(SHARED.read_text())}


def default(kind: Type, text: str) -> object:
    """The published text form of a default as a value."""
    match kind:
        case RefType():
            return NULL
        case EnumType():
            return text
        case SetType():
            items = text.strip("{}")
            return [kind.item.coerce(item.strip()) for item in items.split(",")] if items else []
        case MapType():
            return json.loads(text.replace(" ->", ":"))
    if str(kind) == "datetime":
        assert text == "19700101T00:00:00Z"
        return EPOCH
    return kind.coerce(json.loads(text.rstrip(".")))


@pytest.mark.parametrize("table", CLASSES.values(), ids=list(CLASSES))
def test_every_field_is_as_published(table: ClassTable, published: dict[str, Published]) -> None:
    fields = {field["name"]: field for field in published[table.name]["fields"]}
    assert list(table.fields) == list(fields)
    for name, field in table.fields.items():
        wanted = fields[name]
        assert str(field.type) == OTHER_WORDS.get(wanted["type"], wanted["type"]), name
        assert field.qualifier is QUALIFIERS[wanted["qualifier"]], name
        assert field.declared == ("default" in wanted), name
        if field.declared:
            assert field.default == default(field.type, wanted["default"]), name


@pytest.mark.parametrize("table", CLASSES.values(), ids=list(CLASSES))
def test_every_enumeration_is_as_published(table: ClassTable, published: dict[str, Published]) -> None:
    wanted = {
        enum["name"]: tuple(value["name"] for value in enum["values"]) for enum in published[table.name]["enums"]
    }
    assert dict(table.enums) == wanted


@pytest.mark.parametrize("table", CLASSES.values(), ids=list(CLASSES))
def test_every_message_is_as_published(table: ClassTable, published: dict[str, Published]) -> None:
    ours = {**implicit_messages(table), **table.explicit}
    # Hidden: it is never published.
    ours.pop("get_all_records_where", None)
    theirs = {message["name"]: message for message in published[table.name]["messages"]}
    assert set(ours) == set(theirs)
    for name, message in ours.items():
        wanted = theirs[name]
        session = [("session ref", "session_id", True)] if message.session else []
        params = [(str(param.type), param.name, not param.optional) for param in message.params]
        assert [*session, *params] == [(p["type"], p["name"], p["required"]) for p in wanted["params"]] or (
            # Implicit parameters have names of ours: clients give them by position.
            name not in table.explicit
            and [kind for kind, _, _ in [*session, *params]] == [p["type"] for p in wanted["params"]]
        ), name
        assert str(message.result) == OTHER_WORDS.get(wanted["result"][0], wanted["result"][0]), name
        # What would read a removed field still reads it here: it is in the records all the same.
        removed = wanted["lifecycle"]["state"] == "Removed_s" and name in table.explicit
        assert message.removed == removed, name


def test_relations_join_what_exists() -> None:
    for relation in RELATIONS:
        assert CLASSES[relation.child].fields[relation.ref].type == RefType(relation.parent), relation
        assert CLASSES[relation.parent].fields[relation.set].type == SetType(RefType(relation.child)), relation


def test_each_message_has_a_route() -> None:
    found = routes([])
    assert found["VM.get_record"].handler is not None
    assert found["VM.set_name_label"].handler is not None
    assert found["pool.enable_ha"].handler is None
    assert "VM.set_power_state" not in found
    assert "VM.get_all" in found
    assert "session.get_all" not in found


@pytest.mark.parametrize(
    ("fields", "messages"),
    [
        ("RO uuid", ""),
        ("XX uuid string", ""),
        ("RO uuid strung", ""),
        ("RO uuid string = nonsense", ""),
        ("RO state enum unknown", ""),
        ("RO uuid string", "start vm"),
        ("RO uuid string", "start(vm)"),
        ("RO uuid string", "start(vm: nothing)"),
    ],
)
def test_a_wrong_table_is_found_at_once(fields: str, messages: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        declare("thing", fields=fields, messages=messages)

"""Handlers of the implicit messages: listing, reading and writing fields, for any class."""

from __future__ import annotations

from collections.abc import Mapping

from hostagent.xenapi.context import Context
from hostagent.xenapi.errors import ApiError
from hostagent.xenapi.model import ClassTable, Field, Qualifier, Value
from hostagent.xenapi.model.types import MapType, SetType
from hostagent.xenapi.registry import Handler
from hostagent.xenapi.where import parse_where

__all__ = ["add_to_map", "generic_handlers", "remove_from_map"]


def generic_handlers(table: ClassTable) -> Mapping[str, Handler]:
    """A handler for each implicit message of a class, by the message's name without the class."""
    if not table.stored:
        return {}
    found = _object_handlers(table)
    for field in table.fields.values():
        found[f"get_{field.name}"] = _getter(table.name, field.name)
        if field.qualifier is Qualifier.RW:
            found[f"set_{field.name}"] = _setter(table.name, field.name)
            if isinstance(field.type, MapType):
                found |= _map_handlers(table.name, field)
            elif isinstance(field.type, SetType):
                found |= _set_handlers(table.name, field)
    return found


def _object_handlers(table: ClassTable) -> dict[str, Handler]:
    cls = table.name

    async def get_all(ctx: Context) -> Value:
        return list(ctx.store.all(cls))

    async def get_all_records(ctx: Context) -> Value:
        return ctx.store.all(cls)

    async def get_all_records_where(ctx: Context, expr: str) -> Value:
        matches = parse_where(expr, table.fields)
        return {ref: record for ref, record in ctx.store.all(cls).items() if matches(record)}

    async def get_record(ctx: Context, ref: str) -> Value:
        return ctx.store.get(cls, ref)

    async def get_by_uuid(ctx: Context, uuid: str) -> Value:
        ref = ctx.store.by_uuid(cls, uuid)
        if ref is None:
            raise ApiError("UUID_INVALID", cls, uuid)
        return ref

    async def get_by_name_label(ctx: Context, label: str) -> Value:
        return [ref for ref, record in ctx.store.all(cls).items() if record["name_label"] == label]

    found: dict[str, Handler] = {"get_record": get_record, "get_by_uuid": get_by_uuid}
    if table.listed:
        found |= {
            "get_all": get_all,
            "get_all_records": get_all_records,
            "get_all_records_where": get_all_records_where,
        }
    if table.named:
        found["get_by_name_label"] = get_by_name_label
    return found


def _getter(cls: str, name: str) -> Handler:
    async def get(ctx: Context, ref: str) -> Value:
        return ctx.store.get(cls, ref)[name]

    return get


def _setter(cls: str, name: str) -> Handler:
    async def set_field(ctx: Context, ref: str, value: Value) -> None:
        _write(ctx, cls, ref, name, value)

    return set_field


def _map_handlers(cls: str, field: Field) -> dict[str, Handler]:
    async def add_to(ctx: Context, ref: str, key: Value, value: Value) -> None:
        add_to_map(ctx, cls, ref, field.name, str(key), value)

    async def remove_from(ctx: Context, ref: str, key: Value) -> None:
        remove_from_map(ctx, cls, ref, field.name, str(key))

    return {f"add_to_{field.name}": add_to, f"remove_from_{field.name}": remove_from}


def _set_handlers(cls: str, field: Field) -> dict[str, Handler]:
    async def add(ctx: Context, ref: str, value: Value) -> None:
        present = ctx.store.get(cls, ref)[field.name]
        if value not in present:
            _write(ctx, cls, ref, field.name, [*present, value])

    async def remove(ctx: Context, ref: str, value: Value) -> None:
        present = ctx.store.get(cls, ref)[field.name]
        _write(ctx, cls, ref, field.name, [one for one in present if one != value])

    return {f"add_{field.name}": add, f"remove_{field.name}": remove}


def add_to_map(ctx: Context, cls: str, ref: str, name: str, key: str, value: Value) -> None:
    """Add a key to a map field.

    :raises ApiError: MAP_DUPLICATE_KEY.
    """
    record = ctx.store.get(cls, ref)
    if key in record[name]:
        raise ApiError("MAP_DUPLICATE_KEY", cls, name, record["uuid"], key)
    _write(ctx, cls, ref, name, {**record[name], key: value})


def remove_from_map(ctx: Context, cls: str, ref: str, name: str, key: str) -> None:
    """Remove a key from a map field; one that is not there is no mistake (clients remove before they add)."""
    present = ctx.store.get(cls, ref)[name]
    _write(ctx, cls, ref, name, {one: value for one, value in present.items() if one != key})


def _write(ctx: Context, cls: str, ref: str, name: str, value: Value) -> None:
    with ctx.store.transaction() as tx:
        tx.update(cls, ref, **{name: value})

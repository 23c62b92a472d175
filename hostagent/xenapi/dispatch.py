"""From a method's name and loose parameters to a handler, and from whatever it raises to an API error.

Knows nothing of HTTP, XML or JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hostagent.store import Store
from hostagent.xenapi.context import Caller, Context, TaskHandle
from hostagent.xenapi.core import Core
from hostagent.xenapi.errors import ApiError, describe, handle_invalid, not_implemented
from hostagent.xenapi.generic import generic_handlers
from hostagent.xenapi.messages import PARTS
from hostagent.xenapi.model import CLASSES, NULL, ClassTable, Message, Param, Qualifier, Value, implicit_messages
from hostagent.xenapi.model.types import BadValue, RecordType, RefType, SetType, Type
from hostagent.xenapi.registry import Handler, Messages
from hostagent.xenapi.tasks import NamelessTask

__all__ = ["LIST_METHODS", "Dispatcher", "Route", "routes"]

LIST_METHODS: Final = "system.listMethods"
_ASYNC: Final = "Async."
_HIDDEN: Final = ".get_all_records_where"


@dataclass(frozen=True)
class Route:
    """A message and what answers it; nothing does when ``handler`` is None."""

    message: Message
    handler: Handler | None
    cancellable: bool = False


def routes(parts: Iterable[Messages]) -> Mapping[str, Route]:
    """Every message of the data model by its wire name, with the handlers of this package and of ``parts``."""
    found: dict[str, Route] = {}
    for table in CLASSES.values():
        handlers = generic_handlers(table)
        for short, message in implicit_messages(table).items():
            found[message.name] = Route(message, handlers[short])
        for message in table.explicit.values():
            found[message.name] = Route(message, None)
    for answer in Messages.merged([*PARTS, *parts]):
        found[answer.message.name] = Route(answer.message, answer.handler, answer.cancellable)
    return found


class Dispatcher:
    """Answers calls.

    :param parts: handlers of explicit messages from other parts of the agent.
    """

    def __init__(self, core: Core, parts: Iterable[Messages] = ()) -> None:
        self.core = core
        self._routes = routes(parts)

    def methods(self) -> list[str]:
        """The names of all messages that are answered, for ``system.listMethods``."""
        names = [LIST_METHODS]
        for name, route in self._routes.items():
            if route.handler is None or name.endswith(_HIDDEN):
                continue
            names.append(name)
            if route.message.has_async:
                names.append(_ASYNC + name)
        return sorted(names)

    async def call(self, method: str, params: Sequence[Value], caller: Caller) -> Value:
        """Answer one call.

        :raises ApiError: whatever goes wrong; no other exception comes out.
        """
        if method == LIST_METHODS:
            return self.methods()
        try:
            return await self._call(method, params, caller)
        except ApiError:
            raise
        except Exception as error:
            raise ApiError(*describe(error, method)) from error

    async def _call(self, method: str, params: Sequence[Value], caller: Caller) -> Value:
        background = method.startswith(_ASYNC)
        route = self._routes.get(method.removeprefix(_ASYNC))
        if route is None or (background and not route.message.has_async):
            raise ApiError("MESSAGE_METHOD_UNKNOWN", method)
        if route.message.removed:
            raise ApiError("MESSAGE_REMOVED")
        session, rest = self._split(method, route.message, params)
        handler = route.handler
        if handler is None:
            raise not_implemented(route.message.name)
        values = [
            _parameter(self.core.store, param, value, own=index == 0)
            for index, (param, value) in enumerate(zip(route.message.params, rest, strict=False))
        ]

        async def run(task: TaskHandle) -> Value:
            return await handler(Context(self.core, task, session, caller), *values)

        if background:
            return self.core.tasks.start(method, run, cancellable=route.cancellable)
        return await run(NamelessTask(method))

    def _split(self, method: str, message: Message, params: Sequence[Value]) -> tuple[str, Sequence[Value]]:
        rest = params[1:] if message.session else params
        most = len(message.params)
        least = sum(not param.optional for param in message.params)
        if not least <= len(rest) <= most or (message.session and not params):
            # Counted without the session, which client libraries add by themselves.
            raise ApiError("MESSAGE_PARAMETER_COUNT_MISMATCH", method, str(most), str(len(rest)))
        if not message.session:
            return "", rest
        return self.core.sessions.check(params[0]), rest


def _parameter(store: Store, param: Param, value: Value, *, own: bool) -> Value:
    try:
        typed = param.type.coerce(value)
    except BadValue:
        raise ApiError("FIELD_TYPE_ERROR", param.name) from None
    if isinstance(param.type, RecordType) and param.type.cls in CLASSES:
        return _constructor_fields(store, CLASSES[param.type.cls], typed)
    if own and isinstance(param.type, RefType) and typed == NULL:
        raise handle_invalid(param.type.cls, NULL)
    _must_exist(store, param.type, typed)
    return typed


def _constructor_fields(store: Store, table: ClassTable, record: Mapping[str, Value]) -> dict[str, Value]:
    # Clients pass whole records that they read elsewhere: what a constructor does not take is left out.
    fields: dict[str, Value] = {}
    for name, value in record.items():
        field = table.fields.get(name)
        if field is None or field.qualifier is Qualifier.RO:
            continue
        fields[name] = _parameter(store, Param(name, field.type), value, own=False)
    return fields


def _must_exist(store: Store, kind: Type, value: Value) -> None:
    match kind:
        case RefType(cls):
            if value != NULL and not (cls in CLASSES and CLASSES[cls].stored and store.exists(cls, value)):
                raise handle_invalid(cls, value)
        case SetType(item):
            for one in value:
                _must_exist(store, item, one)

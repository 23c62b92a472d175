"""How code says that it answers a message of the data model.

A room's part collects its handlers in a :class:`Messages`, the server is given all of them::

    messages = Messages()

    @messages.answers("VM.start")
    async def start(ctx: Context, vm: str, start_paused: bool, force: bool) -> None: ...

Parameters arrive in the types that the model declares; references in them exist (null is let through, but not as the
first parameter). The result must fit the declared type; None stands for void.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from hostagent.xenapi.model import CLASSES, Message, implicit_messages

__all__ = ["Answer", "Handler", "Messages", "find_message"]

Handler = Callable[..., Awaitable[Any]]
_H = TypeVar("_H", bound=Handler)


@dataclass(frozen=True)
class Answer:
    """A handler with the message it answers.

    :ivar cancellable: whether ``task.cancel`` may interrupt it at any await.
    """

    message: Message
    handler: Handler
    cancellable: bool = False


def find_message(name: str) -> Message | None:
    """The declared (or implicit) message of this wire name."""
    cls, _, short = name.partition(".")
    table = CLASSES.get(cls)
    if table is None:
        return None
    return table.explicit.get(short) or implicit_messages(table).get(short)


class Messages:
    """Handlers of one part of the agent."""

    def __init__(self) -> None:
        self._answers: dict[str, Answer] = {}

    def __iter__(self) -> Iterator[Answer]:
        return iter(self._answers.values())

    def answers(self, name: str, *, cancellable: bool = False) -> Callable[[_H], _H]:
        """Decorate the handler of a message; an implicit message's handler replaces the generic one.

        :raises ValueError: when the model has no such message, or the handler takes other parameters than it.
        """
        message = find_message(name)
        if message is None:
            raise ValueError(f"the data model has no message {name}")

        def register(handler: _H) -> _H:
            _check(message, handler)
            self._answers[name] = Answer(message, handler, cancellable)
            return handler

        return register

    @classmethod
    def merged(cls, parts: Iterable[Messages]) -> Messages:
        """All parts in one.

        :raises ValueError: when two answer the same message.
        """
        whole = cls()
        for part in parts:
            for answer in part:
                if answer.message.name in whole._answers:
                    raise ValueError(f"two handlers for {answer.message.name}")
                whole._answers[answer.message.name] = answer
        return whole


def _check(message: Message, handler: Handler) -> None:
    taken = list(inspect.signature(handler).parameters.values())[1:]
    optional = [param.default is not inspect.Parameter.empty for param in taken]
    if not inspect.iscoroutinefunction(handler) or optional != [param.optional for param in message.params]:
        wanted = ", ".join(f"{param.name}{' = ...' if param.optional else ''}" for param in message.params)
        raise ValueError(f"the handler of {message.name} must be: async def (ctx, {wanted})")

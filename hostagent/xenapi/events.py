"""Events: who follows what, from when, and waiting for something to happen.

``event.from`` never loses anything: it tells each object that changed since the client's token once, with its present
state. The token counts changes of the store.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from hostagent.store import Change, Changes, Store
from hostagent.xenapi.errors import ApiError
from hostagent.xenapi.model import CLASSES, Value
from hostagent.xenapi.sessions import Sessions
from hostagent.xenapi.xmlrpc import I4

__all__ = ["Events", "Selection", "format_token", "parse_token", "selection"]

Selection = Mapping[str, frozenset[str] | None]
"""Classes, each with the references of interest, or None for all."""

_TOKEN: Final = re.compile(r"(\d{1,20}),(\d{1,20})", re.ASCII)
_BATCH_SECONDS: Final = 0.05
_LONGEST_WAIT: Final = 3600.0
_BY_LOWER_NAME: Final = {name.lower(): name for name, table in CLASSES.items() if table.events}


def format_token(generation: int) -> str:
    """The token of a generation: the second number counts messages to the administrator, which are not kept yet."""
    return f"{generation:020d},{0:020d}"


def parse_token(token: str) -> int:
    """The generation of a token, 0 for the empty one.

    :raises ApiError: EVENT_FROM_TOKEN_PARSE_FAILURE.
    """
    if not token:
        return 0
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise ApiError("EVENT_FROM_TOKEN_PARSE_FAILURE", token)
    return int(match[1])


def selection(subscriptions: Iterable[str]) -> Selection:
    """Read ``*``, ``class`` and ``class/ref``. Classes that are not here never change: they are let through.

    :raises ApiError: EVENT_SUBSCRIPTION_PARSE_FAILURE.
    """
    whole: set[str] = set()
    single: dict[str, set[str]] = {}
    for text in subscriptions:
        name, slash, ref = text.partition("/")
        if not name or "/" in ref or (slash and not ref):
            raise ApiError("EVENT_SUBSCRIPTION_PARSE_FAILURE", text)
        if name == "*" and not slash:
            whole.update(_BY_LOWER_NAME.values())
        cls = _BY_LOWER_NAME.get(name.lower())
        if cls is not None and slash:
            single.setdefault(cls, set()).add(ref)
        elif cls is not None:
            whole.add(cls)
    return {cls: None if cls in whole else frozenset(single[cls]) for cls in {*whole, *single}}


@dataclass
class _Registration:
    """What a session asked for with the old ``event.register``."""

    since: int
    subscriptions: set[str] = field(default_factory=set)


class Events:
    """Waits for changes of the store on behalf of clients."""

    def __init__(self, store: Store, sessions: Sessions) -> None:
        self._store = store
        self._sessions = sessions
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()
        self._registered: dict[str, _Registration] = {}
        self._unsubscribe = store.subscribe(self._changed)

    def close(self) -> None:
        """Stop listening to the store."""
        self._unsubscribe()

    async def since(self, session: str, subscriptions: list[str], token: str, seconds: float) -> dict[str, Value]:
        """The answer of ``event.from``; returns when something matches, or after ``seconds``.

        :raises ApiError: SESSION_INVALID, also when the session ends while waiting; or for a bad token or
            subscription.
        """
        wanted = selection(subscriptions)
        start = parse_token(token)
        changes = await self._wait(session, wanted, start, seconds)
        return {
            "events": list(_events(changes)),
            "valid_ref_counts": {cls.lower(): I4(count) for cls, count in self._store.counts().items()},
            "token": format_token(changes.last),
        }

    def inject(self, cls: str, ref: str) -> str:
        """Count an object as changed.

        :returns: a token from just before that.
        :raises ApiError: HANDLE_INVALID, when there is no such object.
        """
        known = _BY_LOWER_NAME.get(cls.lower())
        if known is None or not self._store.exists(known, ref):
            raise ApiError("HANDLE_INVALID", cls, ref)
        before = self._store.generation
        with self._store.transaction() as tx:
            tx.touch(known, ref)
        return format_token(before)

    def register(self, session: str, subscriptions: list[str]) -> None:
        """Let a session follow classes with :meth:`next`."""
        selection(subscriptions)
        self._registered = {ref: one for ref, one in self._registered.items() if self._sessions.alive(ref)}
        known = self._registered.setdefault(session, _Registration(self._store.generation))
        known.subscriptions.update(subscriptions)

    def unregister(self, session: str, subscriptions: list[str]) -> None:
        """Stop following classes."""
        registration = self._registered.get(session)
        if registration is not None:
            registration.subscriptions.difference_update(subscriptions)
            if not registration.subscriptions:
                del self._registered[session]

    async def next(self, session: str) -> list[Value]:
        """The events since the last call, at least one unless nothing happens for an hour.

        :raises ApiError: SESSION_NOT_REGISTERED.
        """
        registration = self._registered.get(session)
        if registration is None:
            raise ApiError("SESSION_NOT_REGISTERED", session)
        wanted = selection(registration.subscriptions)
        changes = await self._wait(session, wanted, registration.since, _LONGEST_WAIT)
        registration.since = changes.last
        return list(_events(changes))

    async def _wait(self, session: str, wanted: Selection, since: int, seconds: float) -> Changes:
        self._loop = loop = asyncio.get_running_loop()
        if since > self._store.generation:
            # A token of another life of this store (restored from a copy): only a fresh start is right.
            since = 0
        deadline = loop.time() + min(seconds, _LONGEST_WAIT)
        while True:
            news = self._news
            if not self._sessions.alive(session):
                raise ApiError("SESSION_INVALID", session)
            changes = self._store.changes(since, wanted)
            left = deadline - loop.time()
            if changes or left <= 0:
                return changes
            try:
                async with asyncio.timeout(left):
                    await news.wait()
            except TimeoutError:
                continue
            if wanted.keys() != {"task"}:
                # More often comes along with the first change; whoever waits for a task alone wants it now.
                await asyncio.sleep(min(_BATCH_SECONDS, max(0.0, left)))

    def _changed(self, _: frozenset[str]) -> None:
        # On whatever thread made the change.
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


def _events(changes: Changes) -> Iterator[dict[str, Value]]:
    for operation, part in (("add", changes.added), ("mod", changes.modified), ("del", changes.deleted)):
        for change in part:
            yield _event(operation, change)


def _event(operation: str, change: Change) -> dict[str, Value]:
    event: dict[str, Value] = {
        "id": str(change.generation),
        "timestamp": "0.0",
        "class": change.cls.lower(),
        "operation": operation,
        "ref": change.ref,
    }
    if change.record is not None:
        event["snapshot"] = change.record
    return event

"""Sessions: who is logged in. They live in memory; their references are secret."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from hostagent.store import Store
from hostagent.xenapi.context import Caller
from hostagent.xenapi.errors import ApiError
from hostagent.xenapi.services import Identity
from hostagent.xenapi.tasks import local_host

__all__ = ["Sessions"]

MOST_PER_USER: Final = 500
"""Sessions of one user, and of one originator; beyond it the one idle for longest is dropped."""
IDLE_SECONDS: Final = 24 * 3600.0
_NOTE_SECONDS: Final = 600.0
"""``last_active`` is written at most this often: each write is a change of the store."""


class Sessions:
    """All sessions of this host.

    :param clock: seconds, monotonic.
    """

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._active: dict[str, float] = {}
        self._noted: dict[str, float] = {}

    def open(self, identity: Identity, originator: str, caller: Caller) -> str:
        """Make a session.

        :returns: its reference.
        """
        for name, value in (("auth_user_name", identity.user), ("originator", originator)):
            if value:
                self._make_room(name, value)
        now = datetime.now(UTC)
        fields = {
            "this_host": local_host(self._store),
            "last_active": now,
            "validation_time": now,
            "is_local_superuser": identity.superuser,
            "auth_user_name": identity.user,
            "originator": originator or caller.agent,
        }
        with self._store.transaction() as tx:
            ref = tx.create("session", fields)
        self._active[ref] = self._noted[ref] = self._clock()
        return ref

    def check(self, ref: object) -> str:
        """Take a reference from a call and note that the session is in use.

        :raises ApiError: SESSION_INVALID.
        """
        if not isinstance(ref, str) or ref not in self._active:
            raise ApiError("SESSION_INVALID", str(ref))
        now = self._clock()
        if now - self._active[ref] > IDLE_SECONDS:
            self.close(ref)
            raise ApiError("SESSION_INVALID", ref)
        self._active[ref] = now
        if now - self._noted[ref] > _NOTE_SECONDS:
            self._noted[ref] = now
            with self._store.transaction() as tx:
                tx.update("session", ref, last_active=datetime.now(UTC))
        return ref

    def alive(self, ref: str) -> bool:
        """Whether a session still is; does not count as use."""
        return ref in self._active

    def close(self, ref: str) -> None:
        """End a session; whoever waits under it is woken by the change of the store."""
        self._active.pop(ref, None)
        self._noted.pop(ref, None)
        if self._store.exists("session", ref):
            with self._store.transaction() as tx:
                tx.delete("session", ref)

    def expire(self) -> None:
        """End the sessions that were idle for too long."""
        oldest = self._clock() - IDLE_SECONDS
        for ref in [ref for ref, active in self._active.items() if active < oldest]:
            self.close(ref)

    def _make_room(self, field: str, value: str) -> None:
        same = [ref for ref, record in self._store.all("session").items() if record[field] == value]
        same.sort(key=lambda ref: self._active.get(ref, 0.0))
        for ref in same[: max(0, len(same) + 1 - MOST_PER_USER)]:
            self.close(ref)

"""The login helper: the only part of the agent that runs as root and sees password hashes.

``python -m hostagent.auth.helper`` is started by ``zeroth-auth.socket``, answers attempts on the socket it is handed
and ends by itself when nothing is left to do or to remember. It imports little, holds no other secret, and says in the
journal who tried from where with what result, never a password.
"""

from __future__ import annotations

import grp
import logging
import os
import pwd
import selectors
import socket
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from hostagent.auth.pam import PamBackend, PasswordBackend
from hostagent.auth.protocol import BadFrame, Reply, Request, Verdict, body_length
from hostagent.auth.throttle import Throttle
from hostagent.journal import log_to_journal

__all__ = ["ADMIN_GROUP", "Helper", "is_administrator", "main", "serve"]

ADMIN_GROUP: Final = "zeroth-admin"
AGENT_USER: Final = "zeroth"
_READ_SECONDS: Final = 5.0
_FAILURE_SECONDS: Final = 2.0
"""Every failed attempt takes this long in all, so that time tells nothing about why it failed."""
_HOLD_SECONDS: Final = 4.0
"""The longest wait spent holding the connection; beyond it the attempt is refused at once."""
_AT_ONCE: Final = 16
_AT_ONCE_FROM_ONE: Final = 4
_IDLE_SECONDS: Final = 120.0

log = logging.getLogger("zeroth.auth")


def is_administrator(user: str) -> bool:
    """Whether a user may log in at all: uid 0, or a member of the group ``zeroth-admin``."""
    try:
        entry = pwd.getpwnam(user)
    except (KeyError, ValueError):
        return False
    if entry.pw_uid == 0:
        return True
    try:
        admins = grp.getgrnam(ADMIN_GROUP).gr_gid
    except KeyError:
        return False
    return admins in os.getgrouplist(user, entry.pw_gid)


@dataclass
class Helper:
    """Decides attempts. Thread-safe: every connection has its own thread.

    :ivar clock: seconds, monotonic.
    :ivar sleep: waits that many seconds.
    """

    backend: PasswordBackend
    administrator: Callable[[str], bool] = is_administrator
    throttle: Throttle = field(default_factory=Throttle)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _busy: Counter[str] = field(default_factory=Counter)

    def decide(self, request: Request) -> Reply:
        """Answer one attempt; takes as long as limits and PAM say."""
        with self._lock:
            if self._busy[request.origin] >= _AT_ONCE_FROM_ONE:
                log.warning("too many attempts at once from %r", request.origin)
                return Reply(Verdict.LATER, 1.0)
            self._busy[request.origin] += 1
        try:
            return self._decide(request)
        finally:
            with self._lock:
                self._busy[request.origin] -= 1
                if not self._busy[request.origin]:
                    del self._busy[request.origin]

    def idle(self) -> bool:
        """Whether the helper may end: no attempt in progress, no failure to remember."""
        with self._lock:
            return not self._busy and self.throttle.idle(self.clock())

    def _decide(self, request: Request) -> Reply:
        wait = self._begin(request)
        if 0.0 < wait <= _HOLD_SECONDS:
            self.sleep(wait)
            wait = self._begin(request)
        if wait > 0.0:
            log.warning("%r from %r: too many failures, wait %.0f s", request.user, request.origin, wait)
            return Reply(Verdict.LATER, round(wait, 1))
        started = self.clock()
        outcome = self.backend.check(request.user, request.password, request.origin)
        # Asked after PAM and for everybody, so that its cost is the same for all.
        administrator = self.administrator(request.user)
        if outcome.ok and administrator:
            with self._lock:
                self.throttle.succeeded(request.user, request.origin)
            log.info("%r from %r: logged in", request.user, request.origin)
            return Reply(Verdict.OK)
        why = outcome.text if not outcome.ok else f"neither root nor in the group {ADMIN_GROUP}"
        log.warning("%r from %r: refused: %s", request.user, request.origin, why)
        self.sleep(max(0.0, started + _FAILURE_SECONDS - self.clock()))
        return Reply(Verdict.ERROR if outcome.broken else Verdict.DENIED)

    def _begin(self, request: Request) -> float:
        with self._lock:
            return self.throttle.begin(request.user, request.origin, self.clock())


def serve(
    listener: socket.socket,
    helper: Helper,
    *,
    allowed: frozenset[int],
    idle_seconds: float = _IDLE_SECONDS,
) -> None:
    """Answer connections until there was nothing to do for ``idle_seconds``.

    :param listener: a listening unix stream socket.
    :param allowed: user ids that may connect; checked by the kernel's word (SO_PEERCRED) besides the socket's mode.
    """
    slots = threading.BoundedSemaphore(_AT_ONCE)
    listener.setblocking(False)
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        while True:
            if not selector.select(idle_seconds):
                if helper.idle():
                    return
                continue
            slots.acquire()
            try:
                connection, _ = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                slots.release()
                continue
            threading.Thread(target=_one, args=(connection, helper, allowed, slots), daemon=True).start()


def _one(
    connection: socket.socket, helper: Helper, allowed: frozenset[int], slots: threading.BoundedSemaphore
) -> None:
    try:
        with connection:
            _answer(connection, helper, allowed)
    except (OSError, BadFrame) as error:
        log.warning("a connection was dropped: %s", error)
    except Exception:
        # The last resort of the thread: without it the fault would show only as a lost connection.
        log.exception("a fault in the login helper")
    finally:
        slots.release()


def _answer(connection: socket.socket, helper: Helper, allowed: frozenset[int]) -> None:
    connection.settimeout(_READ_SECONDS)
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _pid, uid, _gid = struct.unpack("3i", credentials)
    if uid not in allowed:
        raise BadFrame(f"user id {uid} may not ask")
    request = Request.decode(_receive(connection, body_length(_receive(connection, 4))))
    connection.sendall(helper.decide(request).encode())


def _receive(connection: socket.socket, length: int) -> bytes:
    parts = bytearray()
    # A deadline over the whole frame, so that a byte now and then does not hold the slot.
    deadline = time.monotonic() + _READ_SECONDS
    while len(parts) < length:
        left = deadline - time.monotonic()
        if left <= 0:
            raise BadFrame("the frame came too slowly")
        connection.settimeout(left)
        part = connection.recv(length - len(parts))
        if not part:
            raise BadFrame("the connection ended early")
        parts += part
    connection.settimeout(_READ_SECONDS)
    return bytes(parts)


def _activated() -> socket.socket:
    """The socket that systemd handed over (sd_listen_fds(3): descriptor 3)."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        sys.exit("error: this program is started by zeroth-auth.socket, not by hand")
    os.set_inheritable(3, False)
    return socket.socket(fileno=3)


def main() -> None:
    """Run as ``zeroth-auth.service``."""
    log_to_journal("zeroth-auth")
    allowed = {0}
    try:
        allowed.add(pwd.getpwnam(AGENT_USER).pw_uid)
    except KeyError:
        log.warning("there is no user %s: only root may ask", AGENT_USER)
    serve(_activated(), Helper(PamBackend()), allowed=frozenset(allowed))


if __name__ == "__main__":
    main()

"""Delivering messages in their order, in a thread of its own: whoever hands one over goes on at once."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import tenacity

from zeroth.errors import UserError
from zeroth.spec.fetch.found import Unreachable

__all__ = ["Courier", "Message"]

_MOST = 2000  # messages that wait for a server
_LONGEST_PAUSE = 30.0  # seconds


@dataclass(frozen=True)
class Message:
    """Something to deliver.

    :ivar number: from 1, in the order of sending; a receiver sees by it what was sent twice.
    :ivar kind: in a word.
    :ivar droppable: may be left out when too much waits.
    """

    number: int
    kind: str
    body: bytes
    droppable: bool = False


class Courier:
    """Delivers to one place.

    What fails and may go better later is tried again, with growing pauses, until it is delivered or the time is over;
    later messages wait behind it. What fails for good is left out. Either is told by :meth:`close`.

    :param name: of the place, for people, without secrets.
    :param send: delivers one message, or raises :class:`Unreachable` or :class:`UserError`.
    :param pause: seconds before the second try; twice as many before each further one, up to 30.
    """

    def __init__(self, name: str, send: Callable[[Message], None], *, pause: float = 1.0, most: int = _MOST) -> None:
        self.name = name
        self._send, self._pause, self._most = send, pause, most
        self._queue: deque[Message] = deque()
        self._changed = threading.Condition()
        self._wake = threading.Event()
        self._deadline = float("inf")
        self._dropped = 0
        self._reason = ""
        self._refused = ""
        self._over = False
        # A daemon: a server that does not answer must not keep the program from ending.
        self._thread = threading.Thread(target=self._work, name=f"courier {name}", daemon=True)
        self._thread.start()

    @property
    def idle(self) -> bool:
        """Whether nothing waits."""
        with self._changed:
            return not self._queue

    def put(self, message: Message) -> None:
        """Hand a message over. Never waits."""
        with self._changed:
            if self._over:
                return
            if len(self._queue) >= self._most:
                self._make_room()
            self._queue.append(message)
            self._changed.notify_all()

    def close(self, patience: float) -> str:
        """Deliver what waits, for at most so many seconds.

        :returns: why not everything was delivered; empty when it was.
        """
        self.hurry(patience)
        self._thread.join(patience)
        with self._changed:
            self._over = True
            if self._queue:
                return f"{self.name} was not told everything: {self._reason or 'it takes too long'}"
            reason = self._refused
            if not reason and self._dropped:
                reason = f"{self._dropped} messages were left out while it was away"
            return f"{self.name} was not told everything: {reason}" if reason else ""

    def hurry(self, patience: float) -> None:
        """There will be no more messages, and so many seconds are left: try again at once, and with short pauses."""
        with self._changed:
            self._deadline = time.monotonic() + patience
            self._changed.notify_all()
        self._wake.set()

    def _make_room(self) -> None:
        # Never the first: it may be on its way.
        for place, message in enumerate(self._queue):
            if place and message.droppable:
                del self._queue[place]
                self._dropped += 1
                return

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._queue:
                    if self._deadline != float("inf"):
                        return
                    self._changed.wait()
                message = self._queue[0]
            if not self._deliver(message):
                return
            with self._changed:
                self._queue.popleft()

    def _deliver(self, message: Message) -> bool:
        """Whether it is done with; else the time is over."""
        tries = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Unreachable),
            wait=tenacity.wait_exponential(multiplier=self._pause, max=_LONGEST_PAUSE),
            stop=lambda _: time.monotonic() > self._deadline,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            tries(self._try, message)
        except Unreachable:
            return False
        except UserError as error:
            self._refused = self._refused or error.message
        except Exception as error:  # noqa: BLE001 - telling others is never worth a failure
            self._refused = self._refused or f"{type(error).__name__}: {error}"
        return True

    def _try(self, message: Message) -> None:
        try:
            self._send(message)
        except Unreachable as error:
            self._reason = error.message
            raise

    def _sleep(self, seconds: float) -> None:
        """Until the time is over, or we are told to hurry; then pauses are short."""
        if self._wake.is_set():
            time.sleep(min(seconds, 2 * self._pause, max(0.0, self._deadline - time.monotonic())))
        else:
            self._wake.wait(seconds)

"""The agent's side of the login helper: asynchronous, with a time-out, never a guess when the helper is silent."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

from hostagent.auth.protocol import HEADER, SOCKET, BadFrame, Reply, Request, Verdict, body_length

__all__ = ["HelperClient"]

_TIMEOUT_SECONDS: Final = 30.0
"""Above the helper's longest hold, its floor for failures and a slow hash on a busy machine together."""
_AT_ONCE: Final = 32

log = logging.getLogger(__name__)


@dataclass
class HelperClient:
    """Asks the helper about one name and password at a time.

    :ivar path: the helper's socket.
    :ivar timeout: seconds for a whole attempt.
    """

    path: str = SOCKET
    timeout: float = _TIMEOUT_SECONDS

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def ask(self, user: str, password: str, origin: str) -> Reply:
        """One attempt.

        :param origin: the peer's address, for limits and the journal.
        :returns: the helper's verdict; :attr:`Verdict.DENIED` for a name or password that cannot be one at all, and
            :attr:`Verdict.ERROR` when the helper does not answer properly (the reason goes to the journal).
        """
        request = Request(user, password, origin)
        try:
            frame = request.encode()
            Request.decode(frame[HEADER.size :])
        except BadFrame:
            # Too long or unprintable: no such user can exist. The helper would only drop the connection.
            return Reply(Verdict.DENIED)
        try:
            async with asyncio.timeout(self.timeout), self._slots:
                return await self._exchange(frame)
        except TimeoutError:
            log.error("the login helper did not answer within %g s", self.timeout)  # noqa: TRY400
        except (OSError, BadFrame, asyncio.IncompleteReadError) as error:
            log.error("the login helper cannot be used: %s (%s)", error, self.path)  # noqa: TRY400
        return Reply(Verdict.ERROR)

    async def _exchange(self, frame: bytes) -> Reply:
        reader, writer = await asyncio.open_unix_connection(self.path)
        try:
            writer.write(frame)
            await writer.drain()
            length = body_length(await reader.readexactly(HEADER.size))
            return Reply.decode(await reader.readexactly(length))
        finally:
            writer.close()

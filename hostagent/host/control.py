"""Switching the machine off, by asking a unit that may: ``zeroth-power.socket``.

The agent itself has no right to stop anything. The other side (one shell line, see ``units/zeroth-power@.service``)
knows two words and answers ``ok``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hostagent.xenapi.errors import ApiError

__all__ = ["POWER_SOCKET", "MachineControl"]

POWER_SOCKET: Final = "/run/zeroth/power.sock"
_TIMEOUT_SECONDS: Final = 30.0
_LONGEST: Final = 256

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MachineControl:
    """This machine.

    :ivar boot: the id of its present boot.
    :ivar certificate_file: the host's certificate.
    :ivar end_agent: makes this agent end, for the service manager to start it again.
    """

    boot: str
    certificate_file: Path
    end_agent: Callable[[], None]
    power_socket: str = POWER_SOCKET

    async def shutdown(self) -> None:
        """Power off soon after this returns."""
        await self._ask("poweroff")

    async def reboot(self) -> None:
        """Restart soon after this returns."""
        await self._ask("reboot")

    def restart_agent(self) -> None:
        """End this agent soon; it is started again."""
        self.end_agent()

    def certificate(self) -> str:
        """The host's certificate, PEM."""
        return self.certificate_file.read_text()

    def now(self) -> datetime:
        """The host's clock, UTC."""
        return datetime.now(UTC)

    async def _ask(self, word: str) -> None:
        log.warning("the machine is asked to %s", word)
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                reader, writer = await asyncio.open_unix_connection(self.power_socket, limit=_LONGEST)
                try:
                    writer.write(f"{word}\n".encode())
                    await writer.drain()
                    answer = (await reader.read(_LONGEST)).decode("utf-8", "replace").strip()
                finally:
                    writer.close()
        except (OSError, TimeoutError) as error:
            log.error("%s: %s", self.power_socket, error)  # noqa: TRY400 - no fault of ours
            raise ApiError("OPERATION_NOT_ALLOWED", f"the machine cannot be asked to {word}: {error}") from None
        if answer != "ok":
            raise ApiError("OPERATION_NOT_ALLOWED", f"the machine refused to {word}: {answer or 'no answer'}")

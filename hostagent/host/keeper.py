"""Keeps the host's own records true while the agent runs."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from typing import Final

from hostagent.host.facts import HostFacts
from hostagent.host.links import read_links
from hostagent.host.sync import sync_capacity, sync_host, sync_links
from hostagent.store import Store
from hostagent.xenapi.services import Hypervisor
from zeroth.errors import UserError

__all__ = ["Keeper"]

_LINKS_SECONDS: Final = 300.0
_MEMORY_SECONDS: Final = 60.0
_SETTLE_SECONDS: Final = 0.5
"""Domains that come and go together cause one look at the memory."""

log = logging.getLogger(__name__)


class Keeper:
    """Writes facts of the machine into the store, at start and then as they change."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._wake = asyncio.Event()
        self.hypervisor: Hypervisor | None = None

    def start(self, facts: HostFacts, started: datetime) -> None:
        """Write what is known before anything else runs."""
        sync_host(self._store, facts, started)

    def domains_changed(self) -> None:
        """Look at the free memory soon."""
        self._wake.set()

    async def follow_capacity(self) -> None:
        """Keep memory and processors true, until cancelled."""
        assert self.hypervisor is not None
        while True:
            sync_capacity(self._store, await self.hypervisor.capacity())
            try:
                async with asyncio.timeout(_MEMORY_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(_SETTLE_SECONDS)
            self._wake.clear()

    async def follow_links(self) -> None:
        """Keep network interfaces true, until cancelled."""
        while True:
            try:
                sync_links(self._store, await asyncio.to_thread(read_links))
            except UserError as error:
                log.warning("the network links cannot be read: %s", error)
            await asyncio.sleep(_LINKS_SECONDS)

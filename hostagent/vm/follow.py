"""Keeps VM records true: whatever happens to a domain, by our doing or by itself, ends up in the store.

Events are taken as hints. The domain is looked at as it is when the hint is worked on, so lost, repeated or late
events do no harm, and the same code compares everything after a new connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import libvirt

from hostagent.store import Record, Store, Transaction
from hostagent.vm.connection import Connection, HypervisorDown
from hostagent.vm.domain_xml import domain_type
from hostagent.vm.domains import Domain, all_domains, find_domain, look, power_state
from hostagent.vm.power import HALTED
from hostagent.xenapi.model import NULL

__all__ = ["Follower", "write_domain"]

_RESTART_SECONDS: Final = 5.0
"""How soon a domain between two lives is looked at again, should its next event not come."""

log = logging.getLogger(__name__)


def write_domain(tx: Transaction, ref: str, domain: Domain | None, host: str, now: datetime) -> None:
    """Make a VM's record (and its metrics) say what its domain is.

    :param domain: None when there is no domain.
    :param host: reference of this host.
    """
    vm = tx.get("VM", ref)
    if domain is None:
        tx.update("VM", ref, power_state=HALTED, domid=-1, resident_on=NULL)
        if vm["metrics"] != NULL and vm["power_state"] != HALTED:
            tx.update("VM_metrics", vm["metrics"], memory_actual=0, VCPUs_number=0, state=[], last_updated=now)
        return
    power = power_state(domain)
    if power is None:
        return
    new_life = vm["domid"] != domain.domid or vm["power_state"] == HALTED
    tx.update("VM", ref, power_state=power, domid=domain.domid, resident_on=host)
    _write_metrics(tx, ref, domain, now if new_life else None, now)


def _write_metrics(tx: Transaction, ref: str, domain: Domain, started: datetime | None, now: datetime) -> None:
    vm = tx.get("VM", ref)
    metrics = vm["metrics"]
    if metrics == NULL:
        metrics = tx.create("VM_metrics", {})
        tx.update("VM", ref, metrics=metrics)
    kind = domain_type(vm)
    values = {
        "memory_actual": domain.memory,
        "VCPUs_number": domain.vcpus,
        "state": [power_state(domain) or HALTED],
        "hvm": kind == "hvm",
        "current_domain_type": kind,
    }
    if started is not None:
        values["start_time"] = started
    old = tx.get("VM_metrics", metrics)
    if any(old[name] != value for name, value in values.items()):
        tx.update("VM_metrics", metrics, last_updated=now, **values)


class Follower:
    """Writes domains into the store.

    :param changed: called after the domains changed, for whoever keeps the host's free memory true.
    """

    def __init__(self, store: Store, *, changed: Callable[[], None] = lambda: None) -> None:
        self._store = store
        self._changed = changed
        self._locks: dict[str, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._strangers: frozenset[str] = frozenset()
        self.connection: Connection | None = None

    def hint(self, uuid: str) -> None:
        """Something happened to a domain: look at it soon."""
        task = asyncio.get_running_loop().create_task(self._quietly(uuid))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def refresh(self, uuid: str) -> None:
        """Look at one domain and write what it is.

        :raises HypervisorDown: when libvirt cannot be asked.
        """
        ref = self._store.by_uuid("VM", uuid)
        if ref is None or self._store.get("VM", ref)["is_control_domain"]:
            return
        assert self.connection is not None
        # One at a time for each VM, so that an older look never overwrites a newer one.
        async with self._locks.setdefault(uuid, asyncio.Lock()):
            domain = await self.connection.call(lambda link: _look_at(link, uuid))
            self._write({ref: domain})
        if domain is not None and power_state(domain) is None:
            asyncio.get_running_loop().call_later(_RESTART_SECONDS, self.hint, uuid)

    async def compare_all(self) -> None:
        """Compare every VM with every domain.

        :raises HypervisorDown: when libvirt cannot be asked.
        """
        assert self.connection is not None
        domains = await self.connection.call(all_domains)
        vms = self._store.all("VM")
        theirs = {record["uuid"]: ref for ref, record in vms.items() if _ours(record)}
        for uuid, ref in theirs.items():
            # Those that look different are looked at again under their lock; the rest need nothing.
            if _differs(self._store.get("VM", ref), domains.get(uuid)):
                await self.refresh(uuid)
        known = {record["uuid"] for record in vms.values()}
        strangers = frozenset(uuid for uuid in domains if uuid not in known)
        for uuid in strangers - self._strangers:
            log.warning("the domain %s (%s) is not one of this host's VMs; it is left alone", domains[uuid].name, uuid)
        self._strangers = strangers

    async def _quietly(self, uuid: str) -> None:
        try:
            await self.refresh(uuid)
        except HypervisorDown:
            # Everything is compared when the connection is back.
            log.info("an event of %s waits for libvirt to come back", uuid)
        except libvirt.libvirtError as error:
            log.warning("could not look at domain %s: %s", uuid, error)

    def _write(self, domains: dict[str, Domain | None]) -> None:
        now = datetime.now(UTC).replace(microsecond=0)  # as the API and the store have it
        host = self._store.only("host")
        for ref, domain in domains.items():
            if not self._store.exists("VM", ref):
                continue  # destroyed meanwhile
            before = self._store.get("VM", ref)
            with self._store.transaction() as tx:
                write_domain(tx, ref, domain, host, now)
            after = self._store.get("VM", ref)
            if after["power_state"] != before["power_state"] or after["domid"] != before["domid"]:
                log.info(
                    "VM %s (%s): %s, domain %d",
                    after["uuid"],
                    after["name_label"],
                    after["power_state"],
                    after["domid"],
                )
        self._changed()


def _look_at(link: object, uuid: str) -> Domain | None:
    domain = find_domain(link, uuid)
    return None if domain is None else look(domain)


def _ours(record: Record) -> bool:
    return not record["is_control_domain"] and not record["is_a_template"]


def _differs(record: Record, domain: Domain | None) -> bool:
    seen = (HALTED, -1) if domain is None else (power_state(domain), domain.domid)
    return (record["power_state"], record["domid"]) != seen

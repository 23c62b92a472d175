"""An agent's inside over libvirt's test driver: real libvirt, domains that exist in this process only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import fromstring, tostring

import libvirt

from hostagent.catalog import PARTS
from hostagent.store import Record, Store
from hostagent.vm.bootfiles import BootFiles
from hostagent.vm.domain_xml import BootPlan, domain_xml
from hostagent.vm.hypervisor import LibvirtHypervisor
from hostagent.vm.power import allowed_operations
from hostagent.xenapi.context import Caller
from hostagent.xenapi.core import Core
from hostagent.xenapi.dispatch import Dispatcher
from hostagent.xenapi.errors import ApiError
from hostagent.xenapi.model import Value
from hostagent.xenapi.operations import keep_allowed_operations
from hostagent.xenapi.services import Services
from tests.unit.hostagent.support import FakeAuthenticator, FakeHost, seed

MIB = 1 << 20
DRIVER = "test:///default"
"""All connections to it in a process share one driver, so a test can act behind the agent's back."""


def for_test_driver(record: Record, boot: BootPlan) -> str:
    """The product's XML, but for the words that only Xen's driver knows."""
    domain = fromstring(domain_xml(record, boot))
    domain.set("type", "test")
    kind = domain.find("os/type")
    assert kind is not None
    kind.text = "hvm"
    kind.attrib.clear()
    console = domain.find("devices/console/target")
    assert console is not None
    console.set("type", "serial")
    return tostring(domain, encoding="unicode")


@dataclass
class World:
    """Everything a test needs."""

    store: Store
    hypervisor: LibvirtHypervisor
    dispatcher: Dispatcher
    session: str
    host: str
    folder: Path

    async def call(self, method: str, *params: Value) -> Value:
        """An API call."""
        return await self.dispatcher.call(method, [self.session, *params], Caller())

    async def refused(self, method: str, *params: Value) -> list[str]:
        """An API call that must fail; its error."""
        try:
            result = await self.call(method, *params)
        except ApiError as error:
            return error.description
        raise AssertionError(f"{method} returned {result!r}")

    async def vm(self, **fields: Value) -> str:
        """A PV VM that can be started."""
        record = {
            "name_label": "guest",
            "memory_static_max": 64 * MIB,
            "VCPUs_max": 1,
            "PV_kernel": str(self.folder / "vmlinuz"),
            "PV_ramdisk": str(self.folder / "guest.img"),
            "PV_args": "console=hvc0 quiet",
            **fields,
        }
        ref = await self.call("VM.create", record)
        assert isinstance(ref, str)
        return ref

    def record(self, ref: str) -> Record:
        return self.store.get("VM", ref)

    async def until(self, ref: str, condition: Callable[[Record], bool]) -> None:
        """Wait for what comes by events."""
        await eventually(lambda: condition(self.record(ref)))

    def behind(self, ref: str) -> Value:
        """libvirt's domain of a VM by a connection of the test's own, as another tool would have it."""
        return libvirt.open(DRIVER).lookupByUUIDString(self.record(ref)["uuid"])


@asynccontextmanager
async def world(
    folder: Path, *, free_memory: int = 1 << 34, uri: str = DRIVER, seeded: bool = False
) -> AsyncIterator[World]:
    """A running hypervisor service and API over a fresh test driver."""
    boot = folder / "boot"
    boot.mkdir(exist_ok=True)
    for name in ("vmlinuz", "guest.img"):
        (boot / name).write_bytes(b"x")
    with Store(folder / "store.db") as store:
        host = store.only("host") if seeded else seed(store)[1]
        unsubscribe = keep_allowed_operations(store, "VM", allowed_operations)
        hypervisor = LibvirtHypervisor(
            store,
            uri,
            files=BootFiles([boot]),
            xml=for_test_driver,
            free_memory=lambda _link: free_memory,
            pause=0.01,
        )
        services = Services(FakeAuthenticator(), hypervisor, FakeHost())
        core = Core.of(store, services)
        dispatcher = Dispatcher(core, PARTS)
        session = await dispatcher.call(
            "session.login_with_password", ["root", FakeAuthenticator().password], Caller()
        )
        runner = asyncio.create_task(hypervisor.run())
        try:
            yield World(store, hypervisor, dispatcher, session, host, boot)
        finally:
            await core.close()
            runner.cancel()
            with suppress(asyncio.CancelledError):
                await runner
            unsubscribe()


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(10):
        while True:
            if condition():
                return
            await asyncio.sleep(0.005)


async def connected(hypervisor: LibvirtHypervisor) -> None:
    """Wait for the first connection."""
    await eventually(lambda: hypervisor.state.up)

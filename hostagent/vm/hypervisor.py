"""The hypervisor of this host: libvirt's Xen driver behind the protocol that messages use."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import libvirt

from hostagent.store import Record, Store
from hostagent.vm.bootfiles import BootFiles
from hostagent.vm.connection import XEN_URI, Connection, HypervisorDown
from hostagent.vm.domain_xml import BootPlan, domain_type, domain_xml
from hostagent.vm.domains import CONTROL_DOMAIN, find_domain
from hostagent.vm.follow import Follower
from hostagent.xenapi.errors import ApiError
from hostagent.xenapi.services import Capacity, LinkState

__all__ = ["LibvirtHypervisor", "boot_plan"]

_MIB: Final = 1 << 20
# What Xen needs for a domain besides its memory: page tables, grant tables, structures a vCPU. Measured for small PV
# guests, rounded up; checked only to give a clear error before the domain builder gives a poor one.
_OVERHEAD: Final = 4 * _MIB
_OVERHEAD_PER_VCPU: Final = 1 * _MIB

log = logging.getLogger(__name__)
T = TypeVar("T")


def boot_plan(record: Mapping[str, Any], files: BootFiles) -> BootPlan:
    """What a VM boots.

    :raises ApiError: when it boots in a way that this host does not do, or from a file it may not.
    """
    kind = domain_type(record)
    if kind == "hvm":
        raise ApiError("NOT_IMPLEMENTED", "VM.start of an HVM guest")
    if record["PV_bootloader"] and not record["PV_kernel"]:
        raise ApiError("UNKNOWN_BOOTLOADER", record["uuid"], record["PV_bootloader"])
    if not record["PV_kernel"]:
        raise ApiError("VALUE_NOT_SUPPORTED", "PV_kernel", "", "a PV guest needs a kernel to boot")
    ramdisk = record["PV_ramdisk"]
    return BootPlan(
        kernel=files.resolve("PV_kernel", record["PV_kernel"]),
        ramdisk=files.resolve("PV_ramdisk", ramdisk) if ramdisk else None,
        arguments=record["PV_args"],
    )


class LibvirtHypervisor:
    """Runs VMs and keeps their records true.

    :param files: where kernels may come from.
    :param xml: makes a domain; replaced where the driver is not Xen's.
    :param free_memory: bytes that no domain has; replaced where the driver counts otherwise.
    :param changed: called when domains came or went.
    """

    def __init__(
        self,
        store: Store,
        uri: str = XEN_URI,
        *,
        files: BootFiles | None = None,
        xml: Callable[[Mapping[str, Any], BootPlan], str] = domain_xml,
        free_memory: Callable[[Any], int] = lambda link: link.getFreeMemory(),
        changed: Callable[[], None] = lambda: None,
        pause: float = 1.0,
    ) -> None:
        self._files = files or BootFiles()
        self._xml = xml
        self._changed = changed
        self._free_memory = free_memory
        self._follower = Follower(store, changed=changed)
        self._connection = Connection(uri, on_event=self._follower.hint, on_up=self._compare_all, pause=pause)
        self._follower.connection = self._connection

    @property
    def boot_files(self) -> BootFiles:
        """Which files guests may boot from."""
        return self._files

    @property
    def state(self) -> LinkState:
        """Whether libvirt answers."""
        return self._connection.state

    async def run(self) -> None:
        """Stay connected and follow events, until cancelled."""
        await self._connection.run()

    async def start(self, vm: Record, *, paused: bool) -> None:
        """Build the domain of a VM; its record is true when this returns."""
        boot = await asyncio.to_thread(boot_plan, vm, self._files)
        xml = self._xml(vm, boot)
        needed = vm["memory_static_max"] + _OVERHEAD + _OVERHEAD_PER_VCPU * vm["VCPUs_max"]
        flags = libvirt.VIR_DOMAIN_START_PAUSED if paused else libvirt.VIR_DOMAIN_NONE

        def build(link: Any) -> None:  # noqa: ANN401 - libvirt has no types
            free = self._free_memory(link)
            if needed > free:
                raise ApiError("HOST_NOT_ENOUGH_FREE_MEMORY", str(needed), str(free))
            # Transient on purpose: the store is the one place that says what a VM is.
            link.createXML(xml, flags)

        await self._do("start", build)
        await self._settle(vm["uuid"])

    async def stop(self, vm: Record) -> None:
        """Destroy the domain at once; one that is gone already is fine."""
        await self._on_domain("destroy", vm, lambda domain: domain.destroy())

    async def pause(self, vm: Record) -> None:
        """Stop the domain's vCPUs."""
        await self._on_domain("pause", vm, lambda domain: domain.suspend())

    async def unpause(self, vm: Record) -> None:
        """Let the vCPUs go on."""
        await self._on_domain("unpause", vm, lambda domain: domain.resume())

    async def ask_to_shut_down(self, vm: Record) -> None:
        """Ask the guest to power off, through xenstore; it may take its time, or not listen."""
        flag = libvirt.VIR_DOMAIN_SHUTDOWN_PARAVIRT
        await self._on_domain("shutdown", vm, lambda domain: domain.shutdownFlags(flag))

    async def ask_to_reboot(self, vm: Record) -> None:
        """Ask the guest to restart, through xenstore."""
        flag = libvirt.VIR_DOMAIN_REBOOT_PARAVIRT
        await self._on_domain("reboot", vm, lambda domain: domain.reboot(flag))

    async def capacity(self) -> Capacity | None:
        """What Xen says of the machine; None when it cannot be asked."""
        try:
            return await self._connection.call(_capacity)
        except HypervisorDown:
            return None
        except libvirt.libvirtError as error:
            log.warning("libvirt does not say what the machine has: %s", error)
            return None

    async def _on_domain(self, name: str, vm: Record, action: Callable[[Any], object]) -> None:
        uuid = vm["uuid"]

        def act(link: Any) -> None:  # noqa: ANN401
            domain = find_domain(link, uuid)
            if domain is not None:
                action(domain)

        await self._do(name, act)
        await self._settle(uuid)

    async def _compare_all(self) -> None:
        await self._follower.compare_all()
        self._changed()

    async def _settle(self, uuid: str) -> None:
        """Have the record true before the call returns."""
        try:
            await self._follower.refresh(uuid)
        except (HypervisorDown, libvirt.libvirtError) as error:
            # It was done; everything is compared again when libvirt answers.
            log.warning("the record of VM %s is behind: %s", uuid, error)

    async def _do(self, name: str, function: Callable[[Any], T]) -> T:
        """Call libvirt, with what goes wrong as the XenAPI's error."""
        try:
            return await self._connection.call(function)
        except HypervisorDown as error:
            raise ApiError(
                "DOMAIN_BUILDER_ERROR", name, "0", f"libvirt's Xen driver is not available: {error}"
            ) from None
        except libvirt.libvirtError as error:
            code, message = error.get_error_code(), error.get_error_message()
            log.warning("libvirt could not %s: %s", name, message)
            raise ApiError("DOMAIN_BUILDER_ERROR", name, str(code), str(message)) from None


def _capacity(link: Any) -> Capacity:  # noqa: ANN401
    _model, memory, cpus, _mhz, nodes, sockets, _cores, threads = link.getInfo()
    return Capacity(
        memory_total=memory * _MIB,
        memory_free=link.getFreeMemory(),
        control_domain_memory=_control_domain_memory(link),
        cpus=cpus,
        sockets=nodes * sockets,
        threads_per_core=threads,
    )


def _control_domain_memory(link: Any) -> int:  # noqa: ANN401
    try:
        return int(link.lookupByID(CONTROL_DOMAIN).info()[2]) * 1024
    except libvirt.libvirtError:
        return 0  # a driver without one: the test driver's

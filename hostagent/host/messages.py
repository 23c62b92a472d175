"""Explicit messages of classes host and pool."""

from __future__ import annotations

from datetime import datetime

from hostagent.host.sync import DISABLED, management_pif
from hostagent.store import Record
from hostagent.xenapi.context import Context
from hostagent.xenapi.errors import ApiError
from hostagent.xenapi.model import CLASSES
from hostagent.xenapi.operations import operation
from hostagent.xenapi.registry import Messages

__all__ = ["allowed_operations", "messages"]

messages = Messages()


def allowed_operations(host: Record) -> list[str]:
    """What may be asked of a host now."""
    if host["current_operations"]:
        return []
    return ["provision", "vm_start"] if host["enabled"] else ["enable", "shutdown", "reboot"]


@messages.answers("host.disable")
async def disable(ctx: Context, host: str, auto_enable: bool = True) -> None:
    """Start no more VMs here.

    :param auto_enable: take VMs again after the machine's next start.
    """
    with ctx.store.transaction() as tx:
        # An empty id is that of no boot: it stays disabled until somebody enables it.
        other = {**tx.get("host", host)["other_config"], DISABLED: ctx.services.host.boot if auto_enable else ""}
        tx.update("host", host, enabled=False, other_config=other)


@messages.answers("host.enable")
async def enable(ctx: Context, host: str) -> None:
    """Take VMs again."""
    with ctx.store.transaction() as tx:
        other = {key: value for key, value in tx.get("host", host)["other_config"].items() if key != DISABLED}
        tx.update("host", host, enabled=True, other_config=other)


@messages.answers("host.shutdown")
async def shutdown(ctx: Context, host: str) -> None:
    """Power the machine off. It must be disabled, and nothing may run on it."""
    with operation(ctx, "host", host, "shutdown"):
        _assert_can_stop(ctx, host)
        await ctx.services.host.shutdown()


@messages.answers("host.reboot")
async def reboot(ctx: Context, host: str) -> None:
    """Restart the machine. It must be disabled, and nothing may run on it."""
    with operation(ctx, "host", host, "reboot"):
        _assert_can_stop(ctx, host)
        await ctx.services.host.reboot()


@messages.answers("host.restart_agent")
async def restart_agent(ctx: Context, host: str) -> None:
    """Restart the agent; VMs run on, sessions end."""
    _must_exist(ctx, host)
    ctx.services.host.restart_agent()


@messages.answers("host.get_servertime")
async def get_servertime(ctx: Context, host: str) -> datetime:
    """The host's clock, UTC."""
    _must_exist(ctx, host)
    return ctx.services.host.now()


@messages.answers("host.get_server_localtime")
async def get_server_localtime(ctx: Context, host: str) -> datetime:
    """The host's clock in its own time zone, written as if that were UTC: the wire has no zones."""
    _must_exist(ctx, host)
    now = ctx.services.host.now()
    return now.astimezone().replace(tzinfo=now.tzinfo)


@messages.answers("host.list_methods")
async def list_methods(ctx: Context) -> list[str]:  # the same for everyone
    """The names of all messages that are part of the data model."""
    return sorted(f"{name}.{short}" for name, table in CLASSES.items() for short in table.explicit)


@messages.answers("host.get_management_interface")
async def get_management_interface(ctx: Context, host: str) -> str:
    """The PIF on which the host is managed."""
    _must_exist(ctx, host)
    return management_pif(ctx.store)


@messages.answers("host.get_server_certificate")
async def get_server_certificate(ctx: Context, host: str) -> str:
    """The host's certificate, PEM."""
    _must_exist(ctx, host)
    return ctx.services.host.certificate()


@messages.answers("host.compute_free_memory")
async def compute_free_memory(ctx: Context, host: str) -> int:
    """Bytes that no VM has."""
    _must_exist(ctx, host)
    capacity = await ctx.services.hypervisor.capacity()
    if capacity is None:
        reason = ctx.services.hypervisor.state.reason
        raise ApiError("DOMAIN_BUILDER_ERROR", "capacity", "0", f"libvirt's Xen driver is not available: {reason}")
    return capacity.memory_free


@messages.answers("host.compute_memory_overhead")
async def compute_memory_overhead(ctx: Context, host: str) -> int:
    """Bytes that the host itself takes."""
    return int(ctx.store.get("host", host)["memory_overhead"])


@messages.answers("host.has_extension")
async def has_extension(ctx: Context, host: str, name: str) -> bool:
    """There are no extensions."""
    _must_exist(ctx, host)
    return False


@messages.answers("host.call_plugin")
async def call_plugin(ctx: Context, host: str, plugin: str, fn: str, args: dict[str, str]) -> str:
    """There are no plugins; clients probe for some and take this answer well."""
    _must_exist(ctx, host)
    raise ApiError("XENAPI_MISSING_PLUGIN", plugin)


@messages.answers("host.get_uncooperative_resident_VMs")
async def get_uncooperative_resident_vms(ctx: Context, host: str) -> list[str]:
    """VMs that do not give memory back when asked: none is asked."""
    _must_exist(ctx, host)
    return []


def _assert_can_stop(ctx: Context, host: str) -> None:
    record = ctx.store.get("host", host)
    if record["enabled"]:
        raise ApiError("HOST_NOT_DISABLED")
    for vm in record["resident_VMs"]:
        if not ctx.store.get("VM", vm)["is_control_domain"]:
            raise ApiError("HOST_IN_USE", host, "VM", vm)


def _must_exist(ctx: Context, host: str) -> None:
    ctx.store.get("host", host)

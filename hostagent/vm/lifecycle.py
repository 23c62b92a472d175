"""Messages of class VM that change what it is doing: start, stop, pause."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from hostagent.store import Record
from hostagent.vm.power import HALTED, OVERRIDES, PAUSED, RUNNING, require
from hostagent.xenapi.context import Context
from hostagent.xenapi.errors import ApiError
from hostagent.xenapi.operations import operation
from hostagent.xenapi.registry import Messages

__all__ = ["messages", "wait_for"]

_CLEAN_SECONDS: Final = 1200.0
"""How long a guest may take to shut down cleanly; xapi's default (domain_shutdown_total_timeout)."""

messages = Messages()


@messages.answers("VM.start")
async def start(ctx: Context, vm: str, start_paused: bool, force: bool) -> None:
    """Start it on this host."""
    with operation(ctx, "VM", vm, "start"):
        await _start(ctx, vm, "start", paused=start_paused)


@messages.answers("VM.start_on")
async def start_on(ctx: Context, vm: str, host: str, start_paused: bool, force: bool) -> None:
    """Start it on a given host, which here is the only one."""
    with operation(ctx, "VM", vm, "start_on"):
        await _start(ctx, vm, "start_on", paused=start_paused)


@messages.answers("VM.pause")
async def pause(ctx: Context, vm: str) -> None:
    """Stop its virtual CPUs; it keeps its memory."""
    with operation(ctx, "VM", vm, "pause"):
        await ctx.services.hypervisor.pause(_ready(ctx, vm, "pause", RUNNING))


@messages.answers("VM.unpause")
async def unpause(ctx: Context, vm: str) -> None:
    """Let its virtual CPUs go on."""
    with operation(ctx, "VM", vm, "unpause"):
        await ctx.services.hypervisor.unpause(_ready(ctx, vm, "unpause", PAUSED))


@messages.answers("VM.hard_shutdown")
async def hard_shutdown(ctx: Context, vm: str) -> None:
    """Pull the plug. Also ends a clean shutdown that the guest does not answer."""
    with operation(ctx, "VM", vm, "hard_shutdown", alongside=OVERRIDES["hard_shutdown"]):
        await _stop(ctx, vm, "hard_shutdown")


@messages.answers("VM.hard_reboot")
async def hard_reboot(ctx: Context, vm: str) -> None:
    """Pull the plug and start it again."""
    with operation(ctx, "VM", vm, "hard_reboot", alongside=OVERRIDES["hard_reboot"]):
        record = _ready(ctx, vm, "hard_reboot", RUNNING, PAUSED)
        await ctx.services.hypervisor.stop(record)
        await ctx.services.hypervisor.start(ctx.store.get("VM", vm), paused=False)


@messages.answers("VM.clean_shutdown", cancellable=True)
async def clean_shutdown(ctx: Context, vm: str) -> None:
    """Ask the guest to power off and wait until it has."""
    with operation(ctx, "VM", vm, "clean_shutdown"):
        await _clean_shutdown(ctx, vm, "clean_shutdown")


@messages.answers("VM.shutdown", cancellable=True)
async def shutdown(ctx: Context, vm: str) -> None:
    """Cleanly if the guest obliges in time, else by force."""
    with operation(ctx, "VM", vm, "shutdown"):
        if _ready(ctx, vm, "shutdown", RUNNING, PAUSED)["power_state"] == RUNNING:
            try:
                await _clean_shutdown(ctx, vm, "shutdown")
            except ApiError as error:
                if error.code != "VM_SHUTDOWN_TIMEOUT":
                    raise
        if ctx.store.get("VM", vm)["power_state"] != HALTED:
            await _stop(ctx, vm, "shutdown")


@messages.answers("VM.clean_reboot", cancellable=True)
async def clean_reboot(ctx: Context, vm: str) -> None:
    """Ask the guest to restart and wait until it runs again."""
    with operation(ctx, "VM", vm, "clean_reboot"):
        record = _ready(ctx, vm, "clean_reboot", RUNNING)
        await ctx.services.hypervisor.ask_to_reboot(record)
        domid = record["domid"]
        # Another domain, or none: a VM whose actions_after_reboot is "destroy" ends here.
        gone = await wait_for(
            ctx, vm, lambda vm: vm["power_state"] == HALTED or (vm["domid"] not in (domid, -1)), _CLEAN_SECONDS
        )
        if not gone:
            raise ApiError("VM_SHUTDOWN_TIMEOUT", vm, f"{_CLEAN_SECONDS:g}")


async def wait_for(ctx: Context, ref: str, condition: Callable[[Record], bool], seconds: float) -> bool:
    """Wait until a VM's record fulfils something.

    :returns: whether it did within that time.
    :raises NotFound: when the VM is gone.
    """
    changed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def look_again(classes: frozenset[str]) -> None:
        if "VM" in classes:
            # Transactions may come from any thread.
            loop.call_soon_threadsafe(changed.set)

    unsubscribe = ctx.store.subscribe(look_again)
    try:
        async with asyncio.timeout(seconds):
            while not condition(ctx.store.get("VM", ref)):
                ctx.task.check_cancelled()
                await changed.wait()
                changed.clear()
    except TimeoutError:
        return False
    finally:
        unsubscribe()
    return True


def _ready(ctx: Context, ref: str, operation_name: str, *states: str) -> Record:
    record = ctx.store.get("VM", ref)
    require(ref, record, operation_name, *states)
    return record


async def _start(ctx: Context, ref: str, name: str, *, paused: bool) -> None:
    record = _ready(ctx, ref, name, HALTED)
    host = ctx.store.only("host")
    if not ctx.store.get("host", host)["enabled"]:
        raise ApiError("HOST_DISABLED", host)
    await ctx.services.hypervisor.start(record, paused=paused)


async def _stop(ctx: Context, ref: str, name: str) -> None:
    record = _ready(ctx, ref, name, RUNNING, PAUSED)
    await ctx.services.hypervisor.stop(record)


async def _clean_shutdown(ctx: Context, ref: str, name: str) -> None:
    record = _ready(ctx, ref, name, RUNNING)
    await ctx.services.hypervisor.ask_to_shut_down(record)
    if not await wait_for(ctx, ref, lambda vm: bool(vm["power_state"] == HALTED), _CLEAN_SECONDS):
        raise ApiError("VM_SHUTDOWN_TIMEOUT", ref, f"{_CLEAN_SECONDS:g}")

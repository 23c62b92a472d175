"""Messages of class VM that make, change and remove VMs: no domain is touched."""

from __future__ import annotations

from typing import Any, Final

from hostagent.vm.configuration import check, new_vm
from hostagent.vm.power import HALTED, require
from hostagent.xenapi.context import Context
from hostagent.xenapi.errors import ApiError
from hostagent.xenapi.generic import add_to_map, remove_from_map
from hostagent.xenapi.model import NULL
from hostagent.xenapi.operations import operation
from hostagent.xenapi.registry import Messages

__all__ = ["messages"]

_OWNED: Final = (("VBD", "VBDs"), ("VIF", "VIFs"), ("console", "consoles"))

messages = Messages()


@messages.answers("VM.create")
async def create(ctx: Context, args: dict[str, Any]) -> str:
    """Make a VM, halted. Clients may send a whole record; see :func:`new_vm` for what may be left out."""
    fields = new_vm(args, ctx.services.hypervisor.boot_files)
    with ctx.store.transaction() as tx:
        metrics = tx.create("VM_metrics", {})
        return tx.create("VM", {**fields, "metrics": metrics})


@messages.answers("VM.destroy")
async def destroy(ctx: Context, vm: str) -> None:
    """Forget a halted VM and what belongs to it. Disks stay."""
    require(vm, ctx.store.get("VM", vm), "destroy", HALTED)
    with operation(ctx, "VM", vm, "destroy"), ctx.store.transaction() as tx:
        record = tx.get("VM", vm)
        for cls, field in _OWNED:
            for ref in list(record[field]):
                tx.delete(cls, ref)
        for cls, field in (("VM_metrics", "metrics"), ("VM_guest_metrics", "guest_metrics")):
            if record[field] != NULL:
                tx.delete(cls, record[field])
        tx.delete("VM", vm)


@messages.answers("VM.update_allowed_operations")
async def update_allowed_operations(ctx: Context, vm: str) -> None:
    """Nothing to do: they are always up to date. Kept because clients ask."""


@messages.answers("VM.assert_operation_valid")
async def assert_operation_valid(ctx: Context, vm: str, op: str) -> None:
    """Fail if the operation may not be started now."""
    record = ctx.store.get("VM", vm)
    if op not in record["allowed_operations"]:
        for task, what in record["current_operations"].items():
            raise ApiError("OTHER_OPERATION_IN_PROGRESS", "VM", vm, what, task)
        states = {"start": HALTED, "start_on": HALTED, "destroy": HALTED, "pause": "Running", "unpause": "Paused"}
        require(vm, record, op, *([states[op]] if op in states else []))
        raise ApiError("OPERATION_NOT_ALLOWED", f"{op} is not possible now")


@messages.answers("VM.assert_can_boot_here")
async def assert_can_boot_here(ctx: Context, vm: str, host: str) -> None:
    """Fail if the host takes no VMs."""
    if not ctx.store.get("host", host)["enabled"]:
        raise ApiError("HOST_DISABLED", host)


@messages.answers("VM.get_possible_hosts")
async def get_possible_hosts(ctx: Context, vm: str) -> list[str]:
    """The hosts that take VMs."""
    return [ref for ref, record in ctx.store.all("host").items() if record["enabled"]]


@messages.answers("VM.set_memory_limits")
async def set_memory_limits(
    ctx: Context, vm: str, static_min: int, static_max: int, dynamic_min: int, dynamic_max: int
) -> None:
    """All four at once."""
    _configure(
        ctx,
        vm,
        "changing_memory_limits",
        memory_static_min=static_min,
        memory_static_max=static_max,
        memory_dynamic_min=dynamic_min,
        memory_dynamic_max=dynamic_max,
        memory_target=dynamic_max,
    )


@messages.answers("VM.set_memory")
async def set_memory(ctx: Context, vm: str, value: int) -> None:
    """One fixed size: static and dynamic maximum and dynamic minimum."""
    _configure(
        ctx,
        vm,
        "changing_memory_limits",
        memory_static_max=value,
        memory_dynamic_min=value,
        memory_dynamic_max=value,
        memory_target=value,
    )


@messages.answers("VM.set_memory_static_range")
async def set_memory_static_range(ctx: Context, vm: str, min: int, max: int) -> None:  # noqa: A002 - the model's names
    """The outer limits."""
    _configure(ctx, vm, "changing_static_range", memory_static_min=min, memory_static_max=max)


@messages.answers("VM.set_memory_dynamic_range")
async def set_memory_dynamic_range(ctx: Context, vm: str, min: int, max: int) -> None:  # noqa: A002
    """The inner limits."""
    _configure(ctx, vm, "changing_dynamic_range", memory_dynamic_min=min, memory_dynamic_max=max, memory_target=max)


def _declare_setter(field: str, needs: str) -> None:
    """A setter of one field that is checked together with the rest."""

    async def setter(ctx: Context, vm: str, value: Any) -> None:  # noqa: ANN401 - any value of the model
        _configure(ctx, vm, needs, **{field: value})

    messages.answers(f"VM.set_{field}")(setter)


for _field, _needs in (
    ("memory_static_max", "changing_static_range"),
    ("memory_static_min", "changing_static_range"),
    ("memory_dynamic_max", "changing_dynamic_range"),
    ("memory_dynamic_min", "changing_dynamic_range"),
    ("VCPUs_max", "changing_VCPUs"),
    ("VCPUs_at_startup", "changing_VCPUs"),
    ("HVM_boot_policy", ""),
    ("domain_type", ""),
    ("actions_after_crash", ""),
    ("PV_kernel", ""),
    ("PV_ramdisk", ""),
    ("PV_args", ""),
    ("name_label", ""),
    ("name_description", ""),
    ("platform", ""),
    ("blocked_operations", ""),
    ("other_config", ""),
    ("start_delay", ""),
    ("shutdown_delay", ""),
    ("order", ""),
    ("has_vendor_device", ""),
):
    _declare_setter(_field, _needs)


def _declare_map(field: str) -> None:
    async def add(ctx: Context, vm: str, key: str, value: str) -> None:
        add_to_map(ctx, "VM", vm, field, key, value)

    async def remove(ctx: Context, vm: str, key: str) -> None:
        remove_from_map(ctx, "VM", vm, field, key)

    messages.answers(f"VM.add_to_{field}")(add)
    messages.answers(f"VM.remove_from_{field}")(remove)


for _field in ("other_config", "platform", "blocked_operations"):
    _declare_map(_field)


@messages.answers("VM.set_is_a_template")
async def set_is_a_template(ctx: Context, vm: str, value: bool) -> None:
    """Turn a halted VM into a template, or a template into a VM."""
    record = ctx.store.get("VM", vm)
    if record["is_a_template"] == value:
        return
    if value:
        require(vm, record, "make_into_template", HALTED)
    elif record["is_default_template"]:
        raise ApiError("OPERATION_NOT_ALLOWED", "a default template stays one; clone it")
    with ctx.store.transaction() as tx:
        tx.update("VM", vm, is_a_template=value)


def _configure(ctx: Context, ref: str, needs: str, **fields: Any) -> None:  # noqa: ANN401
    """Change settings, checked together with the rest of the record.

    :param needs: the operation that must be possible, which those that need a halted VM name.
    """
    record = ctx.store.get("VM", ref)
    if needs:
        require(ref, record, needs, HALTED)
    if not record["is_control_domain"]:
        check({**record, **fields}, ctx.services.hypervisor.boot_files)
    with ctx.store.transaction() as tx:
        tx.update("VM", ref, **fields)

"""What a VM's settings must fulfil, and the record of a new VM. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hostagent.vm.bootfiles import BootFiles
from hostagent.xenapi.errors import ApiError

__all__ = ["MAX_VCPUS", "check", "new_vm"]

MAX_VCPUS: Final = 512
"""Xen's limit for PV guests; PVH and HVM guests have a lower one of their own."""
_LEAST_MEMORY: Final = 16 << 20
_TEXT_LIMITS: Final = {
    "name_label": 1024,
    "name_description": 16384,
    # What Linux takes on x86 (COMMAND_LINE_SIZE), less the ending.
    "PV_args": 2047,
}
_NOT_GIVEN: Final[Mapping[str, Any]] = {
    "actions_after_shutdown": "destroy",
    "actions_after_reboot": "restart",
    "actions_after_crash": "restart",
}


def new_vm(given: Mapping[str, Any], files: BootFiles) -> dict[str, Any]:
    """The fields of a VM to be made from what a client sent; whole records that it read elsewhere are welcome.

    What a new VM cannot have (a power state, a domain, a place in a pool's schedules) is left out, what is missing
    gets the value that users would expect.

    :raises ApiError: INVALID_VALUE for a missing or impossible value, and whatever :func:`check` raises.
    """
    vm = {**_NOT_GIVEN, **given}
    for name in ("power_state", "suspend_VDI", "appliance", "protection_policy", "snapshot_schedule"):
        vm.pop(name, None)
    vm.update(domid=-1, is_snapshot_from_vmpp=False, is_vmss_snapshot=False)
    if not vm.get("memory_static_max"):
        raise ApiError("INVALID_VALUE", "memory_static_max", str(vm.get("memory_static_max", "")))
    most = vm["memory_static_max"]
    # A record with zeroes, as some clients send it, means "as much as there is".
    vm["memory_dynamic_max"] = vm.get("memory_dynamic_max") or most
    vm["memory_dynamic_min"] = vm.get("memory_dynamic_min") or vm["memory_dynamic_max"]
    vm.setdefault("memory_static_min", min(most, _LEAST_MEMORY))
    vm["memory_target"] = vm["memory_dynamic_max"]
    vm["VCPUs_max"] = vm.get("VCPUs_max") or vm.get("VCPUs_at_startup") or 1
    vm["VCPUs_at_startup"] = vm.get("VCPUs_at_startup") or vm["VCPUs_max"]
    if vm.get("domain_type", "unspecified") == "unspecified":
        vm["domain_type"] = "hvm" if vm.get("HVM_boot_policy") else "pv"
    vm.setdefault("PV_args", "")
    check(vm, files)
    return vm


def check(vm: Mapping[str, Any], files: BootFiles) -> None:
    """Refuse settings that do not go together.

    :raises ApiError: MEMORY_CONSTRAINT_VIOLATION [constraint], INVALID_VALUE [field, value], or VALUE_NOT_SUPPORTED
        [field, value, reason].
    """
    _check_memory(vm)
    if not 1 <= vm["VCPUs_max"] <= MAX_VCPUS:
        raise ApiError("INVALID_VALUE", "VCPUs_max", str(vm["VCPUs_max"]))
    if not 1 <= vm["VCPUs_at_startup"] <= vm["VCPUs_max"]:
        raise ApiError("INVALID_VALUE", "VCPUs_at_startup", str(vm["VCPUs_at_startup"]))
    for field, limit in _TEXT_LIMITS.items():
        if len(vm.get(field, "")) > limit:
            raise ApiError("VALUE_NOT_SUPPORTED", field, vm[field][:64] + "...", f"longer than {limit} characters")
    for field in ("PV_kernel", "PV_ramdisk"):
        files.check_name(field, vm.get(field, ""))


def _check_memory(vm: Mapping[str, Any]) -> None:
    names = ("memory_static_min", "memory_dynamic_min", "memory_dynamic_max", "memory_static_max")
    values = [vm[name] for name in names]
    if values != sorted(values) or values[0] < 0:
        constraint = " <= ".join(name.removeprefix("memory_") for name in names)
        raise ApiError("MEMORY_CONSTRAINT_VIOLATION", constraint)
    if vm["memory_static_max"] < _LEAST_MEMORY:
        raise ApiError("VALUE_NOT_SUPPORTED", "memory_static_max", str(values[3]), f"less than {_LEAST_MEMORY} bytes")
    if values[3] >= 1 << 46:
        raise ApiError("VALUE_NOT_SUPPORTED", "memory_static_max", str(values[3]), "more than Xen can give")

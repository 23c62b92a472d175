"""The VM's life as the XenAPI sees it: power states, and which operations each allows. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hostagent.xenapi.errors import ApiError

__all__ = ["HALTED", "OVERRIDES", "PAUSED", "RUNNING", "SUSPENDED", "allowed_operations", "require"]

HALTED: Final = "Halted"
PAUSED: Final = "Paused"
RUNNING: Final = "Running"
SUSPENDED: Final = "Suspended"

# Operations that this host carries out, by the power states in which they make sense.
_SETTINGS: Final = (
    "changing_memory_limits", "changing_static_range", "changing_dynamic_range", "changing_VCPUs",
)  # fmt: skip
_BY_STATE: Final[Mapping[str, tuple[str, ...]]] = {
    HALTED: ("start", "start_on", "destroy", "make_into_template", *_SETTINGS),
    RUNNING: ("pause", "clean_shutdown", "clean_reboot", "hard_shutdown", "hard_reboot", "shutdown"),
    PAUSED: ("unpause", "hard_shutdown", "hard_reboot", "shutdown"),
    SUSPENDED: (),
}
_OF_TEMPLATES: Final = ("destroy", *_SETTINGS)
OVERRIDES: Final[Mapping[str, frozenset[str]]] = {
    name: frozenset({"clean_shutdown", "clean_reboot", "shutdown"}) for name in ("hard_shutdown", "hard_reboot")
}
"""What may be started while something else waits: who loses patience with a guest can still pull its plug."""


def allowed_operations(vm: Mapping[str, Any]) -> list[str]:
    """What may be asked of a VM now."""
    if vm["is_control_domain"] or vm["is_a_snapshot"]:
        return []
    if vm["is_a_template"]:
        # A default template belongs to the host.
        operations = tuple(word for word in _OF_TEMPLATES if word != "destroy" or not vm["is_default_template"])
    else:
        operations = _BY_STATE[vm["power_state"]]
    current = set(vm["current_operations"].values())
    return [
        word
        for word in operations
        if word not in vm["blocked_operations"] and current <= OVERRIDES.get(word, frozenset())
    ]


def require(ref: str, vm: Mapping[str, Any], operation: str, *states: str) -> None:
    """Refuse an operation on a VM that is not in one of these power states.

    :raises ApiError: OPERATION_NOT_ALLOWED, VM_IS_TEMPLATE, OPERATION_BLOCKED or VM_BAD_POWER_STATE
        [ref, expected, actual].
    """
    if vm["is_control_domain"]:
        raise ApiError("OPERATION_NOT_ALLOWED", f"{operation} of a control domain: shut down or reboot the host")
    if vm["is_a_snapshot"]:
        raise ApiError("VM_IS_SNAPSHOT", ref, operation)
    if vm["is_a_template"] and operation not in _OF_TEMPLATES:
        raise ApiError("VM_IS_TEMPLATE", ref)
    if vm["is_default_template"] and operation == "destroy":
        raise ApiError("VM_CANNOT_DELETE_DEFAULT_TEMPLATE", ref)
    if operation in vm["blocked_operations"]:
        raise ApiError("OPERATION_BLOCKED", ref, vm["blocked_operations"][operation])
    if states and vm["power_state"] not in states:
        expected = " or ".join(state.lower() for state in states)
        raise ApiError("VM_BAD_POWER_STATE", ref, expected, vm["power_state"].lower())

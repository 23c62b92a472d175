"""The declared data model: every class that this host knows, its fields and messages.

Names, types, qualifiers and defaults are those of XenAPI 2.23, so that existing clients work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from hostagent.xenapi.model import access, flow, host, network, pool, storage, vbd, vif, vm, vm_parts
from hostagent.xenapi.model.table import ClassTable, Field, Message, Param, Qualifier, implicit_messages
from hostagent.xenapi.model.types import NULL, Value

__all__ = [
    "CLASSES",
    "NULL",
    "RELATIONS",
    "ClassTable",
    "Field",
    "Message",
    "Param",
    "Qualifier",
    "Relation",
    "Value",
    "implicit_messages",
    "relations_from",
]

CLASSES: Mapping[str, ClassTable] = MappingProxyType(
    {
        table.name: table
        for table in (
            access.SESSION, access.ROLE, access.SUBJECT, access.USER, flow.TASK, flow.EVENT, pool.POOL, host.HOST,
            host.HOST_METRICS, host.HOST_CPU, vm.VM, vm_parts.VM_METRICS, vm_parts.VM_GUEST_METRICS, vm_parts.CONSOLE,
            network.NETWORK, network.PIF, network.PIF_METRICS, network.BOND, network.VLAN, network.TUNNEL, vif.VIF,
            storage.SR, storage.SM, storage.PBD, storage.VDI, vbd.VBD,
        )
    }
)  # fmt: skip
"""Every class, by its name."""


@dataclass(frozen=True)
class Relation:
    """``child.ref`` points to one parent; ``parent.set`` holds all such children and is kept by the store."""

    child: str
    ref: str
    parent: str
    set: str


RELATIONS = tuple(
    Relation(*line.split())
    for line in """
        PIF host host PIFs
        PIF network network PIFs
        PIF bond_slave_of Bond slaves
        Bond master PIF bond_master_of
        VLAN tagged_PIF PIF VLAN_slave_of
        tunnel access_PIF PIF tunnel_access_PIF_of
        tunnel transport_PIF PIF tunnel_transport_PIF_of
        PBD host host PBDs
        PBD SR SR PBDs
        host_cpu host host host_CPUs
        VM resident_on host resident_VMs
        VM snapshot_of VM snapshots
        VM parent VM children
        VIF VM VM VIFs
        VIF network network VIFs
        VBD VM VM VBDs
        VBD VDI VDI VBDs
        console VM VM consoles
        VDI SR SR VDIs
        VDI snapshot_of VDI snapshots
        task subtask_of task subtasks
    """.strip().splitlines()
)
"""Set fields that mirror a reference of other objects. Nobody writes them: the store does."""


@cache
def relations_from(child: str) -> tuple[Relation, ...]:
    """The relations in which objects of this class are the children."""
    return tuple(relation for relation in RELATIONS if relation.child == child)

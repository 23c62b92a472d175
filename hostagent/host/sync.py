"""Writes what the machine is into the records that first boot made: idempotent, and silent when nothing changed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from hostagent.host.facts import HostFacts
from hostagent.host.links import LinkFacts
from hostagent.host.version import API_VERSION, license_params, restrictions, software_version
from hostagent.store import Record, Store, Transaction
from hostagent.xenapi.model import NULL
from hostagent.xenapi.services import Capacity
from zeroth import __version__

__all__ = ["DISABLED", "management_pif", "sync_capacity", "sync_host", "sync_links"]

DISABLED: Final = "disabled_in_boot"
"""Key of ``host.other_config``: the boot in which an administrator disabled the host, which takes VMs again in the
next one; empty when it shall stay disabled."""

log = logging.getLogger(__name__)


def sync_host(store: Store, facts: HostFacts, started: datetime) -> None:
    """Host, pool and control domain, from what can be read without the hypervisor.

    :param started: when this agent was.
    """
    ref = store.only("host")
    with store.transaction() as tx:
        host = tx.get("host", ref)
        other = {**host["other_config"], "agent_start_time": f"{started.timestamp():.0f}."}
        if facts.booted:
            other["boot_time"] = f"{facts.booted.timestamp():.0f}."
        enabled = host["enabled"]
        if other.get(DISABLED) and other[DISABLED] != facts.boot:
            del other[DISABLED]
            enabled = True
        tx.update(
            "host",
            ref,
            API_version_major=API_VERSION[0],
            API_version_minor=API_VERSION[1],
            API_version_vendor="XenSource",
            API_version_vendor_implementation={"zeroth": __version__},
            enabled=enabled,
            software_version=software_version(facts),
            capabilities=list(facts.capabilities),
            hostname=facts.hostname,
            bios_strings=dict(facts.bios),
            cpu_info={**host["cpu_info"], **facts.cpu},
            other_config=other,
            edition="free",
            editions=["free"],
            license_params=license_params(),
            https_only=True,
            ssl_legacy=False,
            virtual_hardware_platform_versions=[0, 1, 2],
        )
        _control_domain(tx, tx.get("host", ref)["control_domain"], facts)
        pool = store.only("pool")
        tx.update("pool", pool, restrictions=restrictions(), cpu_info=tx.get("host", ref)["cpu_info"])


def sync_capacity(store: Store, capacity: Capacity | None) -> None:
    """Memory and processors, as the hypervisor counts them.

    :param capacity: None when it cannot be asked: what was known stays.
    """
    ref = store.only("host")
    with store.transaction() as tx:
        host = tx.get("host", ref)
        if host["metrics"] == NULL:
            tx.update("host", ref, metrics=tx.create("host_metrics", {}))
        metrics = tx.get("host", ref)["metrics"]
        values: dict[str, Any] = {"live": True}
        if capacity is not None:
            values |= {"memory_total": capacity.memory_total, "memory_free": capacity.memory_free}
            cpu_info = host["cpu_info"] | {
                "cpu_count": str(capacity.cpus),
                "socket_count": str(capacity.sockets),
                "threads_per_core": str(capacity.threads_per_core),
            }
            tx.update("host", ref, cpu_info=cpu_info)
            tx.update("pool", store.only("pool"), cpu_info=cpu_info)
        _update_with_time(tx, "host_metrics", metrics, values)
        if capacity is not None and capacity.control_domain_memory and host["control_domain"] != NULL:
            dom0 = tx.get("VM", host["control_domain"])
            if dom0["metrics"] != NULL:
                _update_with_time(tx, "VM_metrics", dom0["metrics"], {"memory_actual": capacity.control_domain_memory})


def sync_links(store: Store, links: Mapping[str, LinkFacts]) -> None:
    """PIFs, their metrics, bonds and the host's address, from the links."""
    with store.transaction() as tx:
        links = {**links, **_bonds(tx, links)}
        for ref, pif in tx.all("PIF").items():
            card = links.get(pif["device"])
            bridge = links.get(tx.get("network", pif["network"])["bridge"]) if pif["network"] != NULL else None
            if card is not None:
                tx.update("PIF", ref, MAC=card.mac, MTU=card.mtu, currently_attached=card.up)
                _pif_metrics(tx, ref, card)
            elif pif["currently_attached"]:
                tx.update("PIF", ref, currently_attached=False)
                log.warning("the network card %s (%s) is gone", pif["device"], pif["MAC"])
            if pif["management"] and bridge is not None:
                _management(tx, ref, pif, bridge)


def _bonds(tx: Transaction, links: Mapping[str, LinkFacts]) -> Mapping[str, LinkFacts]:
    """The bonds as if they were links, which the kernel does not know: Open vSwitch's have no device."""
    found = {}
    for ref, bond in tx.all("Bond").items():
        device = tx.get("PIF", bond["master"])["device"]
        # The primary card first: the bond has its address.
        order = sorted(bond["slaves"], key=lambda slave: slave != bond["primary_slave"])
        cards = [links[name] for slave in order if (name := tx.get("PIF", slave)["device"]) in links]
        working = [card for card in cards if card.carrier]
        tx.update("Bond", ref, links_up=len(working))
        if cards:
            speed = sum(card.speed for card in working)
            up, carrier = any(card.up for card in cards), bool(working)
            found[device] = replace(
                cards[0], name=device, up=up, carrier=carrier, speed=speed, bus="", vendor="", product=""
            )
    return found


def management_pif(store: Store) -> str:
    """The interface on which the host is managed; the null reference when there is none."""
    return next((ref for ref, pif in store.all("PIF").items() if pif["management"]), NULL)


def _management(tx: Transaction, ref: str, pif: Record, bridge: LinkFacts) -> None:
    # Without an address (between two leases, say) the last one is still what clients should try.
    if bridge.address is not None:
        tx.update(
            "PIF",
            ref,
            IP=str(bridge.address.ip),
            netmask=str(bridge.address.netmask),
            gateway=bridge.gateway,
            DNS=",".join(bridge.dns),
            ip_configuration_mode="DHCP" if bridge.dynamic else "Static",
        )
    six = bridge.addresses6 if pif["ipv6_configuration_mode"] != "None" else ()
    if six:
        tx.update("PIF", ref, IPv6=[str(address) for address in six], ipv6_gateway=bridge.gateway6,
                  DNS=",".join(bridge.dns))  # fmt: skip
    first = six[0] if pif["primary_address_type"] == "IPv6" and six else bridge.address
    if first is not None and pif["host"] != NULL:
        tx.update("host", pif["host"], address=str(first.ip))


def _pif_metrics(tx: Transaction, ref: str, card: LinkFacts) -> None:
    metrics = tx.get("PIF", ref)["metrics"]
    if metrics == NULL:
        metrics = tx.create("PIF_metrics", {})
        tx.update("PIF", ref, metrics=metrics)
    values = {
        "carrier": bool(card.carrier),
        "speed": card.speed,
        "duplex": bool(card.carrier),
        "pci_bus_path": card.bus,
        "vendor_id": card.vendor,
        "device_id": card.product,
    }
    _update_with_time(tx, "PIF_metrics", metrics, values)


def _control_domain(tx: Transaction, ref: str, facts: HostFacts) -> None:
    if ref == NULL:
        return
    tx.update("VM", ref, power_state="Running", domid=0)
    if facts.dom0_vcpus:
        tx.update("VM", ref, VCPUs_max=facts.dom0_vcpus, VCPUs_at_startup=facts.dom0_vcpus)
    metrics = tx.get("VM", ref)["metrics"]
    if metrics != NULL:
        values: dict[str, Any] = {"VCPUs_number": facts.dom0_vcpus, "state": ["Running"], "current_domain_type": "pv"}
        if facts.booted:
            values["start_time"] = facts.booted
        _update_with_time(tx, "VM_metrics", metrics, values)


def _update_with_time(tx: Transaction, cls: str, ref: str, values: Mapping[str, Any]) -> None:
    """Write metrics, and when they changed; nothing when they did not."""
    old = tx.get(cls, ref)
    if any(old[name] != value for name, value in values.items()):
        tx.update(cls, ref, last_updated=datetime.now(UTC).replace(microsecond=0), **values)

"""From a VM record to libvirt's domain XML. Pure: reads nothing but its arguments.

The domain is named by the VM's uuid: names must be unique on a host, labels need not be. The label is its title
(``virsh list --title``). The guest's console is logged by xenconsoled as ``/var/log/xen/console/guest-<uuid>.log``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import Element, SubElement, tostring

from hostagent.xenapi.errors import ApiError

__all__ = ["BootPlan", "domain_type", "domain_xml"]

_CRASH: Final = {
    "destroy": "destroy",
    "coredump_and_destroy": "coredump-destroy",
    "restart": "restart",
    "coredump_and_restart": "coredump-restart",
    "preserve": "preserve",
    "rename_restart": "rename-restart",
}
_MACHINES: Final = {"pv": ("linux", "xenpv"), "pvh": ("xenpvh", "xenpvh")}
# What XML 1.0 cannot carry (its "Char" production, the other way round).
_NO_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CPU_LIST: Final = re.compile(r"\d{1,4}(-\d{1,4})?(,\d{1,4}(-\d{1,4})?)*")


@dataclass(frozen=True)
class BootPlan:
    """What the domain boots: files of domain 0, already checked."""

    kernel: Path
    ramdisk: Path | None
    arguments: str


def domain_type(record: Mapping[str, Any]) -> str:
    """``pv``, ``pvh`` or ``hvm``: the record's own word, else by its boot policy as the XenAPI has it."""
    declared: str = record["domain_type"]
    if declared == "pv_in_pvh":
        return "pvh"
    if declared != "unspecified":
        return declared
    return "hvm" if record["HVM_boot_policy"] else "pv"


def domain_xml(record: Mapping[str, Any], boot: BootPlan) -> str:
    """The domain of a VM that boots a Linux kernel directly (PV and PVH).

    :raises ApiError: for a value of the record that a domain cannot have.
    """
    kind = domain_type(record)
    os_type, machine = _MACHINES[kind]
    domain = Element("domain", type="xen")
    _text(domain, "name", record["uuid"])
    _text(domain, "uuid", record["uuid"])
    if title := _NO_XML.sub("", record["name_label"]).replace("\n", " ").strip():
        _text(domain, "title", title)
    _text(domain, "memory", str(record["memory_static_max"]), unit="b")
    # Ballooning a guest that may have no balloon driver is for later: it starts with all it may have.
    _text(domain, "currentMemory", str(record["memory_static_max"]), unit="b")
    most = record["VCPUs_max"]
    vcpu = _text(domain, "vcpu", str(most))
    if record["VCPUs_at_startup"] < most:
        vcpu.set("current", str(record["VCPUs_at_startup"]))
    if mask := record["VCPUs_params"].get("mask", ""):
        vcpu.set("cpuset", _cpu_list(mask))
    os_element = SubElement(domain, "os")
    _text(os_element, "type", os_type, arch="x86_64", machine=machine)
    _text(os_element, "kernel", str(boot.kernel))
    if boot.ramdisk:
        _text(os_element, "initrd", str(boot.ramdisk))
    if boot.arguments:
        _text(os_element, "cmdline", _clean("PV_args", boot.arguments))
    SubElement(domain, "clock", offset="utc")
    _text(domain, "on_poweroff", record["actions_after_shutdown"])
    _text(domain, "on_reboot", record["actions_after_reboot"])
    _text(domain, "on_crash", _CRASH[record["actions_after_crash"]])
    devices = SubElement(domain, "devices")
    console = SubElement(devices, "console", type="pty")
    SubElement(console, "target", type="xen", port="0")
    return tostring(domain, encoding="unicode")


def _text(parent: Element, tag: str, text: str, **attributes: str) -> Element:
    element = SubElement(parent, tag, attributes)
    element.text = text
    return element


def _clean(field: str, value: str) -> str:
    if _NO_XML.search(value):
        raise ApiError("VALUE_NOT_SUPPORTED", field, value, "control characters")
    return value


def _cpu_list(mask: str) -> str:
    if not _CPU_LIST.fullmatch(mask):
        raise ApiError("VALUE_NOT_SUPPORTED", "VCPUs_params", mask, "the mask is not a list of CPU numbers")
    return mask

"""An answer in words: what the host will be, and what will be destroyed."""

from __future__ import annotations

from zeroth.spec.model import (
    DhcpAddress,
    DiskSpec,
    Dom0Spec,
    EndAction,
    HostSpec,
    ManagementNetwork,
    NoAddress,
    OnFailure,
    RootLogin,
)

__all__ = ["explained"]

_END = {
    EndAction.REBOOT: "the machine reboots into the installed host",
    EndAction.POWEROFF: "the machine is powered off",
    EndAction.HALT: "the machine waits for somebody to press Enter, then reboots",
}
_FAILURE = {
    OnFailure.SHELL: "the consoles show why and give a root shell",
    OnFailure.POWEROFF: "the machine is powered off; the log is kept",
}


def explained(spec: HostSpec) -> list[tuple[str, str]]:
    """Rows of a topic and what holds for it. No secret is told."""
    again = "the answer is applied even where it was applied before" if spec.reinstall else (
        "a machine to which this answer was applied before is left alone"
    )  # fmt: skip
    return [
        ("Host", f"{spec.hostname}, time zone {spec.timezone}, keyboard {spec.keyboard}"),
        ("Login", _login(spec.root)),
        ("Disk", _disk(spec.disk)),
        ("Destroyed", _destroyed(spec.disk)),
        ("Network", _network(spec.management)),
        ("Domain 0", _dom0(spec.dom0)),
        ("Installed", _END[spec.end_action]),
        ("Failed", _FAILURE[spec.on_failure]),
        ("Again", again),
    ]


def _login(root: RootLogin) -> str:
    keys = len(root.ssh_keys)
    ways = ["a password"] if root.password_hash or root.password else []
    if keys:
        ways.append("one ssh key" if keys == 1 else f"{keys} ssh keys")
    return f"root, with {' and '.join(ways)}"


def _disk(disk: DiskSpec) -> str:
    kind, equals, value = disk.select.partition("=")
    match disk.select:
        case "only":
            return "the only disk of the machine; with more than one, nothing is done"
        case "smallest" | "largest":
            return f"the {disk.select} disk of the machine"
    if equals and not disk.select.startswith("/"):
        return f"the one disk whose {kind} is {value}"
    return disk.select


def _destroyed(disk: DiskSpec) -> str:
    if disk.wipe:
        return "EVERYTHING on that disk, whatever it carries. No other disk is touched."
    if disk.wipe_disks:
        return f"EVERYTHING on {' and on '.join(disk.wipe_disks)}, whatever is there. No other disk is touched."
    return "nothing: there is no consent to erase, so only an empty disk is taken"


def _network(network: ManagementNetwork) -> str:
    nic = f"NIC {network.nic}" if network.nic else "the only NIC with a link"
    vlan = f", VLAN {network.vlan}" if network.vlan else ""
    if isinstance(network.address, NoAddress):
        address = "no IPv4 address"
    elif isinstance(network.address, DhcpAddress):
        address = "address by DHCP"
    else:
        gateway = f"gateway {network.address.gateway}" if network.address.gateway else "no gateway"
        address = f"address {network.address.address}, {gateway}"
    dns = f", DNS {', '.join(map(str, network.dns))}" if network.dns else ""
    return f"{nic}{vlan}, on the bridge {network.bridge}; {address}{dns}"


def _dom0(dom0: Dom0Spec) -> str:
    vcpus = f"{dom0.vcpus} virtual CPUs" if dom0.vcpus else "all CPUs"
    serial = f"console also on the first serial port at {dom0.serial}" if dom0.serial else "no serial console"
    words = [f"; {name} also gets {' '.join(more)}" for name, more in
             (("Xen", dom0.xen_append), ("Linux", dom0.linux_append)) if more]  # fmt: skip
    return f"{dom0.memory} of memory, {vcpus}, {serial}{''.join(words)}"

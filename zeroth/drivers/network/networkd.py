"""systemd-networkd's files, and what it says of the links. Source: systemd.network(5), systemd.link(5)."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from zeroth.drivers.network.model import Link
from zeroth.spec.model import Dhcp6Address, ManagementNetwork, SlaacAddress, Static6Address, StaticAddress
from zeroth.system.run import CommandFailed, run

__all__ = [
    "BRIDGE_FILE",
    "HEADER",
    "LINK_FILE",
    "MANAGEMENT_FILE",
    "UPLINK_FILE",
    "networkd_files",
    "networkd_gateway",
    "networkd_links",
    "networkd_servers",
    "read_files",
]

HEADER = "# Made by zeroth from the host's management network; changes are overwritten.\n"
LINK_FILE = "10-zeroth-uplink.link"
UPLINK_FILE = "10-zeroth-uplink.network"
BRIDGE_FILE = "10-zeroth-bridge.network"
MANAGEMENT_FILE = "10-zeroth-management.network"

_NO_ADDRESS = "[Network]\nDHCP=no\nLinkLocalAddressing=no\nIPv6AcceptRA=no\nLLMNR=no\n"


def networkd_files(management: ManagementNetwork, nics: Sequence[Link], address_on: str) -> Mapping[str, str]:
    """The files for a management network, by name.

    :param nics: the cards that carry it.
    :param address_on: the link that gets the address.
    """
    names = " ".join(nic.name for nic in nics)
    files = {
        # KeepMaster: the datapath is the NIC's master, and networkd would try to free it.
        UPLINK_FILE: HEADER
        + f"[Match]\nName={names}\n\n[Link]\nRequiredForOnline=no\n\n{_NO_ADDRESS}KeepMaster=yes\nLLDP=yes\n",
        MANAGEMENT_FILE: HEADER + f"[Match]\nName={address_on}\n\n{_addressing(management)}",
    }
    for number, nic in enumerate(nics, 1):
        name = LINK_FILE if number == 1 else LINK_FILE.replace(".link", f"-{number}.link")
        files[name] = HEADER + f"[Match]\n{_match_card(nic)}\n[Link]\nName={nic.name}\n"
    if address_on != management.bridge:
        files[BRIDGE_FILE] = (
            HEADER + f"[Match]\nName={management.bridge}\n\n[Link]\nRequiredForOnline=no\n\n{_NO_ADDRESS}"
        )
    return files


def read_files(folder: Path) -> Mapping[str, str]:
    """Our files in networkd's folder: those that begin with our header."""
    found = {}
    for path in sorted(folder.glob("*-zeroth-*")) if folder.is_dir() else ():
        text = path.read_text(errors="replace") if path.is_file() else ""
        if text.startswith(HEADER):
            found[path.name] = text
    return found


def networkd_links() -> Mapping[str, Mapping[str, Any]]:
    """What networkd says of each link, by name; empty when networkd is not running (or not on this machine)."""
    try:
        text = run(["networkctl", "--json=short", "list"], timeout=20).stdout
        interfaces = json.loads(text).get("Interfaces", [])
    except (CommandFailed, json.JSONDecodeError):
        return {}
    return {entry["Name"]: entry for entry in interfaces if "Name" in entry}


def networkd_servers(link: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    """The addresses (and names) of servers that networkd has for a link.

    :param kind: ``DNS`` or ``NTP``.
    """
    found = []
    for entry in link.get(kind, ()):
        address = _address(entry.get("Address"))
        # A link-local one is of use with its zone only, which is this machine's own word.
        if address and ip_address(address).is_link_local:
            address = ""
        if server := entry.get("Server") or address:
            found.append(server)
    return tuple(dict.fromkeys(found))


def networkd_gateway(link: Mapping[str, Any], family: socket.AddressFamily = socket.AF_INET) -> str:
    """The gateway of the default route of a family that networkd set on a link; empty for none."""
    for route in link.get("Routes", ()):
        if route.get("Family") == family and route.get("DestinationPrefixLength") == 0:
            return _address(route.get("Gateway"))
    return ""


def _address(raw: object) -> str:
    # networkd writes addresses as lists of bytes.
    return str(ip_address(bytes(raw))) if isinstance(raw, list) and len(raw) in (4, 16) else ""


def _match_card(nic: Link) -> str:
    # The bridge has the NIC's address, too, and must not be renamed: a NIC is matched by the address burnt in, which
    # an internal port has not, or by its driver besides.
    if nic.permanent_mac:
        return f"PermanentMACAddress={nic.permanent_mac}\n"
    return f"MACAddress={nic.mac}\nDriver={nic.driver or '*'}\n"


def _addressing(management: ManagementNetwork) -> str:
    address, address6 = management.address, management.address6
    routers = isinstance(address6, SlaacAddress | Dhcp6Address)
    lines = ["[Network]", "LinkLocalAddressing=ipv6", f"IPv6AcceptRA={'yes' if routers else 'no'}"]
    if isinstance(address, StaticAddress):
        lines += ["DHCP=no", f"Address={address.address}"]
        if address.gateway:
            lines.append(f"Gateway={address.gateway}")
        # A fixed address stands whether or not there is a link: the console and local services count on it.
        lines.append("ConfigureWithoutCarrier=yes")
    else:
        lines.append("DHCP=ipv4")
    if isinstance(address6, Static6Address):
        lines.append(f"Address={address6.address}")
        if address6.gateway:
            lines.append(f"Gateway={address6.gateway}")
    lines += [f"DNS={server}" for server in management.dns]
    if management.search:
        lines.append(f"Domains={' '.join(management.search)}")
    # Name servers that the answer gives go before those that others name.
    own_dns = f"UseDNS={'no' if management.dns else 'yes'}"
    if not isinstance(address, StaticAddress):
        # The client identifier is the MAC address, which is pinned: the lease stays the same from install to install,
        # and reservations by MAC address work.
        lines += ["", "[DHCPv4]", "ClientIdentifier=mac", "UseHostname=no", own_dns]
    if routers:
        lines += ["", "[IPv6AcceptRA]", own_dns]
        if isinstance(address6, Dhcp6Address):
            # Asked for whatever routers say, and the one address by which the host is known.
            lines += ["DHCPv6Client=always", "UseAutonomousPrefix=no"]
        lines += ["", "[DHCPv6]", "UseHostname=no", own_dns]
    return "\n".join(lines) + "\n"

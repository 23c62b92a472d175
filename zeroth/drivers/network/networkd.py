"""systemd-networkd's files, and what it says of the links. Source: systemd.network(5), systemd.link(5)."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from zeroth.drivers.network.frames6 import IAID
from zeroth.drivers.network.model import Link
from zeroth.spec.model import (
    Dhcp6Address,
    DhcpAddress,
    ManagementNetwork,
    NoAddress,
    SlaacAddress,
    Static6Address,
    StaticAddress,
)
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
    """The addresses (and names) of servers that networkd has for a link; without link-local ones.

    :param kind: ``DNS`` or ``NTP``.
    """
    found = []
    for entry in link.get(kind, ()):
        server = entry.get("Server") or _address(entry.get("Address"))
        # A link-local address means nothing without its link, which neither resolv.conf's readers nor clients know.
        if server and not server.startswith("fe80:"):
            found.append(server)
    return tuple(dict.fromkeys(found))


def networkd_gateway(link: Mapping[str, Any], family: int = socket.AF_INET) -> str:
    """The gateway of the default route that networkd set on a link; empty for none."""
    for route in link.get("Routes", ()):
        if route.get("Family") == family and route.get("DestinationPrefixLength") == 0 and route.get("Gateway"):
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
    four, six = management.address, management.address6
    without = isinstance(six, NoAddress)
    # The kernel hears no advertisements: networkd does, where it is told to. Without IPv6 the link has no address of
    # it at all, whatever a router says.
    listens = isinstance(six, SlaacAddress | Dhcp6Address)
    by_dhcp = (isinstance(four, DhcpAddress), isinstance(six, Dhcp6Address))
    dhcp = {(True, True): "yes", (True, False): "ipv4", (False, True): "ipv6", (False, False): "no"}[by_dhcp]
    lines = [
        "[Network]",
        f"LinkLocalAddressing={'no' if without else 'ipv6'}",
        f"IPv6AcceptRA={'yes' if listens else 'no'}",
        f"DHCP={dhcp}",
    ]
    fixed = [address for address in (four, six) if isinstance(address, StaticAddress | Static6Address)]
    for address in fixed:
        lines.append(f"Address={address.address}")
        if address.gateway:
            lines.append(f"Gateway={address.gateway}")
    if fixed:
        # A fixed address stands whether or not there is a link: the console and local services count on it.
        lines.append("ConfigureWithoutCarrier=yes")
    lines += [f"DNS={server}" for server in management.dns]
    if management.search:
        lines.append(f"Domains={' '.join(management.search)}")
    # Name servers that the answer gives go before those that the network names.
    own_dns = f"UseDNS={'no' if management.dns else 'yes'}"
    if isinstance(four, DhcpAddress):
        # The client identifier is the MAC address, which is pinned: the lease stays the same from install to install,
        # and reservations by MAC address work.
        lines += ["", "[DHCPv4]", "ClientIdentifier=mac", "UseHostname=no", own_dns]
    if listens:
        lines += _advertised(own_dns, dhcp=isinstance(six, Dhcp6Address))
    return "\n".join(lines) + "\n"


def _advertised(own_dns: str, *, dhcp: bool) -> list[str]:
    """What is taken of routers and DHCPv6: the address comes from the one that was asked for, and not from both."""
    return [
        "",
        "[IPv6AcceptRA]",
        own_dns,
        f"UseAutonomousPrefix={'no' if dhcp else 'yes'}",
        # Made from the MAC address, which is pinned: the installer can say before what it will be.
        "Token=eui64",
        # With advertised addresses the router says whether DHCPv6 has name servers besides.
        f"DHCPv6Client={'always' if dhcp else 'yes'}",
        "",
        "[DHCPv6]",
        own_dns,
        "UseHostname=no",
        f"UseAddress={'yes' if dhcp else 'no'}",
        "UseDelegatedPrefix=no",
        # The client is named by its MAC address, as with IPv4 and as in the installer's trial (frames6).
        "DUIDType=link-layer",
        f"IAID={IAID}",
        *(["WithoutRA=solicit"] if dhcp else []),
    ]

"""The network command: management, further networks, bonds. Reader's process only."""

from __future__ import annotations

import ipaddress

from pykickstart.commands.network import F39_NetworkData, RHEL10_Network
from pykickstart.options import KSOptionParser
from pykickstart.version import RHEL10

from zeroth.spec.document import Path
from zeroth.spec.kickstart.draft import Draft
from zeroth.spec.kickstart.filling import Filling, Parsed, fill_options, whole
from zeroth.spec.kickstart.vocabulary import command_named
from zeroth.spec.kickstart.words import Line, split_list

__all__ = ["Zeroth_Network", "Zeroth_NetworkData"]

# The names follow pykickstart, see commands.py.
# ruff: noqa: N801

# As the kernel's bonding driver calls them.
_BOND_NAMES = {"xmit_hash_policy": "hashing"}
_BOND_VALUES = {"802.3ad": "lacp", "layer3+4": "tcpudp_ports", "layer2": "src_mac"}


class Zeroth_NetworkData(F39_NetworkData):
    """A line; unlike stock kickstart's, two that name no device are two."""

    __eq__ = object.__eq__
    __ne__ = object.__ne__
    __hash__ = object.__hash__


class Zeroth_Network(Filling, RHEL10_Network):
    """network"""

    def _getParser(self) -> KSOptionParser:  # noqa: N802
        parser = super()._getParser()
        parser.add_argument("--name", version=RHEL10, help="Name of a further network.")
        parser.add_argument("--purpose", version=RHEL10, help="What a further network is for.")
        parser.add_argument("--bridge", version=RHEL10, help="Name of the Open vSwitch bridge.")
        parser.add_argument("--no-try", version=RHEL10, action="store_true", help="Do not try the network first.")
        # Checked here, with a place: stock kickstart takes any word.
        parser.add_argument("--onboot", version=RHEL10, help="Only yes.")
        return parser

    _configured: Line | None = None

    def fill(self, draft: Draft, line: Line, parsed: Parsed) -> None:
        """Set ``hostname``, and ``management`` or an item of ``networks``."""
        given = [word.option for word in line.words if word.option]
        if not given:
            draft.error(line, "network says nothing", "Give --hostname=NAME, and what the management network needs.")
            return
        if "--hostname" in given:
            if "hostname" in draft.data:
                draft.error(
                    line, "the host name is given twice", "Leave out one of the two.", line.given("--hostname")
                )
            draft.put("hostname", parsed.hostname, line, line.value("--hostname"))
        if given == ["--hostname"]:
            return
        if "--name" in given:
            self._fill_network(draft, line, parsed, draft.next("networks"))
            return
        if self._configured:
            draft.error(line, f"the management network was described in line {self._configured.number} already",
                        "A further network has a --name.")  # fmt: skip
            return
        self._configured = line
        self._fill_network(draft, line, parsed, ("management",))

    def _fill_network(self, draft: Draft, line: Line, parsed: Parsed, base: Path) -> None:
        command = command_named("network")
        assert command
        fill_options(draft, line, command, base)
        if parsed.bondslaves:
            self._fill_bond(draft, line, parsed, (*base, "bond"))
        elif parsed.bondopts:
            draft.error(line, "--bondopts without --bondslaves", "Name the NICs: --bondslaves=eth0,eth1",
                        line.given("--bondopts"))  # fmt: skip
        elif parsed.device and parsed.device != "link":
            draft.put((*base, "nic"), parsed.device, line, line.value("--device"))
        if line.given("--onboot") and parsed.onboot.lower() not in ("yes", "on", "true", "1"):
            draft.error(line, "the management network is always up", "Leave out --onboot.", line.value("--onboot"))
        if line.given("--vlanid"):
            word = line.value("--vlanid")
            draft.put((*base, "vlan"), whole(draft, line, word.text, "--vlanid"), line, word)
        if line.given("--bridge"):
            draft.put((*base, "bridge"), parsed.bridge, line, line.value("--bridge"))
        for option, name in (("--nameserver", "dns"), ("--ipv4-dns-search", "search")):
            for value in split_list(line.value(option).text) if line.given(option) else ():
                draft.append((*base, name), value, line, line.value(option))
        self._fill_address(draft, line, parsed, (*base, "address"))
        self._fill_address6(draft, line, parsed, (*base, "address6"))

    def _fill_bond(self, draft: Draft, line: Line, parsed: Parsed, base: Path) -> None:
        if parsed.device and parsed.device != "link":
            draft.put((*base, "name"), parsed.device, line, line.value("--device"))
        draft.put((*base, "nics"), split_list(line.value("--bondslaves").text), line, line.value("--bondslaves"))
        word = line.value("--bondopts")
        for name, _, value in (part.partition("=") for part in split_list(parsed.bondopts) if part):
            field = _BOND_NAMES.get(name, name)
            if field not in ("mode", "lacp_rate", "hashing", "fallback"):
                draft.error(
                    line, f"--bondopts: unknown option {name!r}", "mode, lacp_rate, hashing or fallback.", word
                )
            elif field == "fallback":
                draft.put((*base, field), {"yes": True, "no": False}.get(value, value), line, word)
            else:
                draft.put((*base, field), _BOND_VALUES.get(value, value), line, word)

    def _fill_address6(self, draft: Draft, line: Line, parsed: Parsed, base: Path) -> None:
        word = line.value("--ipv6")
        method = {"auto": "slaac", "dhcp": "dhcp"}.get(word.text, "static") if line.given("--ipv6") else ""
        if parsed.ipv6gateway and method != "static":
            draft.error(line, "--ipv6gateway is for a fixed address", "Write --ipv6=ADDRESS/PREFIX, or leave it out.",
                        line.given("--ipv6gateway"))  # fmt: skip
        if method and line.given("--noipv6"):
            draft.error(line, "--noipv6 means that there is no IPv6 address", "Leave out one of the two.", word)
        if method:
            draft.put((*base, "method"), method, line, word)
        if method == "static":
            draft.put((*base, "address"), word.text, line, word)
            if parsed.ipv6gateway:
                draft.put((*base, "gateway"), parsed.ipv6gateway, line, line.value("--ipv6gateway"))

    def _fill_address(self, draft: Draft, line: Line, parsed: Parsed, base: Path) -> None:
        if line.given("--noipv4"):
            for option in ("--bootproto", "--ip", "--netmask", "--gateway"):
                if line.given(option):
                    draft.error(line, f"{option} is for IPv4, but there is none", "Leave out one of the two.",
                                line.given(option))  # fmt: skip
            draft.put((*base, "method"), "none", line, line.given("--noipv4"))
            return
        wanted = any(line.given(option) for option in ("--bootproto", "--ip", "--netmask", "--gateway"))
        if base[0] == "networks" and not wanted:
            return
        method = parsed.bootProto if line.given("--bootproto") else "dhcp"
        if method not in ("dhcp", "static"):
            draft.error(line, f"{method!r} is no way to get an address", "Write --bootproto=dhcp or =static.",
                        line.value("--bootproto"))  # fmt: skip
        elif method == "dhcp":
            for option in ("--ip", "--netmask", "--gateway"):
                if line.given(option):
                    draft.error(line, f"{option} is for a static address, but the address comes by DHCP",
                                f"Write --bootproto=static, or leave out {option}.", line.given(option))  # fmt: skip
            draft.put((*base, "method"), "dhcp", line, line.value("--bootproto"))
        elif missing := [option for option in ("--ip", "--netmask") if not line.given(option)]:
            for option in missing:
                draft.error(line, f"a static address needs {option}",
                            "As in: --bootproto=static --ip=192.0.2.10 --netmask=255.255.255.0")  # fmt: skip
        else:
            address = _address(draft, line, parsed.ip)
            prefix = _prefix(draft, line, parsed.netmask)
            if address and prefix is not None:
                draft.put((*base, "method"), "static", line, line.value("--bootproto"))
                draft.put((*base, "address"), f"{address}/{prefix}", line, line.value("--ip"))
                if parsed.gateway:
                    draft.put((*base, "gateway"), parsed.gateway, line, line.value("--gateway"))


def _address(draft: Draft, line: Line, text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        hint = "Write the mask as --netmask=255.255.255.0." if "/" in text else "Write four numbers, as in 192.0.2.10."
        draft.error(line, f"{text!r} is not an IPv4 address", hint, line.value("--ip"))
        return ""


def _prefix(draft: Draft, line: Line, text: str) -> int | None:
    """The prefix length of a mask. ``ipaddress`` would also take a host mask (0.0.0.255) and a bare number."""
    try:
        bits = f"{int(ipaddress.IPv4Address(text)):032b}"
    except ValueError:
        bits = "01"
    if "01" in bits or bits[0] == "0":
        draft.error(line, f"{text!r} is not a network mask", "As in 255.255.255.0.", line.value("--netmask"))
        return None
    return bits.count("1")

"""The installer's own network, for an answer that lies on a server: up before the plan, and gone with the installer.

Addresses come by DHCP on every card, unless ``ip=`` on the kernel command line says otherwise: systemd's generator
turns that into networkd's files, which come before ours.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from zeroth.errors import ExitCode, UserError
from zeroth.spec.arguments import Wanted
from zeroth.spec.embedded import Embedded
from zeroth.spec.fetch.found import Found
from zeroth.spec.fetch.identity import identity_headers
from zeroth.spec.fetch.lookup import ADDRESS_OPTION, PIN_OPTION, Place, by_dhcp, by_dns, leases
from zeroth.spec.fetch.pins import Pin, parse_pins
from zeroth.spec.fetch.turns import Request, fetch_first
from zeroth.spec.fetch.web import Trust
from zeroth.system.facts import Machine
from zeroth.system.files import atomic_write
from zeroth.system.live import ISCSI_CARDS
from zeroth.system.run import CommandFailed, run

__all__ = ["OnlineFetch", "go_online", "time_servers_in", "wait_online"]

_NETWORK = Path("/run/systemd/network/85-zeroth-installer.network")
_GENERATOR = "/usr/lib/systemd/systemd-network-generator"
_WAIT = "/usr/lib/systemd/systemd-networkd-wait-online"
_PATIENCE = 90  # seconds: a switch port with spanning tree takes 30 before it lets DHCP through
_TIME_PATIENCE = 15  # seconds
_UNIT = f"""\
[Match]
Type=ether
Kind=!*

[Network]
DHCP=yes
LLDP=yes

[DHCPv4]
UseHostname=no
RequestOptions={ADDRESS_OPTION} {PIN_OPTION}
"""


@dataclass(frozen=True)
class OnlineFetch:
    """Fetches the answer from where the kernel command line says, as :data:`zeroth.spec.sources.Fetch`.

    :ivar embedded: by what the medium knows servers, and what it shows them.
    :ivar machine: what it says of itself, so that a server can choose.
    :ivar say: told what is done.
    """

    embedded: Embedded
    machine: Machine
    say: Callable[[str], None]
    network: Path = _NETWORK
    first: Callable[..., Found] = field(default=fetch_first)

    def __call__(self, wanted: Wanted, signature: bool) -> Found:
        """Fetch it.

        :raises UserError: there is no network, or no server gives an answer.
        """
        go_online(self.network)
        wait_online("the answer")
        place = self._place(wanted)
        # The nearer to this machine, the more it counts: what somebody typed, the medium, the network.
        pins = wanted.pins or tuple(pin for text in self.embedded.pins for pin in parse_pins(text)) or place.pins
        self._set_clock(wanted, place, pins)
        trust = Trust(self.embedded.authorities, pins, self.embedded.token)
        headers = identity_headers(self.machine.facts())
        return self.first(Request(place.addresses, trust, headers, signature=signature), say=self.say)

    def _place(self, wanted: Wanted) -> Place:
        match wanted.places:
            case ("dhcp",):
                return by_dhcp(leases())
            case ("dns",):
                return by_dns()
        return Place(wanted.places)

    def _set_clock(self, wanted: Wanted, place: Place, pins: tuple[Pin, ...]) -> None:
        """Before a certificate's dates are looked at. A pin has none."""
        if pins or not any(address.startswith("https:") for address in place.addresses):
            return
        servers = wanted.time_servers or time_servers_in(run(["networkctl", "--json=short", "status", "--all"]).stdout)
        if not servers:
            self.say(f"no time server is named; the clock is taken as it is: {_now()}")
            return
        try:
            run(["chronyd", "-q", "-t", str(_TIME_PATIENCE), *(f"server {name} iburst" for name in servers)],
                timeout=2 * _TIME_PATIENCE)  # fmt: skip
            self.say(f"the clock was set by {', '.join(servers)}: {_now()}")
        except CommandFailed:
            self.say(f"no time from {', '.join(servers)}; the clock is taken as it is: {_now()}")


def go_online(network: Path = _NETWORK) -> None:
    """Begin to bring the network up; addresses come later."""
    run([_GENERATOR])
    network.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(network, _UNIT)
    run(["networkctl", "reload"])


def wait_online(what: str, iscsi: Path = ISCSI_CARDS) -> None:
    """Wait until a card has an address.

    :param what: is to be fetched.
    :param iscsi: names the cards that are never asked.
    :raises UserError: none gets one.
    """
    try:
        run([_WAIT, "--any", "--operational-state=routable", f"--timeout={_PATIENCE}"])
    except CommandFailed:
        kept = ", ".join(iscsi.read_text().split()) if iscsi.exists() else ""
        aside = f"; the machine's disk is reached over iSCSI through {kept}, which is not asked" if kept else ""
        raise UserError(
            f"no network card got an address within {_PATIENCE} s, so {what} cannot be fetched{aside}",
            "Is there a cable, and a DHCP server? Else give an address: ip=192.0.2.10::192.0.2.1:24::eth0:none",
            code=ExitCode.MACHINE,
        ) from None


def time_servers_in(listing: str) -> tuple[str, ...]:
    """The time servers that DHCP named, in what ``networkctl`` printed."""
    entries: list[dict[str, Any]] = [
        entry for interface in json.loads(listing).get("Interfaces", []) for entry in interface.get("NTP", [])
    ]
    names = [str(ip_address(bytes(it["Address"]))) if "Address" in it else str(it["Server"]) for it in entries]
    return tuple(dict.fromkeys(names))


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())

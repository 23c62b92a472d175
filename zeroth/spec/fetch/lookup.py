"""Where the answer is, by what DHCP or DNS says. Only the kernel argument makes anybody ask.

DHCP: option 250 holds the address of the answer, option 251 a pin of the server's key. DNS: below each domain that
the machine belongs to, the TXT records of ``_zeroth-answer`` hold addresses (and pins, as ``sha256//...``), or else
the SRV records of ``_zeroth-answer._tcp`` name servers that give the answer at ``https://SERVER:PORT/answer``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dns.exception
import dns.resolver

from zeroth.errors import ExitCode, UserError
from zeroth.spec.fetch.found import is_address
from zeroth.spec.fetch.pins import Pin, parse_pins
from zeroth.system.run import run

__all__ = ["ADDRESS_OPTION", "PIN_OPTION", "Place", "by_dhcp", "by_dns", "leases", "options_in"]

ADDRESS_OPTION = 250
PIN_OPTION = 251
_LABEL = "_zeroth-answer"
_PIN = "sha256//"
_PATH = "/answer"
_LIFETIME = 10.0  # seconds for one question, all name servers together


@dataclass(frozen=True)
class Place:
    """Where the answer is.

    :ivar addresses: in the order in which they are tried.
    :ivar pins: of the servers' keys.
    """

    addresses: tuple[str, ...]
    pins: tuple[Pin, ...] = ()


def leases() -> list[dict[int, str]]:
    """The private DHCP options that each network card was given, by number, as systemd-networkd has them."""
    return options_in(run(["networkctl", "--json=short", "status", "--all"]).stdout)


def options_in(listing: str) -> list[dict[int, str]]:
    """The same, of what ``networkctl`` printed."""
    found = []
    for interface in json.loads(listing).get("Interfaces", []):
        options = interface.get("DHCPv4Client", {}).get("PrivateOptions", [])
        found.append({int(it["Option"]): _text(bytes.fromhex(it["PrivateOptionData"])) for it in options})
    return [options for options in found if options]


def by_dhcp(options: Sequence[dict[int, str]]) -> Place:
    """The addresses in DHCP's options.

    :raises UserError: no server gave one, or one is malformed.
    """
    addresses = [it[ADDRESS_OPTION] for it in options if ADDRESS_OPTION in it]
    if not addresses:
        raise UserError(
            f"DHCP gave no address of an answer (option {ADDRESS_OPTION})",
            "Set the option on the DHCP server, or give zeroth.answer=https://...",
            code=ExitCode.MACHINE,
        )
    pins = [pin for it in options if PIN_OPTION in it for pin in parse_pins(it[PIN_OPTION])]
    return _place(addresses, pins, f"DHCP option {ADDRESS_OPTION}")


def by_dns(domains: Sequence[str] | None = None, resolver: dns.resolver.Resolver | None = None) -> Place:
    """The addresses in DNS; the first domain that has any decides.

    :param domains: those of the resolver's search list, when not given.
    :param resolver: that of the machine, when not given.
    :raises UserError: there are none, or one is malformed.
    """
    asked = resolver or dns.resolver.Resolver()
    names = list(domains) if domains is not None else [str(it).rstrip(".") for it in (*asked.search, asked.domain)]
    domains = [name for name in dict.fromkeys(names) if name]
    for domain in domains:
        texts = list(_texts(asked, f"{_LABEL}.{domain}"))
        if addresses := [text for text in texts if not text.startswith(_PIN)]:
            pins = [pin for text in texts if text.startswith(_PIN) for pin in parse_pins(text)]
            return _place(addresses, pins, f"the TXT record of {_LABEL}.{domain}")
        servers = sorted(_records(asked, f"{_LABEL}._tcp.{domain}", "SRV"), key=lambda it: (it.priority, -it.weight))
        if servers:
            return Place(tuple(f"https://{str(it.target).rstrip('.')}:{it.port}{_PATH}" for it in servers))
    raise UserError(
        f"DNS has no {_LABEL} below {', '.join(domains)}" if domains else "this machine belongs to no DNS domain",
        "See docs/how-to/serve-answers.md for the records, or give zeroth.answer=https://...",
        code=ExitCode.MACHINE,
    )


def _place(addresses: Sequence[str], pins: Sequence[Pin], source: str) -> Place:
    for address in addresses:
        if not is_address(address):
            raise UserError(f"{source} holds {address[:100]!r}, which is no address of an answer",
                            "It begins with https://, http://, tftp:// or nfs://.", code=ExitCode.MACHINE)  # fmt: skip
    return Place(tuple(sorted(dict.fromkeys(addresses))), tuple(dict.fromkeys(pins)))


def _texts(resolver: dns.resolver.Resolver, name: str) -> Iterator[str]:
    for record in _records(resolver, name, "TXT"):
        # A record is cut into strings of 255 bytes.
        yield _text(b"".join(record.strings))


def _records(resolver: dns.resolver.Resolver, name: str, kind: str) -> list[Any]:
    try:
        return list(resolver.resolve(name, kind, lifetime=_LIFETIME))
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except dns.exception.DNSException as error:
        raise UserError(f"DNS cannot be asked for {name}: {error}", "Check the machine's name servers.",
                        code=ExitCode.MACHINE) from None  # fmt: skip


def _text(data: bytes) -> str:
    return data.rstrip(b"\0").decode("ascii", "replace").strip()

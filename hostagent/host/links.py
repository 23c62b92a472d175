"""Network links of dom0, read by a process of its own.

The network driver that reads them brings the whole answer model with it, 15 MB that a daemon would keep for ever to
use once in five minutes. ``python -m hostagent.host.links`` prints them as JSON and ends.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface
from pathlib import Path
from typing import Any, Final

from zeroth.system.run import run

__all__ = ["LinkFacts", "links_from_json", "read_links"]

_TIMEOUT_SECONDS: Final = 120.0


@dataclass(frozen=True)
class LinkFacts:
    """One link.

    :ivar carrier: None while it is down.
    :ivar speed: Mbit/s; 0 when not known.
    :ivar bus: PCI address, empty when it has none; ``vendor`` and ``product`` are its PCI ids, ``1af4``.
    :ivar address: its first IPv4 address; None without one.
    :ivar addresses6: its IPv6 addresses that are in use, without the link-local ones.
    """

    name: str
    mac: str
    mtu: int
    up: bool
    carrier: bool | None
    speed: int
    bus: str
    vendor: str
    product: str
    address: IPv4Interface | None
    dynamic: bool
    gateway: str
    dns: tuple[str, ...]
    addresses6: tuple[IPv6Interface, ...] = ()
    gateway6: str = ""


def read_links() -> Mapping[str, LinkFacts]:
    """All links by name. Blocks for a second or so.

    :raises CommandFailed: when they cannot be read.
    """
    return links_from_json(run([sys.executable, "-I", "-m", "hostagent.host.links"], timeout=_TIMEOUT_SECONDS).stdout)


def links_from_json(text: str) -> Mapping[str, LinkFacts]:
    """Read what this module prints."""
    links = (_link(entry) for entry in json.loads(text))
    return {link.name: link for link in links}


def _link(entry: Mapping[str, Any]) -> LinkFacts:
    address = next(iter(entry["addresses"]), None)
    return LinkFacts(
        name=entry["name"],
        mac=entry["mac"],
        mtu=entry["mtu"],
        up=entry["up"],
        carrier=entry["carrier"],
        speed=entry["speed"] or 0,
        bus=entry["bus"],
        vendor=entry["pci"][0],
        product=entry["pci"][1],
        address=IPv4Interface(address["address"]) if address else None,
        dynamic=bool(address and address["dynamic"]),
        gateway=entry["gateway"],
        dns=tuple(entry["dns"]),
        addresses6=tuple(
            IPv6Interface(six["address"]) for six in entry["addresses6"] if not (six["tentative"] or six["duplicate"])
        ),
        gateway6=entry["gateway6"],
    )


def _main() -> None:
    from dataclasses import asdict

    from zeroth.drivers.network.links import observe_links

    print(json.dumps([asdict(link) | {"pci": _pci_ids(link.name)} for link in observe_links()]))


def _pci_ids(name: str) -> tuple[str, str]:
    # A virtio card's own ids are virtio's: the PCI device is the level above.
    for device in (Path(f"/sys/class/net/{name}/device"), Path(f"/sys/class/net/{name}/device/..")):
        try:
            if (device / "subsystem").resolve().name == "pci":
                ids = [(device / kind).read_text().strip().removeprefix("0x") for kind in ("vendor", "device")]
                return ids[0], ids[1]
        except OSError:
            continue
    return "", ""


if __name__ == "__main__":
    _main()

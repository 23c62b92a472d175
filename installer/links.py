"""Bringing network links up, so that it can be seen which have a cable in them, and at what port it ends."""

from __future__ import annotations

import time
from pathlib import Path

from zeroth.system.files import atomic_write
from zeroth.system.run import run

__all__ = ["raise_links"]

_NET = Path("/sys/class/net")
_LISTEN = Path("/run/systemd/network/89-zeroth-listen.network")
# After every other file: a card that has one is in use. Addresses that a netboot left stay, the link-local one too.
_UNIT = """\
[Match]
Type=ether
Kind=!*

[Link]
RequiredForOnline=no

[Network]
DHCP=no
LinkLocalAddressing=ipv6
IPv6AcceptRA=no
KeepConfiguration=yes
LLDP=yes
"""


def raise_links(*, seconds: float = 8.0) -> None:
    """Set all physical interfaces up and wait until each has a link, or the time is over.

    Gigabit copper takes about three seconds to negotiate. No address is set. From here on systemd-networkd listens
    for what switches say of themselves.
    """
    atomic_write(_LISTEN, _UNIT)
    # Nobody listens where it does not run.
    run(["networkctl", "reload"], ok=range(256))
    cards = [path for path in _NET.iterdir() if (path / "device").exists()]
    for card in cards:
        # One that cannot be set up (no firmware, say) shows as without a link.
        run(["ip", "link", "set", card.name, "up"], ok=range(256))
    end = time.monotonic() + seconds
    while time.monotonic() < end and not all(_has_link(card) for card in cards):
        time.sleep(0.25)


def _has_link(card: Path) -> bool:
    try:
        return (card / "carrier").read_text().strip() == "1"
    except OSError:
        return False

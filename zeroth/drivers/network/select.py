"""Which NIC carries the management network. Pure."""

from __future__ import annotations

import re

from zeroth.drivers.network.model import Link, Observed, Role
from zeroth.errors import ExitCode, UserError
from zeroth.spec.model import ManagementNetwork

__all__ = ["choose_nic"]

_MAC = re.compile(r"[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}")


def choose_nic(observed: Observed, management: ManagementNetwork) -> Link:
    """The NIC that ``management`` means.

    By MAC address (the burnt-in one or the one in use), by name, or, when nothing is said, the one that already
    carries the management bridge, else the only one with a link.

    :raises UserError: when none or several fit; the message lists the NICs there are.
    """
    nics = [link for link in observed.links if link.physical]
    if not nics:
        raise _refused(
            "this machine has no network card that Linux knows",
            "Check that the card is seated and that its driver and firmware are in the image (dmesg, lspci -nnk).",
        )
    if management.nic is not None:
        return _named(nics, management.nic)
    carrying = _carrying(observed, nics, management.bridge)
    if carrying is not None:
        return carrying
    if len(nics) == 1:
        # With a single card there is no choice to make, cable or not: the host may be set up before it is cabled.
        return nics[0]
    linked = [nic for nic in nics if nic.carrier]
    if len(linked) == 1:
        return linked[0]
    if linked:
        raise _refused(
            f"several network cards have a link, so the management card must be named: {_list(linked)}",
            "Name it in the answer (management.nic), by MAC address for preference.",
        )
    raise _refused(
        f"no network card has a link: {_list(nics)}",
        "Check the cables, or name the card in the answer (management.nic).",
    )


def _named(nics: list[Link], wanted: str) -> Link:
    if _MAC.fullmatch(wanted):
        mac = wanted.lower().replace("-", ":")
        found = [nic for nic in nics if nic.permanent_mac == mac] or [nic for nic in nics if nic.mac == mac]
    else:
        found = [nic for nic in nics if nic.name == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        raise _refused(
            f"several network cards have the address {wanted}: {_list(found)}",
            "Name the card by its kernel name instead.",
        )
    raise _refused(
        f"there is no network card {wanted}; there is {_list(nics)}", "Correct management.nic, or put the card in."
    )


def _carrying(observed: Observed, nics: list[Link], bridge_name: str) -> Link | None:
    bridge = observed.bridge(bridge_name)
    if bridge is None:
        return None
    uplinks = {port.name for port in bridge.ports if port.role is Role.UPLINK}
    return next((nic for nic in nics if nic.name in uplinks), None)


def _list(nics: list[Link]) -> str:
    return ", ".join(f"{nic.name} ({nic.mac}, {_cable(nic)})" for nic in sorted(nics, key=lambda nic: nic.name))


def _cable(nic: Link) -> str:
    return {True: "link", False: "no link", None: "down"}[nic.carrier]


def _refused(message: str, hint: str) -> UserError:
    return UserError(message, hint, where="management.nic", code=ExitCode.MACHINE)

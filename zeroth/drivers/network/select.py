"""Which NICs carry the management network. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from zeroth.drivers.network.model import Link, Observed, Role
from zeroth.errors import ExitCode, UserError
from zeroth.spec.model import ManagementNetwork

__all__ = ["Members", "choose_nics", "find_members"]

_MAC = re.compile(r"[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}")


class Card(Protocol):
    """A NIC, as the driver or as the installer knows it."""

    @property
    def name(self) -> str:
        """The kernel's name."""

    @property
    def mac(self) -> str:
        """The address in use."""

    @property
    def carrier(self) -> bool | None:
        """Whether it has a link; None when nobody knows."""


_Card = TypeVar("_Card", bound=Card)


@dataclass(frozen=True)
class Members(Generic[_Card]):
    """The NICs of a bond, or why there is no such bond.

    :ivar cards: in the answer's order; of a bond that cannot be made those that were found.
    """

    cards: tuple[_Card, ...]
    problem: str = ""


def find_members(wanted: Sequence[str], cards: Sequence[_Card]) -> Members[_Card]:
    """The NICs that a bond names, by MAC address or name; each must be there, and be another one.

    The problem tells of every NIC of the machine whether it was taken, and why not.
    """
    taken: dict[str, str] = {}
    found: list[_Card] = []
    wrong = []
    for name in wanted:
        fitting = _fitting(name, cards)
        if len(fitting) != 1:
            wrong.append(f"{f'{len(fitting)} network cards are' if fitting else 'no network card is'} {name}")
        elif fitting[0].name in taken:
            wrong.append(f"{taken[fitting[0].name]} and {name} are the same network card")
        else:
            taken[fitting[0].name] = name
            found.append(fitting[0])
    if not wrong:
        return Members(tuple(found))
    there = [
        f"{_card(card)}: {'taken' if card.name in taken else 'not named by the bond'}"
        for card in sorted(cards, key=lambda card: card.name)
    ]
    return Members(
        tuple(found), f"the bond cannot be made: {', '.join(wrong)}; this machine has {'; '.join(there) or 'none'}"
    )


def choose_nics(observed: Observed, management: ManagementNetwork) -> tuple[Link, ...]:
    """The NICs that ``management`` means: one, or with a bond its members.

    :raises UserError: when one does not fit; the message lists the NICs there are.
    """
    if management.bond is None:
        return (_choose_nic(observed, management),)
    members = find_members(management.bond.nics, [link for link in observed.links if link.physical])
    if members.problem:
        raise UserError(
            members.problem,
            "Correct management.bond.nics, or put the card in.",
            where="management.bond.nics",
            code=ExitCode.MACHINE,
        )
    return members.cards


def _choose_nic(observed: Observed, management: ManagementNetwork) -> Link:
    """The only NIC.

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
    found = _fitting(wanted, nics)
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
    uplinks = {name for port in bridge.ports if port.role is Role.UPLINK for name in port.interfaces}
    return next((nic for nic in nics if nic.name in uplinks), None)


def _fitting(wanted: str, cards: Sequence[_Card]) -> list[_Card]:
    if not _MAC.fullmatch(wanted):
        return [card for card in cards if card.name == wanted]
    mac = wanted.lower().replace("-", ":")
    # The address burnt in, where the driver tells it: a card of a bond or bridge may use another one.
    burnt_in = [card for card in cards if getattr(card, "permanent_mac", "") == mac]
    return burnt_in or [card for card in cards if card.mac.lower() == mac]


def _list(nics: list[Link]) -> str:
    return ", ".join(_card(nic) for nic in sorted(nics, key=lambda nic: nic.name))


def _card(card: Card) -> str:
    cable = {True: "link", False: "no link", None: "down"}[card.carrier]
    return f"{card.name} ({card.mac}, {cable})"


def _refused(message: str, hint: str) -> UserError:
    return UserError(message, hint, where="management.nic", code=ExitCode.MACHINE)

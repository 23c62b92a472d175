"""Which network cards carry the management network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zeroth.drivers.network.select import find_members
from zeroth.spec.model import ManagementNetwork
from zeroth.system.facts import NicFacts

__all__ = ["NicChoice", "choose_nics", "pinned"]


@dataclass(frozen=True)
class NicChoice:
    """The chosen cards, or why there are none.

    :ivar nics: one; with a bond all of its cards, in the answer's order.
    """

    nics: tuple[NicFacts, ...]
    problem: str = ""


def choose_nics(management: ManagementNetwork, nics: tuple[NicFacts, ...]) -> NicChoice:
    """Find each card by MAC address or kernel name.

    Where the answer names none it is the only one with a link, or the only one there is. The card of a disk over iSCSI
    counts for none.
    """
    if not nics:
        return NicChoice((), "no network card was found in this machine")
    choice = _choose(management, tuple(nic for nic in nics if not nic.iscsi))
    if choice.problem and (kept := tuple(nic for nic in nics if nic.iscsi)):
        why = f"the machine's disk is reached over iSCSI through {_listed(kept)}, which carries nothing else"
        return NicChoice((), f"{choice.problem}; {why}")
    return choice


def _choose(management: ManagementNetwork, nics: tuple[NicFacts, ...]) -> NicChoice:
    if not nics:
        return NicChoice((), "no network card is left for the management network")
    if management.bond:
        members = find_members(management.bond.nics, nics)
        return NicChoice(() if members.problem else members.cards, members.problem)
    if management.nic is not None:
        key = management.nic.casefold()
        fitting = tuple(nic for nic in nics if key in (nic.mac.casefold(), nic.name.casefold()))
        if len(fitting) != 1:
            found = "no network card is" if not fitting else f"{len(fitting)} network cards are"
            return NicChoice((), f"{found} {management.nic}; this machine has {_listed(nics)}")
        return NicChoice(fitting)
    if len(nics) == 1:
        return NicChoice(nics)
    linked = tuple(nic for nic in nics if nic.carrier)
    if len(linked) == 1:
        return NicChoice(linked)
    which = f"{len(linked)} of them have a link" if linked else "none has a link"
    return NicChoice((), f"the answer names no network card, and {which}: {_listed(nics)}")


def pinned(management: ManagementNetwork, nics: Sequence[NicFacts]) -> ManagementNetwork:
    """The same network, with its cards by MAC address: names may differ under Xen.

    :param nics: what was chosen for it.
    """
    macs = tuple(nic.mac for nic in nics)
    if management.bond is None:
        return management.model_copy(update={"nic": macs[0]})
    return management.model_copy(update={"bond": management.bond.model_copy(update={"nics": macs})})


def _listed(nics: tuple[NicFacts, ...]) -> str:
    return ", ".join(f"{nic.name} ({nic.mac}, {'link' if nic.carrier else 'no link'})" for nic in nics)

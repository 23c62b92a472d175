"""Which network card carries the management network."""

from __future__ import annotations

from dataclasses import dataclass

from zeroth.system.facts import NicFacts

__all__ = ["NicChoice", "choose_nic"]


@dataclass(frozen=True)
class NicChoice:
    """The chosen card, or why there is none."""

    nic: NicFacts | None
    problem: str = ""


def choose_nic(wanted: str | None, nics: tuple[NicFacts, ...]) -> NicChoice:
    """Find the card by MAC address or kernel name; None takes the only one with a link, or the only one there is."""
    if not nics:
        return NicChoice(None, "no network card was found in this machine")
    if wanted is not None:
        key = wanted.casefold()
        fitting = [nic for nic in nics if key in (nic.mac.casefold(), nic.name.casefold())]
        if len(fitting) != 1:
            found = "no network card is" if not fitting else f"{len(fitting)} network cards are"
            return NicChoice(None, f"{found} {wanted}; this machine has {_listed(nics)}")
        return NicChoice(fitting[0])
    if len(nics) == 1:
        return NicChoice(nics[0])
    linked = [nic for nic in nics if nic.carrier]
    if len(linked) == 1:
        return NicChoice(linked[0])
    which = f"{len(linked)} of them have a link" if linked else "none has a link"
    return NicChoice(None, f"the answer names no network card, and {which}: {_listed(nics)}")


def _listed(nics: tuple[NicFacts, ...]) -> str:
    return ", ".join(f"{nic.name} ({nic.mac}, {'link' if nic.carrier else 'no link'})" for nic in nics)

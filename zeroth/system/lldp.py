"""What network cards hear of the switch ports at their other ends: LLDP (IEEE 802.1AB), as systemd-networkd keeps it.

Passive: nothing is sent, and nothing waited for. A switch speaks every 30 seconds, and at once when a link comes up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from zeroth.system.facts import NeighbourFacts
from zeroth.system.run import CommandFailed, run

__all__ = ["neighbours", "neighbours_in"]

_LONGEST = 255  # of a string in LLDP


def neighbours() -> Mapping[str, NeighbourFacts]:
    """The neighbour that each card heard, by the card's name; empty where networkd does not run."""
    try:
        return neighbours_in(run(["networkctl", "--json=short", "lldp"], timeout=20).stdout)
    except CommandFailed:
        return {}


def neighbours_in(listing: str) -> Mapping[str, NeighbourFacts]:
    """The same, of what ``networkctl`` printed; of a card that hears several the first."""
    try:
        cards = json.loads(listing).get("Neighbors", [])
    except (json.JSONDecodeError, AttributeError):
        # Before systemd 257 it printed a table.
        return {}
    return {
        card["InterfaceName"]: _neighbour(card["Neighbors"][0])
        for card in cards
        if card.get("InterfaceName") and card.get("Neighbors")
    }


def _neighbour(said: Mapping[str, Any]) -> NeighbourFacts:
    return NeighbourFacts(
        system=_word(said, "SystemName"),
        chassis=_word(said, "ChassisID"),
        port=_word(said, "PortID"),
        description=_word(said, "PortDescription"),
    )


def _word(said: Mapping[str, Any], name: str) -> str:
    return str(said.get(name) or "")[:_LONGEST]

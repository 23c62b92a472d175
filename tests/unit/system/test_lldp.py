"""What cards hear of their neighbours."""

from __future__ import annotations

import json

import pytest

from zeroth.system.facts import Facts, NeighbourFacts, NicFacts
from zeroth.system.lldp import neighbours_in

# As networkctl of systemd 257 prints it.
LISTING = {
    "Neighbors": [
        {
            "InterfaceIndex": 2,
            "InterfaceName": "eno1",
            "InterfaceAlternativeNames": ["enp1s0"],
            "Neighbors": [
                {"ChassisID": "44:38:39:00:00:0a", "RawChassisID": [4, 68, 56, 57, 0, 0, 10], "PortID": "swp12",
                 "PortDescription": "to rack 7", "SystemName": "leaf1", "EnabledCapabilities": 20},
                {"ChassisID": "44:38:39:00:00:0b", "PortID": "swp13"},
            ],
        },
        {"InterfaceIndex": 3, "InterfaceName": "eno2", "Neighbors": [{"ChassisID": "44:38:39:00:00:0b"}]},
        {"InterfaceIndex": 4, "InterfaceName": "eno3", "Neighbors": []},
    ]
}  # fmt: skip


def test_neighbours() -> None:
    heard = neighbours_in(json.dumps(LISTING))
    assert heard == {
        "eno1": NeighbourFacts(system="leaf1", chassis="44:38:39:00:00:0a", port="swp12", description="to rack 7"),
        "eno2": NeighbourFacts(chassis="44:38:39:00:00:0b"),
    }
    assert heard["eno1"].summary == "port swp12 of leaf1"
    assert heard["eno2"].summary == "port unknown of 44:38:39:00:00:0b"


@pytest.mark.parametrize("text", ["", "LINK  SYSTEM-NAME\n", "[]", "{}", '{"Neighbors": []}'])
def test_where_nothing_is_heard(text: str) -> None:
    assert neighbours_in(text) == {}


def test_a_machine_hears_more_and_more() -> None:
    one, two = NicFacts(name="eno1", mac="02:00:00:00:00:01"), NicFacts(name="eno2", mac="02:00:00:00:00:02")
    facts = Facts(nics=(one, two))
    later = facts.hearing({"eno1": NeighbourFacts(system="leaf1")})
    assert [nic.neighbour.system if nic.neighbour else "" for nic in later.nics] == ["leaf1", ""]
    assert later.hearing({}) == later, "what was heard once is not forgotten"

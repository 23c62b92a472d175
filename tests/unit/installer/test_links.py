"""Bringing the cards' links up."""

from __future__ import annotations

from collections.abc import Sequence
from configparser import ConfigParser
from pathlib import Path

import pytest

from installer import links, online
from zeroth.system.run import Completed


def test_cards_come_up_and_are_listened_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    net, listen = tmp_path / "net", tmp_path / "network" / "89-listen.network"
    for name, carrier in (("eth0", "1"), ("eth1", "0"), ("lo", "1")):
        (net / name).mkdir(parents=True)
        (net / name / "carrier").write_text(carrier)
    for name in ("eth0", "eth1"):
        (net / name / "device").mkdir()
    ran: list[tuple[str, ...]] = []

    def run(argv: Sequence[str], *, ok: Sequence[int] = (0,)) -> Completed:
        assert 1 in ok, "a card that cannot be set up, or no networkd: both are no reason to stop"
        ran.append(tuple(argv))
        if argv[-2:] == ["eth1", "up"]:
            (net / "eth1" / "carrier").write_text("1")
        return Completed(tuple(argv), 1, "", "")

    monkeypatch.setattr(links, "_NET", net)
    monkeypatch.setattr(links, "_LISTEN", listen)
    monkeypatch.setattr(links, "run", run)
    links.raise_links(seconds=600)
    assert ran[0] == ("networkctl", "reload")
    assert {words[3] for words in ran[1:]} == {"eth0", "eth1"}
    unit = ConfigParser(interpolation=None)
    unit.read(listen)
    assert unit["Network"]["lldp"] == "yes"
    assert unit["Network"]["dhcp"] == "no", "only who needs an address asks for one"


def test_who_is_online_stays_so() -> None:
    """networkd takes the first file that fits."""
    assert links._LISTEN.parent == online._NETWORK.parent
    assert online._NETWORK.name < links._LISTEN.name

"""The installer's network for an answer that lies on a server: what is asked of networkd, chronyd and the server."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from installer.online import OnlineFetch, time_servers_in, wait_online
from zeroth.errors import UserError
from zeroth.spec.arguments import wanted_by
from zeroth.spec.embedded import Embedded
from zeroth.spec.fetch.found import Found
from zeroth.spec.fetch.pins import Pin
from zeroth.spec.fetch.turns import Request
from zeroth.system.facts import DmiFacts, Facts
from zeroth.system.run import CommandFailed, Completed

PINS = [str(Pin(bytes([number] * 32))) for number in range(3)]
_LISTING = json.dumps({"Interfaces": [
    {"Name": "eth0", "NTP": [{"Address": [192, 0, 2, 123]}, {"Server": "ntp.example.com"}],
     "DHCPv4Client": {"PrivateOptions": [
         {"Option": 250, "PrivateOptionData": b"https://dhcp.example.com/1.ks".hex()},
         {"Option": 251, "PrivateOptionData": PINS[2].encode().hex()}]}},
    {"Name": "eth1", "NTP": [{"Address": [192, 0, 2, 123]}]}]})  # fmt: skip


class _Machine:
    def facts(self) -> Facts:
        return Facts(dmi=DmiFacts(uuid="1-2-3"))


class _World:
    """Takes the place of the commands, and of the server."""

    def __init__(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, broken: str = "", bare: bool = False
    ) -> None:
        self.calls: list[str] = []
        self.said: list[str] = []
        self.requests: list[Request] = []
        self.network = tmp_path / "network" / "85-zeroth-installer.network"
        self._broken, self._listing = broken, '{"Interfaces": []}' if bare else _LISTING
        monkeypatch.setattr("installer.online.run", self._run)
        monkeypatch.setattr("zeroth.spec.fetch.lookup.run", self._run)

    def _run(self, argv: Sequence[str], **_: Any) -> Completed:  # noqa: ANN401 - as run() takes them
        name = Path(argv[0]).name
        self.calls.append(" ".join([name, *argv[1:]]))
        if name == self._broken:
            raise CommandFailed(Completed(tuple(argv), 1, "", "no"))
        return Completed(tuple(argv), 0, self._listing if "status" in argv else "", "")

    def fetch(self, cmdline: str, embedded: Embedded = Embedded()) -> Found:  # noqa: B008 - it is frozen
        def first(request: Request, **_: object) -> Found:
            self.requests.append(request)
            return Found(b"reboot\n", "1.ks", "somewhere")

        online = OnlineFetch(embedded, _Machine(), self.said.append, self.network, first)
        return online(wanted_by(cmdline), True)


def test_every_card_asks_by_dhcp_and_for_our_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = _World(tmp_path, monkeypatch)
    world.fetch("zeroth.answer=tftp://a/1.ks")
    unit = world.network.read_text()
    assert "DHCP=yes" in unit
    assert "RequestOptions=250 251" in unit
    assert [call.split()[0] for call in world.calls] == [
        "systemd-network-generator", "networkctl", "systemd-networkd-wait-online",
    ]  # fmt: skip
    (request,) = world.requests
    assert request.places == ("tftp://a/1.ks",)
    assert request.signature
    assert request.headers["Zeroth-UUID"] == "1-2-3"


def test_without_a_network_it_is_said_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = _World(tmp_path, monkeypatch, broken="systemd-networkd-wait-online")
    with pytest.raises(UserError, match="no network card got an address within 90 s") as caught:
        world.fetch("zeroth.answer=https://a/1.ks")
    assert "ip=" in caught.value.hint
    assert not world.requests


def test_the_card_of_a_disk_over_iscsi_is_named_as_none_that_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _World(tmp_path, monkeypatch, broken="systemd-networkd-wait-online")
    cards = tmp_path / "iscsi"
    cards.write_text("52:54:00:00:00:01\n")
    with pytest.raises(UserError, match="over iSCSI through 52:54:00:00:00:01, which is not asked"):
        wait_online("the answer", cards)


def _pins(world: _World) -> list[str]:
    return list(map(str, world.requests[-1].trust.pins))


def test_what_is_nearer_to_the_machine_says_which_key_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = _World(tmp_path, monkeypatch)
    embedded = Embedded(pins=(PINS[1],), token="hunter2", authorities="PEM")
    world.fetch(f"zeroth.answer=dhcp zeroth.answer_pin={PINS[0]}", embedded)
    assert _pins(world) == [PINS[0]]
    assert world.requests[-1].places == ("https://dhcp.example.com/1.ks",)
    world.fetch("zeroth.answer=dhcp", embedded)
    assert _pins(world) == [PINS[1]]
    assert (world.requests[-1].trust.token, world.requests[-1].trust.authorities) == ("hunter2", "PEM")
    world.fetch("zeroth.answer=dhcp")
    assert _pins(world) == [PINS[2]]
    assert "hunter2" not in "".join([*world.calls, *world.said, repr(world.requests)])


def test_the_clock_is_set_before_a_date_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = _World(tmp_path, monkeypatch)
    world.fetch("zeroth.answer=https://a/1.ks")
    assert world.calls[-1] == "chronyd -q -t 15 server 192.0.2.123 iburst server ntp.example.com iburst"
    assert world.said[0].startswith("the clock was set by 192.0.2.123, ntp.example.com: 2")
    world.fetch("zeroth.answer=https://a/1.ks zeroth.ntp=198.51.100.1")
    assert world.calls[-1] == "chronyd -q -t 15 server 198.51.100.1 iburst"
    world.calls.clear()
    world.fetch(f"zeroth.answer=https://a/1.ks zeroth.answer_pin={PINS[0]}")
    world.fetch("zeroth.answer=http://a/1.ks")
    assert not [call for call in world.calls if call.startswith("chronyd")], "no date is looked at"


@pytest.mark.parametrize(
    ("bare", "broken", "said"), [(True, "", "no time server"), (False, "chronyd", "no time from")]
)
def test_a_clock_that_cannot_be_set_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bare: bool, broken: str, said: str
) -> None:
    world = _World(tmp_path, monkeypatch, bare=bare, broken=broken)
    assert world.fetch("zeroth.answer=https://a/1.ks")
    assert said in world.said[0]
    assert "UTC" in world.said[0]


def test_time_servers_that_dhcp_names() -> None:
    assert time_servers_in(_LISTING) == ("192.0.2.123", "ntp.example.com")

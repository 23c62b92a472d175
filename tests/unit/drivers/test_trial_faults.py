"""A trial that breaks off: whatever the kernel refuses, and whenever, nothing of the trial stays."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

import pytest

from zeroth.drivers.network import trial
from zeroth.drivers.network.trial import Uplink, Way, resolvers, trial_device
from zeroth.errors import UserError
from zeroth.spec.model import BondSpec
from zeroth.system.run import Completed

NICS = ("eth0", "eth1")
# What a start over the network left.
LEFT_ADDRESS, LEFT_ROUTE = ("eth0", "192.0.2.20/24"), ("default", "via", "192.0.2.1", "dev", "eth0")


@dataclass
class ModelKernel:
    """Links, addresses, routes and rules as ``ip`` changes them, and networkd as ``networkctl`` has it.

    :ivar fail_at: the command that is refused, counted from 1; 0 refuses none.
    """

    fail_at: int = 0
    managed: bool = True
    links: dict[str, set[str]] = field(default_factory=lambda: {nic: {"up"} for nic in NICS})
    masters: dict[str, str] = field(default_factory=dict)
    addresses: set[tuple[str, str]] = field(default_factory=lambda: {LEFT_ADDRESS})
    rules: set[tuple[str, ...]] = field(default_factory=set)
    routes: set[tuple[str, ...]] = field(default_factory=lambda: {LEFT_ROUTE})
    commands: int = 0
    told: list[tuple[str, ...]] = field(default_factory=list)

    def run(self, argv: Sequence[str], *, timeout: float = 0, ok: Sequence[int] = (0,)) -> Completed:
        words = tuple(argv)
        # On the way back nothing may be left undone because one command was refused, and none is refused here.
        back = 1 in ok
        if not back:
            self.commands += 1
            if self.commands == self.fail_at:
                raise UserError(f"refused: {' '.join(words)}")
        if words[0] == "networkctl":
            self.told.append(words[1:])
        elif words[1] == "-4":
            return Completed(words, 0, json.dumps(self._shown(words[3], words[-1])), "")
        elif words[1] != "-j":
            self._ip(words[1:], back=back)
        return Completed(words, 0, json.dumps([{"address": "02:00:00:00:00:01", "flags": ["LOWER_UP"]}]), "")

    def _shown(self, what: str, nic: str) -> list[dict[str, object]]:
        if what == "route":
            return [{"dst": it[0], "gateway": it[2]} for it in sorted(self.routes) if it[-1] == nic]
        own = [address.split("/") for name, address in sorted(self.addresses) if name == nic]
        return [{"addr_info": [{"local": local, "prefixlen": int(length)} for local, length in own]}]

    def _ip(self, words: tuple[str, ...], *, back: bool) -> None:
        with suppress(KeyError) if back else nullcontext():
            match words:
                case ("link", "add", *rest):
                    name = rest[rest.index("name") + 1]
                    assert name not in self.links
                    self.links[name] = set()
                case ("link", "del", "dev", name):
                    del self.links[name]
                    self.masters = {nic: master for nic, master in self.masters.items() if master != name}
                case ("link", "set", "dev", name, "nomaster"):
                    self.masters.pop(name, None)
                case ("link", "set", "dev", name, "master", master):
                    assert "up" not in self.links[name], "the kernel takes only cards that are down"
                    assert master in self.links
                    self.masters[name] = master
                case ("link", "set", "dev", name, "up" | "down" as state):
                    self.links[name] = {"up"} if state == "up" else set()
                case ("address", "add" | "replace", address, "dev", name):
                    self.addresses.add((name, address))
                case ("address", "del", address, "dev", name):
                    self.addresses.discard((name, address))
                case ("address", "flush", "dev", name):
                    self.addresses = {it for it in self.addresses if it[0] != name}
                    self.routes = {it for it in self.routes if it[-2:] != ("dev", name)}
                case ("route", "flush", *table):
                    self.routes = {it for it in self.routes if it[-2:] != tuple(table)}
                case ("route", "replace", *rest):
                    self.routes.add(tuple(rest))
                case ("rule", "add" | "del" as do, *rest):
                    (self.rules.add if do == "add" else self.rules.discard)(tuple(rest))
                case _:
                    pytest.fail(f"the model does not know {words}")


def _play(kernel: ModelKernel, monkeypatch: pytest.MonkeyPatch, alone: Path, *, ends: bool = False) -> None:
    """A bond with a VLAN, and name servers asked on it."""
    monkeypatch.setattr(trial, "run", kernel.run)
    files = {nic: {"NetworkFile": "/run/85.network"} for nic in NICS} if kernel.managed else {}
    monkeypatch.setattr(trial, "networkd_links", lambda: files)
    monkeypatch.setattr(trial, "_answers", lambda server, source: True)
    with trial_device(Uplink(NICS, BondSpec(nics=NICS), 20), alone) as device:
        assert set(kernel.masters) == set(NICS)
        assert alone.exists() is kernel.managed
        address = IPv4Interface("192.0.2.10/24")
        assert resolvers(device, Way(address, IPv4Address("192.0.2.1")), [IPv4Address("192.0.2.53")])
        if ends:
            raise KeyboardInterrupt


def _check(kernel: ModelKernel, alone: Path) -> None:
    assert kernel.links == {nic: {"up"} for nic in NICS}
    assert not [*kernel.masters, *kernel.rules]
    assert (kernel.addresses, kernel.routes) == ({LEFT_ADDRESS}, {LEFT_ROUTE})
    assert not alone.exists()
    if kernel.told:
        assert kernel.told[-1] == ("reconfigure", *NICS), "networkd begins anew with the cards"


@pytest.mark.parametrize("managed", [True, False])
def test_whatever_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, managed: bool) -> None:
    alone = tmp_path / "alone.network"
    whole = ModelKernel(managed=managed)
    _play(whole, monkeypatch, alone)
    _check(whole, alone)
    assert bool(whole.told) is managed
    assert whole.commands > 12
    for number in range(1, whole.commands + 1):
        kernel = ModelKernel(number, managed)
        with pytest.raises(UserError, match="refused"):
            _play(kernel, monkeypatch, alone)
        _check(kernel, alone)


def test_interrupted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kernel = ModelKernel()
    with pytest.raises(KeyboardInterrupt):
        _play(kernel, monkeypatch, tmp_path / "alone.network", ends=True)
    _check(kernel, tmp_path / "alone.network")


def test_after_a_trial_that_was_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its devices are there still; the next one takes them down first."""
    kernel = ModelKernel()
    kernel.links |= {"zeroth-bond": {"up"}, "zeroth-vlan": {"up"}}
    _play(kernel, monkeypatch, tmp_path / "alone.network")
    _check(kernel, tmp_path / "alone.network")

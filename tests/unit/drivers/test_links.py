"""Facts of links, read from a network namespace with real (virtual) devices, and of hardware from a made-up sysfs."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zeroth.drivers.network import links
from zeroth.drivers.network.model import Address, Observed, observed_from_json
from zeroth.drivers.network.networkd import networkd_gateway, networkd_servers

_NAMESPACE = f"zeroth-test-{os.getpid()}"
_PROGRAM = """
import sys
from zeroth.drivers.network.links import observe_links, raise_links
from zeroth.drivers.network.model import Observed, to_json
raise_links(sys.argv[1:], settle=3.0)
print(to_json(Observed(observe_links())))
"""


def _ip(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", *words], capture_output=True, text=True)


@pytest.fixture
def namespace() -> Iterator[str]:
    made = _ip("netns", "add", _NAMESPACE)
    if made.returncode:
        pytest.skip(f"no network namespaces here: {made.stderr.strip()}")
    try:
        yield _NAMESPACE
    finally:
        _ip("netns", "del", _NAMESPACE)


def observe(namespace: str, *raised: str) -> Observed:
    argv = ["ip", "netns", "exec", namespace, sys.executable, "-c", _PROGRAM, *raised]
    return observed_from_json(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)


def test_links_of_a_namespace(namespace: str) -> None:
    def do(*words: str) -> None:
        subprocess.run(["ip", "-n", namespace, *words], check=True)

    do("link", "add", "v0", "address", "52:54:00:aa:00:01", "type", "veth", "peer", "name", "v1")
    do("addr", "add", "192.0.2.5/24", "dev", "v0")
    do("addr", "add", "fec0::5/64", "dev", "v0", "nodad")
    before = observe(namespace).link("v0")
    assert before is not None
    assert (before.up, before.carrier) == (False, None)
    seen = observe(namespace, "v0", "v1")
    first = seen.link("v0")
    assert first is not None
    assert (first.mac, first.up, first.carrier, first.physical) == ("52:54:00:aa:00:01", True, True, False)
    assert first.addresses == (Address("192.0.2.5/24"),)
    assert first.addresses6 == (Address("fec0::5/64"),), "without the link-local one"
    # The other end goes down: the link is up, without a carrier. The loopback device is no link of ours.
    do("link", "set", "v1", "down")
    again = observe(namespace).link("v0")
    assert again is not None
    assert (again.up, again.carrier) == (True, False)
    assert seen.link("lo") is None


@pytest.fixture
def sysfs(tmp_path: Path) -> Path:
    """Devices as the kernel shows them: a card, a virtual function, both ends of Xen's interfaces, a bridge."""

    def device(name: str, subsystem: str, driver: str, **attributes: str) -> Path:
        folder = tmp_path / "class" / name
        folder.mkdir(parents=True)
        for key, value in {"type": "1", "carrier": "1", "speed": "10000", "addr_assign_type": "0"}.items():
            (folder / key).write_text(attributes.get(key, value))
        if subsystem:
            real = tmp_path / "devices" / f"0000:00:0{len(name)}.0-{name}"
            real.mkdir(parents=True)
            for link, target in (("subsystem", f"bus/{subsystem}"), ("driver", f"drivers/{driver}")):
                (tmp_path / target).mkdir(parents=True, exist_ok=True)
                (real / link).symlink_to(tmp_path / target)
            (folder / "device").symlink_to(real)
        return folder

    device("eth0", "pci", "igb")
    function = device("eth0v1", "pci", "igbvf")
    (function / "device" / "physfn").symlink_to(tmp_path / "devices")
    device("vif1.0", "xen-backend", "vif")
    device("enX1", "xen", "vif")
    device("xenbr0", "", "", addr_assign_type="3", speed="-1")
    device("ppp0", "pci", "ppp", type="512")
    return tmp_path / "class"


def test_only_a_card_is_physical(sysfs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[dict[str, Any]] = [
        {"ifname": name, "address": "52:54:00:00:00:0A", "flags": ["UP"], "mtu": 9000, "addr_info": []}
        for name in ("eth0", "eth0v1", "vif1.0", "xenbr0", "ppp0", "enX1")
    ]
    shown[3]["permaddr"] = "52:54:00:00:00:0B"

    class Ran:
        stdout = json.dumps(shown)

    monkeypatch.setattr(links, "run", lambda argv: Ran())
    monkeypatch.setattr(links, "networkd_links", dict)
    found = {link.name: link for link in links.observe_links(sysfs)}
    assert set(found) == {"eth0", "eth0v1", "vif1.0", "xenbr0", "enX1"}
    assert [name for name, link in found.items() if link.physical] == ["eth0"]
    card = found["eth0"]
    assert (card.driver, card.speed, card.mtu, card.carrier) == ("igb", 10000, 9000, True)
    assert card.permanent_mac == card.mac == "52:54:00:00:00:0a"
    assert card.bus.startswith("0000:00:04.0")
    assert (found["xenbr0"].permanent_mac, found["xenbr0"].speed) == ("52:54:00:00:00:0b", None)


def test_what_networkd_says_of_servers_and_routes() -> None:
    link: dict[str, Any] = {
        "DNS": [
            {"Family": 2, "Address": [192, 0, 2, 53]},
            {"Family": 2, "Address": [192, 0, 2, 53]},
            {"Family": 10, "Address": [0xFD, *[0] * 14, 0x53]},
            {"Family": 10, "Address": [0xFE, 0x80, *[0] * 13, 1]},
        ],
        "NTP": [{"Family": 2, "Address": [192, 0, 2, 123]}, {"Server": "time.example.org"}],
        "Routes": [
            {"Family": 2, "Destination": [192, 0, 2, 0], "DestinationPrefixLength": 24},
            {
                "Family": 10,
                "Destination": [0] * 16,
                "DestinationPrefixLength": 0,
                "Gateway": [0xFE, 0x80, *[0] * 13, 1],
            },
            {"Family": 2, "Destination": [0] * 4, "DestinationPrefixLength": 0, "Gateway": [192, 0, 2, 1]},
        ],
    }
    assert networkd_servers(link, "DNS") == ("192.0.2.53", "fd00::53")
    assert networkd_servers(link, "NTP") == ("192.0.2.123", "time.example.org")
    assert networkd_gateway(link) == "192.0.2.1"
    assert networkd_gateway(link, socket.AF_INET6) == "fe80::1"
    assert networkd_servers({}, "DNS") == ()
    assert networkd_gateway({}) == ""

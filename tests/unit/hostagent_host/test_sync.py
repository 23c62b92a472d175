"""The host's records, from facts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Interface, IPv6Interface
from pathlib import Path

import pytest

from hostagent.host.facts import HostFacts, read_facts
from hostagent.host.links import LinkFacts, links_from_json
from hostagent.host.sync import DISABLED, management_pif, sync_capacity, sync_host, sync_links
from hostagent.store import Store
from hostagent.store.seed import BondSeed, ManagementSeed, SeedHost, SixSeed, seed
from hostagent.xenapi.model import NULL
from hostagent.xenapi.services import Capacity
from tests.unit.hostagent_host.test_facts import record

STARTED = datetime(2026, 1, 1, tzinfo=UTC)
SEED = SeedHost(
    uuid="11111111-1111-4111-8111-111111111111",
    control_domain="22222222-2222-4222-8222-222222222222",
    hostname="h1",
    timezone="Etc/UTC",
    memory=1 << 30,
    vcpus=None,
    management=ManagementSeed(
        device="eth0",
        mac="52:54:00:12:34:56",
        mtu=1500,
        bridge="xenbr0",
        vlan=None,
        vlan_bridge="",
        address=IPv4Interface("10.0.2.15/24"),
        dhcp=True,
        gateway="10.0.2.2",
        dns=("10.0.2.3",),
    ),
)
CARD = LinkFacts(
    "eth0", "52:54:00:12:34:56", 1500, True, True, 1000, "0000:00:02.0", "1af4", "1000", None, False, "", ()
)
BRIDGE = LinkFacts(
    "xenbr0",
    "52:54:00:12:34:56",
    1500,
    True,
    True,
    0,
    "",
    "",
    "",
    IPv4Interface("192.0.2.10/25"),
    True,
    "192.0.2.1",
    ("192.0.2.2", "192.0.2.3"),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store.db") as opened:
        seed(opened, SEED)
        yield opened


@pytest.fixture
def facts(tmp_path: Path) -> HostFacts:
    return read_facts(record(tmp_path / "machine"))


def test_the_host_as_clients_want_it(store: Store, facts: HostFacts) -> None:
    sync_host(store, facts, STARTED)
    host = store.get("host", store.only("host"))
    version = host["software_version"]
    for key in (
        "product_version", "product_version_text", "product_version_text_short", "platform_name", "platform_version",
        "product_brand", "build_number", "hostname", "dbv", "xapi", "xapi_build", "xen", "linux", "xencenter_min",
        "xencenter_max", "network_backend", "db_schema",
    ):  # fmt: skip
        assert key in version
    # Ansible makes integers of its parts, XO compares the platform's as a semantic version.
    assert all(part.isdigit() for part in version["product_version"].split("."))
    assert len(version["platform_version"].split(".")) == 3
    assert version["xapi"]
    assert version["xen"] == "4.20.3"
    assert version["network_backend"] == "openvswitch"
    assert (host["API_version_major"], host["API_version_minor"]) == (2, 23)
    assert host["other_config"]["boot_time"] == "1700000000."
    assert host["other_config"]["agent_start_time"] == f"{STARTED.timestamp():.0f}."
    assert any(word.startswith("hvm") for word in host["capabilities"])
    assert host["bios_strings"]["system-manufacturer"] == "QEMU"
    assert host["cpu_info"]["vendor"] == "AuthenticAMD"
    datetime.strptime(host["license_params"]["expiry"], "%Y%m%dT%H:%M:%SZ").replace(tzinfo=UTC)
    dom0 = store.get("VM", host["control_domain"])
    assert (dom0["power_state"], dom0["domid"], dom0["VCPUs_max"]) == ("Running", 0, 2)
    assert store.get("VM_metrics", dom0["metrics"])["start_time"] == facts.booted


def test_a_bond_is_what_its_cards_are(tmp_path: Path) -> None:
    bond = BondSeed("active-backup", {}, (("eth0", CARD.mac), ("eth1", "52:54:00:12:34:57")))
    bonded = replace(SEED, management=replace(SEED.management, device="bond0", bond=bond))
    second = replace(CARD, name="eth1", mac="52:54:00:12:34:57")
    with Store(tmp_path / "store.db") as store:
        seed(store, bonded)
        for links, up, speed in (
            ({"eth0": CARD, "eth1": second}, 2, 2000),
            ({"eth0": replace(CARD, carrier=False), "eth1": second}, 1, 1000),
            ({"eth1": replace(second, carrier=False)}, 0, 0),
        ):
            sync_links(store, {**links, "xenbr0": BRIDGE})
            pif = next(pif for pif in store.all("PIF").values() if pif["device"] == "bond0")
            metrics = store.get("PIF_metrics", pif["metrics"])
            assert store.get("Bond", store.only("Bond"))["links_up"] == up
            assert (metrics["carrier"], metrics["speed"]) == (up > 0, speed)
            assert pif["currently_attached"]
        sync_links(store, {"xenbr0": BRIDGE})
        assert not any(pif["currently_attached"] for pif in store.all("PIF").values())


def test_writing_the_same_again_tells_nobody(store: Store, facts: HostFacts) -> None:
    capacity = Capacity(8 << 30, 6 << 30, 1 << 30, 4, 1, 2)
    links = {"eth0": CARD, "xenbr0": BRIDGE}

    def everything() -> None:
        sync_host(store, facts, STARTED)
        sync_capacity(store, capacity)
        sync_links(store, links)

    everything()
    before = store.generation
    everything()
    assert store.generation == before


def test_memory_and_processors(store: Store, facts: HostFacts) -> None:
    sync_host(store, facts, STARTED)
    sync_capacity(store, Capacity(8 << 30, 6 << 30, 1 << 30, 4, 1, 2))
    host = store.get("host", store.only("host"))
    metrics = store.get("host_metrics", host["metrics"])
    assert (metrics["memory_total"], metrics["memory_free"], metrics["live"]) == (8 << 30, 6 << 30, True)
    assert host["cpu_info"]["cpu_count"] == "4"
    assert host["cpu_info"]["modelname"]
    assert store.get("pool", store.only("pool"))["cpu_info"] == host["cpu_info"]
    dom0 = store.get("VM", host["control_domain"])
    assert store.get("VM_metrics", dom0["metrics"])["memory_actual"] == 1 << 30
    # The hypervisor cannot be asked: what was known stays, the host is live all the same.
    sync_capacity(store, None)
    assert store.get("host_metrics", host["metrics"])["memory_total"] == 8 << 30


def test_the_management_interface(store: Store) -> None:
    sync_links(store, {"eth0": CARD, "xenbr0": BRIDGE})
    pif = store.get("PIF", management_pif(store))
    assert (pif["IP"], pif["netmask"], pif["gateway"]) == ("192.0.2.10", "255.255.255.128", "192.0.2.1")
    assert pif["DNS"] == "192.0.2.2,192.0.2.3"
    assert pif["ip_configuration_mode"] == "DHCP"
    assert pif["currently_attached"]
    metrics = store.get("PIF_metrics", pif["metrics"])
    assert (metrics["carrier"], metrics["speed"], metrics["vendor_id"]) == (True, 1000, "1af4")
    assert store.get("host", store.only("host"))["address"] == "192.0.2.10"


def test_a_card_that_is_gone_and_a_lease_that_ended(store: Store) -> None:
    sync_links(store, {"eth0": CARD, "xenbr0": BRIDGE})
    sync_links(store, {"xenbr0": replace(BRIDGE, address=None, gateway="", dns=())})
    pif = store.get("PIF", management_pif(store))
    assert not pif["currently_attached"]
    assert pif["IP"] == "192.0.2.10"
    sync_links(store, {"eth0": replace(CARD, up=False, carrier=None, mtu=9000), "xenbr0": BRIDGE})
    pif = store.get("PIF", management_pif(store))
    assert pif["MTU"] == 9000
    assert store.get("PIF_metrics", pif["metrics"])["carrier"] is False


@pytest.mark.parametrize(
    ("mark", "enabled"), [("another-boot", True), ("8ac39a53-ddeb-4c32-80b1-b30e5c9c5643", False), ("", False)]
)
def test_a_disabled_host_comes_back_with_the_next_boot(
    store: Store, facts: HostFacts, mark: str, enabled: bool
) -> None:
    host = store.only("host")
    with store.transaction() as tx:
        tx.update("host", host, enabled=False, other_config={DISABLED: mark, "kept": "yes"})
    sync_host(store, facts, STARTED)
    assert store.get("host", host)["enabled"] is enabled
    assert (DISABLED in store.get("host", host)["other_config"]) is not enabled
    assert store.get("host", host)["other_config"]["kept"] == "yes"


def test_no_management_interface(store: Store) -> None:
    with store.transaction() as tx:
        tx.update("PIF", management_pif(store), management=False)
    assert management_pif(store) == NULL


def test_links_as_their_reader_prints_them() -> None:
    text = json.dumps(
        [
            {
                "name": "xenbr0", "mac": "52:54:00:12:34:56", "mtu": 1500, "up": True, "carrier": None, "speed": None,
                "bus": "", "pci": ["", ""], "gateway": "192.0.2.1", "dns": ["192.0.2.2"],
                "addresses": [
                    {"address": "192.0.2.10/25", "dynamic": True}, {"address": "192.0.2.11/25", "dynamic": False},
                ],
                "addresses6": [
                    {"address": "2001:db8::9/64", "tentative": False, "duplicate": True},
                    {"address": "2001:db8::10/64", "tentative": False, "duplicate": False},
                ],
                "gateway6": "fe80::1", "driver": "openvswitch", "physical": False,
            }
        ]
    )  # fmt: skip
    link = links_from_json(text)["xenbr0"]
    assert (str(link.address), link.dynamic, link.speed, link.carrier) == ("192.0.2.10/25", True, 0, None)
    assert (link.addresses6, link.gateway6) == ((IPv6Interface("2001:db8::10/64"),), "fe80::1")


@pytest.mark.parametrize("only", [False, True])
def test_ipv6_of_the_management_interface(tmp_path: Path, only: bool) -> None:
    six = SixSeed(IPv6Interface("2001:db8::10/64"), "Autoconf", "fe80::1")
    management = replace(SEED.management, six=six)
    if only:
        management = replace(management, address=None, dhcp=False)
    with Store(tmp_path / "store.db") as store:
        seed(store, replace(SEED, management=management))
        pif, host = (store.get(kind, store.only(kind)) for kind in ("PIF", "host"))
        assert (pif["ipv6_configuration_mode"], pif["IPv6"], pif["ipv6_gateway"]) == (
            "Autoconf", ["2001:db8::10/64"], "fe80::1",
        )  # fmt: skip
        assert pif["primary_address_type"] == ("IPv6" if only else "IPv4")
        assert pif["ip_configuration_mode"] == ("None" if only else "DHCP")
        assert host["address"] == ("2001:db8::10" if only else "10.0.2.15")
        now = replace(BRIDGE, addresses6=(IPv6Interface("2001:db8:1::10/64"),), gateway6="fe80::2")
        sync_links(store, {"eth0": CARD, "xenbr0": replace(now, address=None) if only else now})
        pif, host = (store.get(kind, store.only(kind)) for kind in ("PIF", "host"))
        assert (pif["ipv6_configuration_mode"], pif["IPv6"], pif["ipv6_gateway"]) == (
            "Autoconf", ["2001:db8:1::10/64"], "fe80::2",
        )  # fmt: skip
        assert host["address"] == ("2001:db8:1::10" if only else "192.0.2.10")

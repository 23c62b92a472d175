"""First boot and later ones with the addresses that a host can have, and that change."""

from __future__ import annotations

from pathlib import Path

import pytest

from firstboot.journal import read
from hostagent.store import Store
from tests.unit.firstboot.host import SPEC, Host
from zeroth.system import certificate as certificates

pytestmark = pytest.mark.usefixtures("quick")


def test_a_new_address_renews_certificate_and_banner(host: Host) -> None:
    host.boot()
    key = host.paths.key.read_bytes()
    host.network.lease = "192.0.2.99/24"
    assert host.boot()
    assert host.paths.key.read_bytes() == key
    assert "192.0.2.99" in certificates.certificate_names(host.paths.certificate.read_bytes(), key)
    assert "https://192.0.2.99/" in host.paths.issue.read_text()
    assert host.lines[-1].endswith("https://192.0.2.99/\n")
    assert read(host.paths.journal).address == "192.0.2.99"
    restarts = [argv for argv, _ in host.programs.calls if "zeroth-agent.service" in argv]
    assert restarts == [("systemctl", "try-reload-or-restart", "--no-block", "zeroth-agent.service")]


def test_a_later_boot_without_a_lease_says_so_and_goes_on(host: Host) -> None:
    host.boot()
    host.network.lease = None
    assert host.boot()
    assert "has no management address" in host.lines[-1]
    assert "networkctl status xenbr0" in host.paths.issue.read_text()


def test_a_tagged_static_network(tmp_path: Path) -> None:
    address = {"method": "static", "address": "192.0.2.10/24", "gateway": "192.0.2.1"}
    management = {"vlan": 42, "address": address, "dns": ["192.0.2.2", "192.0.2.3"]}
    host = Host(tmp_path, {**SPEC, "management": management})
    assert host.boot()
    with Store(host.paths.store) as store:
        pifs = {record["VLAN"]: record for record in store.all("PIF").values()}
        bridges = {record["bridge"] for record in store.all("network").values()}
        vlan = store.get("VLAN", store.only("VLAN"))
        refs = {store.get("PIF", ref)["VLAN"]: ref for ref in store.all("PIF")}
    assert bridges == {"xenbr0", "mgmt0"}
    assert (pifs[-1]["management"], pifs[-1]["physical"], pifs[-1]["IP"]) == (False, True, "")
    tagged = pifs[42]
    assert (tagged["management"], tagged["physical"]) == (True, False)
    assert (tagged["ip_configuration_mode"], tagged["gateway"]) == ("Static", "192.0.2.1")
    assert tagged["DNS"] == "192.0.2.2,192.0.2.3"
    assert (vlan["tag"], vlan["tagged_PIF"], vlan["untagged_PIF"]) == (42, refs[-1], refs[42])


def test_both_families_are_told(tmp_path: Path) -> None:
    host = Host(tmp_path, {**SPEC, "management": {"address6": {"method": "slaac"}}})
    assert host.boot()
    said = host.lines[-1].splitlines()
    assert "zeroth host alpha.example.org is ready: https://192.0.2.77/" in said
    assert [line for line in said if line.startswith("zeroth: first boot finished: ")] == [
        "zeroth: first boot finished: https://192.0.2.77/", "zeroth: first boot finished: https://[2001:db8::77]/",
    ]  # fmt: skip
    record = read(host.paths.journal)
    assert (record.address, record.address6) == ("192.0.2.77", "2001:db8::77")
    names = certificates.certificate_names(host.paths.certificate.read_bytes(), host.paths.key.read_bytes())
    assert {"192.0.2.77", "2001:db8::77"} <= names
    host.network.routed = None
    begun = host.now
    assert host.boot(), "a later boot goes on with the family that works"
    assert 10 <= host.now - begun < 12, "and does not wait for the other one as the first did"
    assert "https://192.0.2.77/" in host.lines[-1]
    assert read(host.paths.journal).address6 == ""


def test_a_router_that_comes_later(tmp_path: Path) -> None:
    host = Host(tmp_path, {**SPEC, "management": {"address6": {"method": "slaac"}}})
    host.network.routed = None
    assert host.boot(), "the host is reached by IPv4"
    entry = next(entry for entry in read(host.paths.journal).steps if entry.name == "network")
    assert "no IPv6 address yet: no router advertised itself" in entry.note
    with Store(host.paths.store) as store:
        pif = store.get("PIF", store.only("PIF"))
    assert (pif["IP"], pif["ipv6_configuration_mode"], pif["IPv6"]) == ("192.0.2.77", "Autoconf", [])
    host.network.routed = "2001:db8::77/64"
    assert host.boot()
    assert read(host.paths.journal).address6 == "2001:db8::77"
    names = certificates.certificate_names(host.paths.certificate.read_bytes(), host.paths.key.read_bytes())
    assert {"192.0.2.77", "2001:db8::77"} <= names


def test_a_host_with_ipv6_only(tmp_path: Path) -> None:
    six = {"method": "static", "address": "2001:db8::10/64", "gateway": "fe80::1"}
    host = Host(tmp_path, {**SPEC, "management": {"address": {"method": "none"}, "address6": six}})
    assert host.boot()
    said = host.lines[-1].splitlines()
    assert "zeroth host alpha.example.org is ready: https://[2001:db8::10]/" in said
    assert "zeroth: first boot finished: https://[2001:db8::10]/" in said
    assert "https://[2001:db8::10]/" in host.paths.issue.read_text()
    assert (read(host.paths.journal).address, read(host.paths.journal).address6) == ("", "2001:db8::10")
    with Store(host.paths.store) as store:
        pif = store.get("PIF", store.only("PIF"))
        assert store.get("host", store.only("host"))["address"] == "2001:db8::10"
    assert (pif["ip_configuration_mode"], pif["ipv6_configuration_mode"]) == ("None", "Static")
    assert (pif["IP"], pif["IPv6"], pif["ipv6_gateway"]) == ("", ["2001:db8::10/64"], "fe80::1")
    assert host.boot()
    assert host.lines[-1] == "zeroth host alpha.example.org is ready: https://[2001:db8::10]/\n"

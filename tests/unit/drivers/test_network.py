"""The management network: choice of the NIC, plan, and the undo."""

from __future__ import annotations

import os
from collections.abc import Sequence
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.drivers.model_machine import ETH0, STATIC, STATIC6, Clock, ModelMachine, PowerCut
from zeroth.drivers.network.guard import reconcile
from zeroth.drivers.network.model import (
    Bonding,
    Bridge,
    ChangeSwitch,
    Link,
    Observed,
    Port,
    ReloadNetworkd,
    Role,
    State,
    WriteFile,
    observed_from_json,
    state_from_json,
    to_json,
)
from zeroth.drivers.network.planner import desired_state, plan
from zeroth.drivers.network.select import choose_nics
from zeroth.errors import UserError
from zeroth.spec.model import (
    BondMode,
    BondSpec,
    Dhcp6Address,
    DhcpAddress,
    Hashing,
    LacpRate,
    ManagementNetwork,
    NoAddress,
    SlaacAddress,
)

ETH1 = Link("eth1", "52:54:00:00:00:02", "52:54:00:00:00:02", up=True, carrier=True, physical=True, driver="igb")
ETH2 = Link("eth2", "52:54:00:00:00:03", "52:54:00:00:00:03", up=True, carrier=True, physical=True, driver="igb")
ADDRESSES6 = (NoAddress(), SlaacAddress(), Dhcp6Address(), STATIC6)


def unplugged(nic: Link) -> Link:
    return Link(nic.name, nic.mac, nic.permanent_mac, up=True, carrier=False, physical=True)


def names(nics: Sequence[Link]) -> str:
    return " ".join(nic.name for nic in nics)


# --- the NIC


@pytest.mark.parametrize(
    ("nic", "links", "chosen"),
    [
        (None, (ETH0,), "eth0"),
        (None, (unplugged(ETH0),), "eth0"),
        (None, (ETH0, unplugged(ETH1)), "eth0"),
        (None, (unplugged(ETH0), ETH1), "eth1"),
        ("eth1", (ETH0, ETH1), "eth1"),
        ("52:54:00:00:00:02", (ETH0, ETH1), "eth1"),
        ("52-54-00-00-00-02", (ETH0, ETH1), "eth1"),
        ("eth1", (ETH0, unplugged(ETH1)), "eth1"),
    ],
)
def test_the_nic_is_chosen(nic: str | None, links: tuple[Link, ...], chosen: str) -> None:
    assert names(choose_nics(Observed(links), ManagementNetwork(nic=nic))) == chosen


@pytest.mark.parametrize(
    ("nic", "links", "says"),
    [
        (None, (), "no network card"),
        (None, (ETH0, ETH1), r"eth0 \(52:54:00:00:00:01, link\), eth1 \(52:54:00:00:00:02, link\)"),
        (None, (unplugged(ETH0), unplugged(ETH1)), r"no network card has a link.*eth1 \(.*no link\)"),
        ("eth7", (ETH0,), r"there is no network card eth7; there is eth0"),
        ("52:54:00:00:00:09", (ETH0,), "there is no network card 52:54:00:00:00:09"),
        ("xenbr0", (Link("xenbr0"), ETH0), "there is no network card xenbr0"),
    ],
)
def test_a_nic_that_cannot_be_chosen_is_explained(nic: str | None, links: tuple[Link, ...], says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        choose_nics(Observed(links), ManagementNetwork(nic=nic))
    assert caught.value.hint


def test_the_burnt_in_address_counts_more_than_the_one_in_use() -> None:
    renamed = Link("eth1", ETH0.mac, ETH1.mac, up=True, carrier=True, physical=True)
    assert names(choose_nics(Observed((ETH0, renamed)), ManagementNetwork(nic=ETH0.mac))) == "eth0"


def test_the_card_that_carries_the_bridge_stays_chosen() -> None:
    bridge = Bridge("xenbr0", ETH1.mac, Role.MANAGEMENT, (Port("eth1", role=Role.UPLINK),))
    assert names(choose_nics(Observed((ETH0, ETH1), (bridge,)), ManagementNetwork())) == "eth1"


@pytest.mark.parametrize(
    "wanted", [("eth1", "eth0"), (ETH1.mac, "eth0"), (ETH1.mac.upper().replace(":", "-"), ETH0.mac)]
)
def test_the_nics_of_a_bond_are_found_in_the_answers_order(wanted: tuple[str, ...]) -> None:
    wish = ManagementNetwork(bond=BondSpec(nics=wanted))
    assert names(choose_nics(Observed((ETH0, unplugged(ETH1), ETH2)), wish)) == "eth1 eth0"


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (("eth0", "eth7"), r"no network card is eth7; this machine has eth0 \(.*01, link\): taken; "
         r"eth1 \(.*02, no link\): not named by the bond"),
        (("eth7", "52:54:00:00:00:09"), "no network card is eth7, no network card is 52:54:00:00:00:09; this machine"),
        (("eth0", ETH0.mac), "eth0 and 52:54:00:00:00:01 are the same network card"),
    ],
)  # fmt: skip
def test_a_bond_that_cannot_be_made_tells_of_every_card(wanted: tuple[str, ...], says: str) -> None:
    with pytest.raises(UserError, match=says):
        choose_nics(Observed((ETH0, unplugged(ETH1))), ManagementNetwork(bond=BondSpec(nics=wanted)))
    with pytest.raises(UserError, match="this machine has none"):
        choose_nics(Observed(), ManagementNetwork(bond=BondSpec(nics=wanted)))


# --- the plan


def test_the_plan_writes_files_then_changes_the_switch_then_tells_networkd() -> None:
    actions = plan(Observed((ETH0,)), desired_state(ManagementNetwork(), [ETH0]))
    kinds = [type(action) for action in actions]
    assert kinds == [WriteFile, WriteFile, WriteFile, ChangeSwitch, ReloadNetworkd]
    files = {action.name: action.content for action in actions if isinstance(action, WriteFile)}
    assert "PermanentMACAddress=52:54:00:00:00:01" in files["10-zeroth-uplink.link"]
    assert "Name=xenbr0\n\n[Network]" in files["10-zeroth-management.network"]
    assert "DHCP=ipv4" in files["10-zeroth-management.network"]
    assert "DHCP=no" in files["10-zeroth-uplink.network"]


def test_a_tagged_network_has_its_address_on_a_port_of_its_own() -> None:
    wanted = desired_state(ManagementNetwork(vlan=42, address=STATIC, dns=(IPv4Address("192.0.2.2"),)), [ETH0])
    assert wanted.bridges[0].port("mgmt0") == Port(
        "mgmt0", "internal", 42, ETH0.mac, fake_bridge=True, role=Role.MANAGEMENT
    )
    address = wanted.files["10-zeroth-management.network"]
    for line in ("Name=mgmt0", "Address=192.0.2.10/24", "Gateway=192.0.2.1", "DNS=192.0.2.2"):
        assert line in address.splitlines()
    assert "LinkLocalAddressing=no" in wanted.files["10-zeroth-bridge.network"]


@pytest.mark.parametrize(
    ("bond", "wanted"),
    [
        ({}, Bonding(("eth0", "eth1"), "active-backup", updelay=31000)),
        ({"mode": BondMode.BALANCE_SLB}, Bonding(("eth0", "eth1"), "balance-slb", updelay=31000)),
        ({"mode": BondMode.LACP}, Bonding(("eth0", "eth1"), "balance-tcp", "active",
         options=(("lacp-fallback-ab", "true"), ("lacp-time", "slow")))),
        ({"mode": BondMode.LACP, "hashing": Hashing.SRC_MAC, "lacp_rate": LacpRate.FAST, "fallback": False},
         Bonding(("eth0", "eth1"), "balance-slb", "active",
                 options=(("lacp-fallback-ab", "false"), ("lacp-time", "fast")))),
    ],
)  # fmt: skip
def test_a_bond_is_one_port_of_several_cards(bond: dict[str, object], wanted: Bonding) -> None:
    wish = ManagementNetwork(bond=BondSpec(nics=("eth1", "eth0"), **bond), vlan=7, mtu=9000)
    state = desired_state(wish, [ETH1, ETH0])
    bridge = state.bridges[0]
    assert bridge.port("bond0") == Port("bond0", role=Role.UPLINK, mtu=9000, bond=wanted)
    assert bridge.hwaddr == ETH1.mac, "the host has the address of the first card that the answer names"
    assert {port.mtu for port in bridge.ports} == {bridge.mtu} == {9000}
    assert "Name=eth1 eth0\n" in state.files["10-zeroth-uplink.network"]
    assert f"PermanentMACAddress={ETH1.mac}\n\n[Link]\nName=eth1" in state.files["10-zeroth-uplink.link"]
    assert f"PermanentMACAddress={ETH0.mac}\n\n[Link]\nName=eth0" in state.files["10-zeroth-uplink-2.link"]


def test_a_card_that_is_not_zeroths_is_not_taken_into_a_bond() -> None:
    foreign = Bridge("br-lab", ports=(Port("bond7", bond=Bonding(("eth1", "eth2"), "active-backup")),))
    wish = ManagementNetwork(bond=BondSpec(nics=("eth0", "eth1")))
    with pytest.raises(UserError, match="eth1 already belongs to the Open vSwitch bridge br-lab"):
        plan(Observed((ETH0, ETH1, ETH2), (foreign,)), desired_state(wish, [ETH0, ETH1]))


def test_domains_to_search_are_networkds() -> None:
    wish = ManagementNetwork(search=("lab.example.com", "example.com"))
    assert "Domains=lab.example.com example.com\n" in desired_state(wish, [ETH0]).files["10-zeroth-management.network"]


def test_the_bridge_is_never_matched_by_the_file_that_names_the_card() -> None:
    # The bridge has the card's MAC address; a card without a burnt-in address is told apart by its driver.
    veth = Link("eth0", "52:54:00:00:00:01", up=True, carrier=True, physical=True, driver="xen_netfront")
    text = desired_state(ManagementNetwork(), [veth]).files["10-zeroth-uplink.link"]
    assert "MACAddress=52:54:00:00:00:01\nDriver=xen_netfront\n" in text


def test_what_is_not_ours_is_left_alone_or_refused() -> None:
    foreign = Bridge("br-lab", ports=(Port("eth0"),))
    with pytest.raises(UserError, match="eth0 already belongs to the Open vSwitch bridge br-lab"):
        plan(Observed((ETH0,), (foreign,)), desired_state(ManagementNetwork(), [ETH0]))
    other = Bridge("br-lab", ports=(Port("eth5"),))
    machine = ModelMachine((ETH0,), {"br-lab": other})
    for action in plan(machine.observe(), desired_state(ManagementNetwork(), [ETH0])):
        machine.apply(action)
    assert machine.bridges["br-lab"] == other


def test_a_bridge_cannot_have_a_cards_name() -> None:
    with pytest.raises(UserError, match="a network card has that name"):
        plan(Observed((ETH0,)), desired_state(ManagementNetwork(bridge="eth0"), [ETH0]))


addresses = st.one_of(st.just(DhcpAddress()), st.just(STATIC))
uplinks = st.one_of(
    st.fixed_dictionaries({"nic": st.sampled_from(["eth0", "eth1", ETH0.mac])}),
    st.fixed_dictionaries(
        {
            "bond": st.builds(
                BondSpec,
                name=st.sampled_from(["bond0", "bond1"]),
                mode=st.sampled_from(BondMode),
                nics=st.sampled_from(
                    [("eth0", "eth1"), (ETH1.mac, "eth0"), ("eth0", "eth2"), ("eth2", "eth1", "eth0")]
                ),
            )
        }
    ),
)
managements = st.builds(
    lambda uplink, **rest: ManagementNetwork(**uplink, **rest),
    uplink=uplinks,
    mtu=st.none() | st.sampled_from([1500, 9000]),
    search=st.sampled_from([(), ("example.com", "lab.example.com")]),
    vlan=st.none() | st.integers(1, 4094),
    address=addresses,
    address6=st.sampled_from(ADDRESSES6),
    dns=st.sampled_from([(), (IPv4Address("192.0.2.2"),), (IPv4Address("9.9.9.9"), IPv4Address("192.0.2.3"))]),
    bridge=st.sampled_from(["xenbr0", "br1"]),
)
guests = st.lists(st.sampled_from(["vif1.0", "vif2.0", "tap3.0"]), unique=True)


@given(st.lists(managements, min_size=1, max_size=4), guests)
def test_any_sequence_of_wishes_converges_and_leaves_nothing_behind(
    wishes: list[ManagementNetwork], vifs: list[str]
) -> None:
    machine = ModelMachine((ETH0, ETH1, ETH2), {"guests": Bridge("guests", ports=tuple(Port(vif) for vif in vifs))})
    for wish in wishes:
        wanted = desired_state(wish, choose_nics(machine.observe(), wish))
        for action in plan(machine.observe(), wanted):
            machine.apply(action)
        assert plan(machine.observe(), wanted) == ()
        ours = machine.observe().ours()
        assert (set(ours.files), ours.files) == (set(wanted.files), wanted.files)
        assert [bridge.name for bridge in ours.bridges] == [wish.bridge]
        assert set(ours.bridges[0].ports) == set(wanted.bridges[0].ports)
        assert {port.name for port in machine.bridges["guests"].ports} == set(vifs)


@given(managements, managements, st.integers(0, 6))
def test_a_plan_cut_anywhere_can_be_gone_on_with(
    first: ManagementNetwork, second: ManagementNetwork, cut: int
) -> None:
    machine = ModelMachine((ETH0, ETH1, ETH2))
    for wish in (first, second):
        wanted = desired_state(wish, choose_nics(machine.observe(), wish))
        for action in plan(machine.observe(), wanted)[:cut]:
            machine.apply(action)
        for action in plan(machine.observe(), wanted):
            machine.apply(action)
        assert plan(machine.observe(), wanted) == ()


@given(managements)
def test_states_and_facts_can_be_recorded(wish: ManagementNetwork) -> None:
    machine = ModelMachine((ETH0, ETH1, ETH2))
    wanted = desired_state(wish, choose_nics(machine.observe(), wish))
    assert state_from_json(to_json(wanted)) == wanted
    for action in plan(machine.observe(), wanted):
        machine.apply(action)
    assert observed_from_json(to_json(machine.observe())) == machine.observe()


# --- the undo


def test_the_address_is_waited_for_and_told(tmp_path: Path) -> None:
    machine = ModelMachine((ETH0,))
    outcome = reconcile(machine, ManagementNetwork(), tmp_path / "undo", wait=Clock().wait())
    assert (names(outcome.nics), outcome.link.name, str(outcome.addresses)) == ("eth0", "xenbr0", "192.0.2.77/24")
    assert not (tmp_path / "undo").exists()
    again = reconcile(machine, ManagementNetwork(), tmp_path / "undo", wait=Clock().wait())
    assert again.actions == ()


def test_a_change_that_cuts_the_host_off_is_taken_back(tmp_path: Path) -> None:
    machine = ModelMachine((ETH0,))
    reconcile(machine, ManagementNetwork(), tmp_path / "undo", wait=Clock().wait())
    before = machine.observe()
    with pytest.raises(UserError, match=r"no management address on mgmt0, VLAN 9 after 60 s: .*has a link.*no DHCP"):
        reconcile(machine, ManagementNetwork(vlan=9), tmp_path / "undo", wait=Clock().wait())
    assert machine.observe() == before
    assert not (tmp_path / "undo").exists()


def test_without_a_server_a_fresh_host_gets_back_to_nothing(tmp_path: Path) -> None:
    machine = ModelMachine((unplugged(ETH0),), lease=None)
    with pytest.raises(UserError, match="NO link: check the cable") as caught:
        reconcile(machine, ManagementNetwork(), tmp_path / "undo", wait=Clock().wait())
    assert "networkctl status xenbr0" in caught.value.hint
    assert machine.observe().ours() == State()


@given(st.integers(0, 6), st.booleans())
def test_a_power_cut_does_not_lose_the_state_to_go_back_to(cut: int, works: bool) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        undo = Path(folder) / "undo"
        machine = ModelMachine((ETH0,))
        reconcile(machine, ManagementNetwork(), undo, wait=Clock().wait())
        before = machine.observe()
        machine.cut_after = len(machine.done) + cut
        machine.lease_vlan = 5 if works else None
        wish = ManagementNetwork(vlan=5)
        try:
            reconcile(machine, wish, undo, wait=Clock().wait())
        except PowerCut:
            machine.reboot()
            try:
                reconcile(machine, wish, undo, wait=Clock().wait())
            except UserError:
                assert not works
        except UserError:
            assert not works
        assert not undo.exists()
        if works:
            assert machine.observe().link("mgmt0") is not None
        else:
            assert machine.observe() == before


@pytest.mark.parametrize("text", ["", "{", '{"bridges": 3}'])
def test_a_damaged_saved_state_is_not_gone_back_to(tmp_path: Path, text: str) -> None:
    undo = tmp_path / "undo"
    undo.write_text(text)
    assert reconcile(ModelMachine((ETH0,)), ManagementNetwork(), undo, wait=Clock().wait()).actions
    assert not undo.exists()


def test_a_saved_state_of_somebody_else_is_not_gone_back_to(tmp_path: Path) -> None:
    undo = tmp_path / "undo"
    undo.write_text(to_json(State(files={"10-zeroth-evil.network": "[Match]\n"})))
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    os.chown(undo, 65534, 65534)
    machine = ModelMachine((ETH0,), lease=None)
    with pytest.raises(UserError):
        reconcile(machine, ManagementNetwork(), undo, wait=Clock().wait())
    assert machine.files == {}

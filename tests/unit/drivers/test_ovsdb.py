"""The switch database, changed for real."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.drivers import ovs
from zeroth.drivers.network.model import (
    AddBridge,
    AddPort,
    Bridge,
    Port,
    RemoveBridge,
    RemovePort,
    Role,
    SetBridge,
    SetPort,
)
from zeroth.drivers.network.ovsdb import Ovsdb
from zeroth.errors import UserError

needs_ovs = pytest.mark.skipif(bool(ovs.missing()), reason=ovs.missing())

MAC = "52:54:00:00:00:01"


@pytest.fixture
def switch(tmp_path: Path) -> Iterator[ovs.Switch]:
    with ovs.running(tmp_path, daemon=True) as running:
        yield running


@needs_ovs
def test_a_bridge_in_one_transaction(switch: ovs.Switch) -> None:
    database = Ovsdb(switch.socket)
    assert database.read() == ()
    uplink = Port("eth0", role=Role.UPLINK)
    tagged = Port("mgmt0", type="internal", tag=42, mac=MAC, fake_bridge=True, role=Role.MANAGEMENT)
    database.change((AddBridge("xenbr0", MAC, Role.MANAGEMENT), AddPort("xenbr0", uplink), AddPort("xenbr0", tagged)))
    assert database.read() == (Bridge("xenbr0", MAC, Role.MANAGEMENT, (uplink, tagged)),)
    # Open vSwitch's own tool sees it the same way, and the daemon runs it.
    assert switch.vsctl("list-br").split() == ["mgmt0", "xenbr0"]
    assert switch.vsctl("list-ports", "xenbr0").split() == ["eth0"]
    assert switch.vsctl("br-to-parent", "mgmt0").strip() == "xenbr0"
    assert switch.vsctl("get", "port", "mgmt0", "tag").strip() == "42"
    assert switch.vsctl("get-fail-mode", "xenbr0").strip() == "standalone"
    assert json.loads(switch.vsctl("get", "interface", "xenbr0", "mac_in_use")) == MAC


@needs_ovs
def test_changes_leave_guests_ports_alone(switch: ovs.Switch) -> None:
    database = Ovsdb(switch.socket)
    database.change((AddBridge("xenbr0", MAC, Role.MANAGEMENT), AddPort("xenbr0", Port("eth0", role=Role.UPLINK))))
    switch.vsctl("add-port", "xenbr0", "vif1.0")
    database.change(
        (
            RemovePort("xenbr0", "eth0"),
            SetBridge("xenbr0", None),
            AddPort("xenbr0", Port("eth1", role=Role.UPLINK)),
            SetPort("xenbr0", Port("vif1.0", tag=7)),
        )
    )
    assert database.read() == (
        Bridge("xenbr0", None, Role.MANAGEMENT, (Port("eth1", role=Role.UPLINK), Port("vif1.0", tag=7))),
    )
    database.change((RemoveBridge("xenbr0"),))
    assert database.read() == ()
    assert switch.vsctl("--columns=name", "list", "interface").strip() == ""


@needs_ovs
def test_a_port_is_replaced_in_one_transaction(switch: ovs.Switch) -> None:
    database = Ovsdb(switch.socket)
    database.change((AddBridge("a", MAC, Role.MANAGEMENT), AddPort("a", Port("p", role=Role.UPLINK))))
    database.change(
        (
            RemoveBridge("a"),
            AddBridge("b", MAC, Role.MANAGEMENT),
            AddPort("b", Port("p", type="internal", role=Role.MANAGEMENT)),
        )
    )
    assert [bridge.name for bridge in database.read()] == ["b"]
    assert database.read()[0].ports == (Port("p", type="internal", role=Role.MANAGEMENT),)


@needs_ovs
def test_a_bridge_made_by_hand_is_taken_over_with_its_ports(switch: ovs.Switch) -> None:
    switch.vsctl(
        "add-br", "xenbr0", "--", "add-port", "xenbr0", "tap0", "--", "br-set-external-id", "xenbr0", "k", "v"
    )
    database = Ovsdb(switch.socket)
    database.change((AddBridge("xenbr0", MAC, Role.MANAGEMENT),))
    assert database.read() == (Bridge("xenbr0", MAC, Role.MANAGEMENT, (Port("tap0"),)),)
    assert switch.vsctl("br-get-external-id", "xenbr0", "k").strip() == "v"


@needs_ovs
def test_a_refused_transaction_changes_nothing(switch: ovs.Switch) -> None:
    switch.vsctl("add-br", "other", "--", "add-port", "other", "eth0")
    database = Ovsdb(switch.socket)
    before = database.read()
    with pytest.raises(UserError, match="refused the change"):
        database.change((AddBridge("xenbr0", MAC, Role.MANAGEMENT), AddPort("xenbr0", Port("eth0"))))
    with pytest.raises(UserError, match="9999 is no tag"):
        database.change((AddBridge("xenbr0", MAC, Role.MANAGEMENT), AddPort("xenbr0", Port("p", tag=9999))))
    assert database.read() == before


@needs_ovs
def test_a_missing_switch_daemon_is_told(tmp_path: Path) -> None:
    with ovs.running(tmp_path, daemon=False) as switch:
        database = Ovsdb(switch.socket, timeout=1.0)
        with pytest.raises(UserError, match="switch daemon did not take the change"):
            database.change((AddBridge("xenbr0", MAC, Role.MANAGEMENT),))
        # The database has it all the same, and the daemon will when it comes.
        assert [bridge.name for bridge in database.read()] == ["xenbr0"]


def test_a_missing_server_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot reach the switch database") as caught:
        Ovsdb(tmp_path / "db.sock", timeout=1.0).read()
    assert "openvswitch-switch.service" in caught.value.hint

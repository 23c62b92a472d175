"""How the initrd takes the disk that the firmware starts from over iSCSI, by a shell on folders for /sys and /run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.unit.images.test_element_boot import INITRAMFS

MAC, TARGET = "52:54:00:00:00:03", "iqn.2001-04.test:a"


class Initrd:
    """What a machine has when the script begins, and what the script said and did."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "called"
        for name in ("class/iscsi_session", "run/zeroth"):
            (folder / name).mkdir(parents=True)
        self.write("net/enp2s0", address=MAC, device="")
        self.write("net/enp1s0", address="52:54:00:00:00:01", device="")
        self.log.touch()

    def table(self, **card: str) -> None:
        """What the firmware left."""
        usual = {"mac": MAC, "ip-addr": "192.0.2.7", "prefix-len": "24", "gateway": "192.0.2.1", "vlan": "0"}
        self.write("ibft/initiator", **{"initiator-name": "iqn.2010-04.test:me"})
        self.write("ibft/ethernet0", **usual | {name.replace("_", "-"): text for name, text in card.items()})
        self.write("ibft/target0", **{"target-name": TARGET, "ip-addr": "198.51.100.9", "port": "3260"})

    def play(self, what: str, *, works: bool = True, root: str = "", routed: str = "enp1s0") -> list[str]:
        """Run it; returns what it said.

        :param root: the partition of the host's slot, where a disk of the machine has it.
        :param routed: the card that leads to the target without our doing.
        """
        part = (INITRAMFS / "scripts/zeroth-lib/iscsi").read_text()
        places = {
            "/sys/firmware/ibft": "ibft", "/sys/class/iscsi_session": "class/iscsi_session",
            "/sys/class/net": "net", "/run/": "run/", "/var/lib": "run",
        }  # fmt: skip
        for real, stand_in in places.items():
            part = part.replace(real, f"{self.folder}/{stand_in}")
        script = f"""{part}
here=$1 works=$2 root=$3 routed=$4 zeroth_wait=60 zeroth_root=PARTUUID=a zeroth_disk=
zeroth_say() {{ echo "$*"; }}
zeroth_progress() {{ :; }}
zeroth_device() {{ [ -n "$root" ]; }}
# A second passes with each look at the clock.
zeroth_seconds() {{ echo x >>"$here/clock"; wc -l <"$here/clock"; }}
sleep() {{ :; }}
modprobe() {{ :; }}
udevadm() {{ :; }}
ip() {{
	echo "ip $*" >>"$here/called"
	[ "$1 $2" != "route get" ] || echo "198.51.100.9 dev $routed src 192.0.2.7"
}}
iscsistart() {{
	echo "iscsistart $*" >>"$here/called"
	echo "no answer"
	[ -n "$works" ] && : >"$here/class/iscsi_session/session1"
}}
{what}
"""
        words = ["sh", "-u", "-c", script, "sh", str(self.folder), "yes" if works else "", root, routed]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()

    @property
    def called(self) -> list[str]:
        return self.log.read_text().splitlines()

    def write(self, folder: str, **files: str) -> None:
        (self.folder / folder).mkdir(parents=True)
        for name, text in files.items():
            (self.folder / folder / name).write_text(text + "\n")


@pytest.fixture
def initrd(tmp_path: Path) -> Initrd:
    return Initrd(tmp_path)


@pytest.mark.parametrize("what", ["zeroth_open_firmware_disk", "zeroth_offer_firmware_disk"])
def test_without_a_table_nothing_is_done(initrd: Initrd, what: str) -> None:
    assert initrd.play(what) == []
    assert initrd.called == []


def test_a_host_on_its_own_disk_asks_no_target(initrd: Initrd) -> None:
    initrd.table()
    assert initrd.play("zeroth_open_firmware_disk", root="/dev/sda3") == []
    assert initrd.called == []


@pytest.mark.parametrize("what", ["zeroth_open_firmware_disk", "zeroth_offer_firmware_disk"])
def test_card_and_target_of_the_table(initrd: Initrd, what: str) -> None:
    initrd.table()
    assert initrd.play(what) == [f"logged in to {TARGET} at 198.51.100.9 port 3260"]
    assert initrd.called == [
        "ip link set dev enp2s0 up",
        "ip addr add 192.0.2.7/24 dev enp2s0",
        "ip route get 198.51.100.9",
        "ip route add 198.51.100.9 via 192.0.2.1 dev enp2s0",
        "iscsistart -b",
    ]
    assert (initrd.folder / "run/zeroth/iscsi").read_text().split() == [MAC]
    (unit,) = (initrd.folder / "run/systemd/network").iterdir()
    assert f"MACAddress={MAC}\n" in unit.read_text()
    assert "Unmanaged=yes" in unit.read_text()


def test_a_target_on_the_cards_own_network_needs_no_route(initrd: Initrd) -> None:
    initrd.table()
    initrd.play("zeroth_offer_firmware_disk", routed="enp2s0")
    assert not any("route add" in line for line in initrd.called)


@pytest.mark.parametrize("gateway", ["", "0.0.0.0", "::"])
def test_no_gateway(initrd: Initrd, gateway: str) -> None:
    initrd.table(gateway=gateway)
    initrd.play("zeroth_offer_firmware_disk")
    assert not any("route" in line for line in initrd.called)


def test_vlan(initrd: Initrd) -> None:
    initrd.table(vlan="42")
    initrd.play("zeroth_offer_firmware_disk", routed="enp2s0.42")
    assert initrd.called[1:4] == [
        "ip link add link enp2s0 name enp2s0.42 type vlan id 42",
        "ip link set dev enp2s0.42 up",
        "ip addr add 192.0.2.7/24 dev enp2s0.42",
    ]


def test_ipv6(initrd: Initrd) -> None:
    initrd.table(ip_addr="2001:db8::7", prefix_len="64", gateway="2001:db8::1")
    initrd.play("zeroth_offer_firmware_disk")
    assert "ip addr add 2001:db8::7/64 dev enp2s0" in initrd.called


def test_each_card_of_the_table_is_used(initrd: Initrd) -> None:
    initrd.table()
    other = {"mac": "52:54:00:00:00:01", "ip-addr": "203.0.113.7", "prefix-len": "24", "gateway": "0.0.0.0"}
    initrd.write("ibft/ethernet1", **other)
    initrd.play("zeroth_offer_firmware_disk", routed="enp2s0")
    assert [line for line in initrd.called if "addr add" in line] == [
        "ip addr add 192.0.2.7/24 dev enp2s0",
        "ip addr add 203.0.113.7/24 dev enp1s0",
    ]
    assert (initrd.folder / "run/zeroth/iscsi").read_text().split() == [MAC, "52:54:00:00:00:01"]


def test_a_card_that_is_not_there_is_named(initrd: Initrd) -> None:
    initrd.table(mac="52:54:00:00:00:09")
    said = initrd.play("zeroth_offer_firmware_disk", works=False)
    assert said[0].startswith("the card 52:54:00:00:00:09 that the firmware names for iSCSI is not there")


@pytest.mark.parametrize("what", ["zeroth_open_firmware_disk", "zeroth_offer_firmware_disk"])
def test_a_silent_target_is_told_of(initrd: Initrd, what: str) -> None:
    initrd.table()
    said = initrd.play(what, works=False)
    assert said == ["  no answer", "the disk that the firmware names is not reached over iSCSI; going on without it"]


@pytest.mark.parametrize("vlan", ["0", "42"])
def test_without_the_disk_the_card_is_a_card_like_others(initrd: Initrd, vlan: str) -> None:
    """A table may be left behind, and the host's or the installer's management network be on that card."""
    initrd.table(vlan=vlan)
    initrd.play("zeroth_open_firmware_disk", works=False)
    assert not (initrd.folder / "run/zeroth/iscsi").exists()
    assert list((initrd.folder / "run/systemd/network").iterdir()) == []
    undone = initrd.called[initrd.called.index("iscsistart -b") + 1 :]
    assert [line for line in undone if "iscsistart" not in line] == (
        ["ip link del dev enp2s0.42" if vlan != "0" else "ip addr del 192.0.2.7/24 dev enp2s0",
         "ip link set dev enp2s0 down"]
    )  # fmt: skip


def test_the_way_to_a_target_is_through_its_own_card(initrd: Initrd) -> None:
    """Otherwise the gateway of the first card leads to all of them, in whatever network they are."""
    initrd.table()
    other = {"mac": "52:54:00:00:00:01", "ip-addr": "203.0.113.7", "prefix-len": "24", "gateway": "203.0.113.1"}
    initrd.write("ibft/ethernet1", **other)
    (initrd.folder / "ibft/target0/nic-assoc").write_text("0\n")
    second = {"target-name": TARGET, "ip-addr": "198.51.100.10", "port": "3260", "nic-assoc": "1"}
    initrd.write("ibft/target1", **second)
    initrd.play("zeroth_offer_firmware_disk", routed="enp9s0")
    assert [line for line in initrd.called if "route add" in line] == [
        "ip route add 198.51.100.9 via 192.0.2.1 dev enp2s0",
        "ip route add 198.51.100.10 via 203.0.113.1 dev enp1s0",
    ]


def test_a_target_of_a_card_that_the_table_has_not_is_for_every_card(initrd: Initrd) -> None:
    initrd.table()
    (initrd.folder / "ibft/target0/nic-assoc").write_text("3\n")
    initrd.play("zeroth_offer_firmware_disk")
    assert "ip route add 198.51.100.9 via 192.0.2.1 dev enp2s0" in initrd.called

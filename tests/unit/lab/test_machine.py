"""Machines as command lines, the serial console's words, and the guest's archive."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.lab.guest import Member, cpio
from tests.lab.machine import Disk, Firmware, Machine, Netboot, command_line
from tests.lab.ports import free_ports
from tests.lab.serial import Serial, SerialTimeout, plain
from tests.lab.switch import Switch, Wire

FORWARDS = {22: 2222, 443: 4433}


def words(machine: Machine) -> list[str]:
    return command_line(
        machine, FORWARDS, firmware=Path("/fw/code.fd"), sockets=Path("/run/m"), serial_log=Path("/log/serial.log")
    )


def nodes(machine: Machine) -> dict[str, dict[str, object]]:
    line = words(machine)
    found = [json.loads(line[at + 1]) for at, word in enumerate(line) if word == "-blockdev"]
    return {str(node["node-name"]): node for node in found}


def test_disks_are_named_by_their_serial() -> None:
    disk = Disk(Path("/d/a.raw"), "alpha", boot=1)
    assert "virtio-blk-pci,drive=disk-alpha,serial=alpha,bootindex=1" in words(Machine(disks=(disk,)))


def test_a_logged_disk_writes_through_the_log() -> None:
    node = nodes(Machine(disks=(Disk(Path("/d/a.raw"), "a", log=Path("/d/log")),)))["disk-a"]
    assert node["driver"] == "blklogwrites"
    assert isinstance(node["log"], dict)
    assert node["log"]["file"]["filename"] == "/d/log"


def test_a_readonly_disk_cannot_be_written() -> None:
    assert nodes(Machine(disks=(Disk(Path("/d/a.raw"), "a", readonly=True),)))["disk-a"]["read-only"] is True


def test_a_disk_over_two_paths_is_one_file_behind_two_controllers() -> None:
    disk = Disk(Path("/d/a.raw"), "alpha", bus="scsi", paths=2, boot=5)
    machine = Machine(disks=(disk,))
    made = nodes(machine)
    assert list(made) == ["disk-alpha-0", "disk-alpha-1"]
    for node in made.values():
        assert isinstance(node["file"], dict)
        assert (node["file"]["filename"], node["file"]["locking"]) == ("/d/a.raw", "off")
    heads = [word for word in words(machine) if word.startswith("scsi-hd,")]
    assert [head.split(",")[1] for head in heads] == ["bus=scsi-alpha-0.0", "bus=scsi-alpha-1.0"]
    assert all(f",serial=alpha,wwn={disk.wwn},share-rw=on" in head for head in heads)
    assert [",bootindex=5" in head for head in heads] == [True, False]
    with pytest.raises(ValueError, match="without a log"):
        words(Machine(disks=(Disk(Path("/d/a.raw"), "a", bus="scsi", log=Path("/d/log")),)))


def test_uefi_needs_variables_and_gets_both_flashes() -> None:
    with pytest.raises(ValueError, match="variables"):
        words(Machine(firmware=Firmware.UEFI))
    made = nodes(Machine(firmware=Firmware.UEFI, variables=Path("/d/v.qcow2")))
    assert made["code"]["read-only"] is True
    assert made["variables"]["driver"] == "qcow2"


def test_the_network_lets_nothing_out() -> None:
    net = next(word for word in words(Machine()) if word.startswith("user,"))
    assert "restrict=on" in net
    assert "hostfwd=tcp:127.0.0.1:2222-:22" in net
    assert net.count("hostfwd") == net.count("127.0.0.1")


def test_a_service_answers_on_the_machines_network() -> None:
    net = next(word for word in words(Machine(services=(("10.0.2.100:443", 8443),))) if word.startswith("user,"))
    assert "restrict=on" in net
    assert ",guestfwd=tcp:10.0.2.100:443-cmd:bash -c " in net
    assert "/dev/tcp/127.0.0.1/8443" in net


def test_a_machine_boots_over_the_network_by_its_card_or_its_firmware() -> None:
    line = words(Machine(netboot=Netboot("http://10.0.2.9/a.ipxe")))
    net = next(word for word in line if word.startswith("user,"))
    assert "restrict=on" in net
    assert net.endswith(",bootfile=http://10.0.2.9/a.ipxe")
    card = next(word for word in line if word.startswith("virtio-net-pci,"))
    assert card.endswith(",bootindex=9")
    firmware = words(Machine(netboot=Netboot("grubx64.efi", Path("/t"), rom=False)))
    assert any(word.startswith("user,") and word.endswith(",bootfile=grubx64.efi,tftp=/t") for word in firmware)
    assert any(word.startswith("virtio-net-pci,") and word.endswith(",romfile=") for word in firmware)


def test_ports_are_free_and_differ() -> None:
    assert len(set(free_ports(20)) | set(free_ports(20))) == 40


def test_plain_text_of_a_console() -> None:
    assert (
        plain(b"\x1b]104\x07\x1b[0;32m  OK  \x1b[0m Started\r\n\x1b[?25l\x1b(Bnext\r\r\nlast\r")
        == "  OK   Started\nnext\nlast\n"
    )


def test_waiting_finds_each_line_once(tmp_path: Path) -> None:
    log = tmp_path / "serial.log"
    log.write_bytes(b"one ready\r\ntwo ready\r\n")
    serial = Serial(log, tmp_path / "none")
    assert serial.wait_for(r"^(\w+) ready", 0)[1] == "one"
    assert serial.wait_for(r"^(\w+) ready", 0)[1] == "two"
    with pytest.raises(SerialTimeout, match=r"did not say .* within 0 s[\s\S]*two ready"):
        serial.wait_for("ready", 0)
    assert serial.wait_for(r"^(\w+) ready", 0, from_start=True)[1] == "one"
    serial.close()


def test_waiting_ends_when_it_is_in_vain(tmp_path: Path) -> None:
    log = tmp_path / "serial.log"
    log.write_bytes(b"zeroth: installation failed: no disk\r\n")
    serial = Serial(log, tmp_path / "none")
    with pytest.raises(SerialTimeout, match="said 'zeroth: installation failed: no disk'"):
        serial.wait_for("finished", 60, never="installation failed")
    with pytest.raises(SerialTimeout, match="the machine ended before"):
        serial.wait_for("finished", 60, alive=lambda: "the machine ended")


def test_the_archive_is_what_cpio_reads(tmp_path: Path) -> None:
    archive = cpio(
        [
            Member("dev", stat.S_IFDIR | 0o755),
            Member("dev/console", stat.S_IFCHR | 0o600, device=(5, 1)),
            Member("init", stat.S_IFREG | 0o755, b"12345"),
        ]
    )
    assert archive[:6] == b"070701"
    assert len(archive) % 4 == 0
    # Read the headers back as the kernel does: 13 fields of 8 hexadecimal digits.
    at, found = 0, {}
    while True:
        fields = [int(archive[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        name = archive[at + 110 : at + 110 + fields[11] - 1].decode()
        data_at = (at + 110 + fields[11] + 3) & ~3
        if name == "TRAILER!!!":
            break
        found[name] = (fields[1], archive[data_at : data_at + fields[6]], fields[9:11])
        at = (data_at + fields[6] + 3) & ~3
    assert found == {
        "dev": (stat.S_IFDIR | 0o755, b"", [0, 0]),
        "dev/console": (stat.S_IFCHR | 0o600, b"", [5, 1]),
        "init": (stat.S_IFREG | 0o755, b"12345", [0, 0]),
    }


def test_cards_on_a_switch() -> None:
    net = Switch((Wire(1001, 2001, "52:54:00:00:00:01"), Wire(1002, 2002, "52:54:00:00:00:02")), Wire(1003, 2003))
    line = words(Machine(switch=net))
    assert "hubport,id=hub-net,hubid=1,netdev=net0" in line
    assert any(word.startswith("user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:2222-:22") for word in line)
    cables = [word for word in line if word.startswith("dgram,")]
    assert [("local.port=1003" in cables[0]), ("remote.port=2002" in cables[2])] == [True, True]
    cards = [word for word in line if word.startswith("virtio-net-pci,")]
    assert [card.split(",")[1:3] for card in cards] == [
        ["netdev=card0", "mac=52:54:00:00:00:01"], ["netdev=card1", "mac=52:54:00:00:00:02"],
    ]  # fmt: skip
    assert "netdev=net0" not in ",".join(cards), "QEMU's own network is reached through the switch alone"


def test_a_4kn_disk_on_nvme() -> None:
    disk = Disk(Path("/d/a.raw"), "alpha", bus="nvme", sector=4096)
    wanted = "nvme,drive=disk-alpha,serial=alpha,logical_block_size=4096,physical_block_size=4096"
    assert wanted in words(Machine(disks=(disk,)))

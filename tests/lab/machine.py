"""What a lab machine is made of, as data, and the QEMU command line that makes it.

The CPU model and what it leaves out were found by trying: TCG's SMAP and SMEP crash a PV dom0, Xen cannot step over
RDTSCP for its guests, and x2APIC storms with an emulated IOMMU. With these left out no argument beyond the product's
own is needed, and PV, PVH and HVM guests all start.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tests.lab.switch import Switch

__all__ = ["CPU", "SAN_MAC", "SAN_SERVER", "Disk", "Firmware", "Machine", "Netboot", "San", "command_line"]

CPU = "max,-smap,-smep,-x2apic,-rdtscp"
_ANSWERS_TO = (22, 443)
# One for each connection of the machine: there and back, until the server closes it.
_RELAY = "exec 3<>/dev/tcp/127.0.0.1/{port} 4<&0; cat <&4 >&3 & cat <&3; kill $!"

_BELOW_4_GIB = 2800
"""MiB of memory that q35 has in one piece, below the cards' registers."""


class Firmware(StrEnum):
    """What starts the boot loader."""

    BIOS = "bios"
    UEFI = "uefi"


@dataclass(frozen=True)
class Disk:
    """A disk of the machine.

    :ivar serial: its serial number, also its id: disks are named by it, never by order.
    :ivar log: a raw file that records every write, for power cuts (:mod:`tests.lab.blklog`).
    :ivar boot: its place in the firmware's boot order, lowest first; None leaves it out.
    :ivar sector: bytes; 4096 makes a 4Kn disk.
    :ivar rate: bytes a second that it reads or writes at most; 0 for what QEMU can do.
    :ivar paths: of the bus ``scsi``, how many controllers lead to it, as in a SAN.
    """

    path: Path
    serial: str
    format: str = "raw"
    log: Path | None = None
    bus: str = "virtio"
    readonly: bool = False
    boot: int | None = None
    sector: int = 512
    rate: int = 0
    paths: int = 1

    @property
    def wwn(self) -> str:
        """What a SCSI disk says of itself over every path."""
        return f"0x5000c500{zlib.crc32(self.serial.encode()):08x}"


@dataclass(frozen=True)
class Netboot:
    """What the machine's network offers for booting over it.

    :ivar file: the boot file that DHCP names: a URL for iPXE, a name for TFTP.
    :ivar tftp: the folder that is served by TFTP.
    :ivar rom: whether the NIC brings iPXE; else the firmware's own network boot is used (UEFI has one).
    """

    file: str
    tftp: Path | None = None
    rom: bool = True


@dataclass(frozen=True)
class San:
    """A second card, from whose network the machine starts from a disk over iSCSI.

    :ivar tftp: the folder that its network serves.
    :ivar file: the iPXE script in it.
    :ivar port: on 127.0.0.1, where the target answers; the machine sees it at :data:`SAN_SERVER`.
    :ivar rom: the card's own iPXE runs the script, before all else in the boot order; otherwise another iPXE does.
    """

    tftp: Path
    file: str
    port: int
    rom: bool = True


SAN_SERVER = "10.0.3.100:3260"
SAN_MAC = "52:54:00:5e:40:03"


@dataclass(frozen=True)
class Machine:
    """A machine that can be started.

    :ivar variables: a qcow2 copy of OVMF's variables, for UEFI.
    :ivar secure_boot: OVMF checks what it starts against the keys in its variables, and guards those.
    :ivar cd: an ISO in the drive, and its place in the boot order.
    :ivar mac: of the one NIC, on QEMU's user-mode network, which lets nothing out of this machine.
    :ivar switch: stands between that network and the machine, whose NICs are then those cabled to the switch.
    :ivar netboot: boots over the network first when its disks do not.
    :ivar san: a storage network that it starts from.
    :ivar ports: TCP ports of the machine that get a port on 127.0.0.1.
    :ivar services: addresses on its network (``10.0.2.100:443``), each with the TCP port on 127.0.0.1 that
        answers there.
    """

    firmware: Firmware = Firmware.BIOS
    disks: tuple[Disk, ...] = ()
    variables: Path | None = None
    cd: Path | None = None
    cd_boot: int | None = 0
    memory_mib: int = 3072
    cpus: int = 2
    cpu: str = CPU
    mac: str = "52:54:00:5e:40:01"
    uuid: str = "5e704d00-0000-4000-8000-000000000001"
    ports: tuple[int, ...] = _ANSWERS_TO
    services: tuple[tuple[str, int], ...] = ()
    stops_at_reset: bool = True
    secure_boot: bool = False
    netboot: Netboot | None = None
    switch: Switch | None = None
    san: San | None = None
    extra: tuple[str, ...] = field(default=())


def command_line(
    machine: Machine,
    forwards: dict[int, int],
    *,
    firmware: Path,
    sockets: Path,
    serial_log: Path,
    incoming: Path | None = None,
) -> list[str]:
    """The command, inside the tools tree, that starts the machine, paused.

    :param forwards: machine port to port on 127.0.0.1.
    :param firmware: OVMF's program.
    :param sockets: a folder that gets the socket ``qmp`` and has the pipe ``serial``.
    :param incoming: a memory snapshot to go on from.
    """
    words = [
        "qemu-system-x86_64",
        "-nodefaults", "-no-user-config", "-display", "none", "-vga", "std", "-S",
        "-machine", _machine(machine),
        "-accel", "tcg,thread=multi",
        "-cpu", machine.cpu, "-smp", str(machine.cpus), "-m", str(_memory_mib(machine)),
        "-uuid", machine.uuid, "-rtc", "base=utc",
        "-qmp", f"unix:{sockets}/qmp,server=on,wait=off",
        "-chardev", f"file,id=com1,path={serial_log},input-path={sockets}/serial",
        "-serial", "chardev:com1",
        "-device", "qemu-xhci,id=usb",
        "-device", "virtio-rng-pci",
        *_network(machine, forwards),
        *(_san(machine.san) if machine.san else []),
    ]  # fmt: skip
    if machine.firmware is Firmware.UEFI:
        words += _flash(machine, firmware)
    if machine.secure_boot:
        # Variables are written in system management mode alone.
        words += ["-global", "driver=cfi.pflash01,property=secure,value=on"]
    if machine.cd is not None:
        words += _cd(machine.cd, machine.cd_boot)
    for disk in machine.disks:
        words += _disk(disk)
    if machine.stops_at_reset:
        words.append("-no-reboot")
    words += machine.extra
    if incoming is not None:
        words += ["-incoming", f"exec:cat {incoming}"]
    return words


def _machine(machine: Machine) -> str:
    flash = ",pflash0=code,pflash1=variables" if machine.firmware is Firmware.UEFI else ""
    return f"q35{flash}{',smm=on' if machine.secure_boot else ''}"


def _memory_mib(machine: Machine) -> int:
    """With memory above 4 GiB SeaBIOS 1.16.3 puts an NVMe disk's registers there too, and then cannot reach them."""
    nvme = machine.firmware is Firmware.BIOS and any(disk.bus == "nvme" for disk in machine.disks)
    return min(machine.memory_mib, _BELOW_4_GIB) if nvme else machine.memory_mib


def _flash(machine: Machine, firmware: Path) -> list[str]:
    if machine.variables is None:
        raise ValueError("a UEFI machine needs a copy of the firmware's variables")
    code = {"driver": "raw", "node-name": "code", "read-only": True, "file": _file(firmware)}
    variables = {"driver": "qcow2", "node-name": "variables", "file": _file(machine.variables)}
    return ["-blockdev", json.dumps(code), "-blockdev", json.dumps(variables)]


def _network(machine: Machine, forwards: dict[int, int]) -> list[str]:
    # restrict=on: the guest gets DHCP, TFTP and our forwards, and reaches nothing else.
    rules = "".join(f",hostfwd=tcp:127.0.0.1:{forwards[port]}-:{port}" for port in machine.ports)
    # A program for each connection: QEMU by itself would make one for all.
    rules += "".join(_relayed(address, port) for address, port in machine.services)
    if machine.switch is not None:
        return ["-netdev", f"user,id=net0,restrict=on{rules}", *_switched(machine.switch)]
    card = f"virtio-net-pci,netdev=net0,mac={machine.mac}"
    netboot = machine.netboot
    if netboot is not None:
        rules += f",bootfile={netboot.file}" + (f",tftp={netboot.tftp}" if netboot.tftp else "")
        card += _boot(9)
    if netboot is None or not netboot.rom:
        card += ",romfile="
    return ["-netdev", f"user,id=net0,restrict=on{rules}", "-device", card]


def _relayed(address: str, port: int) -> str:
    return f",guestfwd=tcp:{address}-cmd:bash -c '{_RELAY.format(port=port)}'"


def _san(san: San) -> list[str]:
    network = f"user,id=san,restrict=on,net=10.0.3.0/24,tftp={san.tftp},bootfile={san.file}"
    card = f"virtio-net-pci,netdev=san,mac={SAN_MAC}{_boot(0) if san.rom else ',romfile='}"
    return ["-netdev", network + _relayed(SAN_SERVER, san.port), "-device", card]


def _switched(switch: Switch) -> list[str]:
    """The cards on their cables, and the network on its own, through a hub in QEMU that has no card."""
    words = ["-netdev", _cable("uplink", switch.uplink.near, switch.uplink.far)]
    for name, port in (("net0", "hub-net"), ("uplink", "hub-uplink")):
        words += ["-netdev", f"hubport,id={port},hubid=1,netdev={name}"]
    for number, wire in enumerate(switch.cards):
        words += ["-netdev", _cable(f"card{number}", wire.near, wire.far)]
        # LACP goes by speed and duplex, of which this card says nothing by itself.
        card = f"virtio-net-pci,netdev=card{number},mac={wire.mac},romfile=,speed=1000,duplex=full"
        words += ["-device", card]
    return words


def _cable(name: str, near: int, far: int) -> str:
    ends = f"local.type=inet,local.host=127.0.0.1,local.port={near},remote.type=inet,remote.host=127.0.0.1"
    return f"dgram,id={name},{ends},remote.port={far}"


def _cd(path: Path, boot: int | None) -> list[str]:
    node = {"driver": "raw", "node-name": "cd", "read-only": True, "file": _file(path)}
    return ["-blockdev", json.dumps(node), "-device", f"ide-cd,drive=cd,bus=ide.0{_boot(boot)}"]


def _scsi(disk: Disk) -> list[str]:
    """A controller for each path, and behind it the disk: the same file, the same serial number and WWN."""
    if disk.format != "raw" or disk.log is not None or disk.rate:
        raise ValueError("a SCSI disk of the lab is a raw file without a log or a rate")
    words = []
    for path in range(disk.paths):
        name = f"disk-{disk.serial}-{path}"
        # The paths are one program's: it need not lock the file against itself.
        node = {"driver": "raw", "node-name": name, "discard": "unmap", "file": _file(disk.path) | {"locking": "off"}}
        # Firmware starts from the first path alone.
        boot = _boot(disk.boot if path == 0 else None)
        words += ["-blockdev", json.dumps(node), "-device", f"virtio-scsi-pci,id=scsi-{disk.serial}-{path}"]
        words += ["-device", f"scsi-hd,bus=scsi-{disk.serial}-{path}.0,drive={name},serial={disk.serial},"
                  f"wwn={disk.wwn},share-rw=on{boot}"]  # fmt: skip
    return words


def _disk(disk: Disk) -> list[str]:
    if disk.bus == "scsi":
        return _scsi(disk)
    name = f"disk-{disk.serial}"
    node: dict[str, object] = {"driver": disk.format, "file": _file(disk.path)}
    if disk.readonly:
        node["read-only"] = True
    else:
        node["discard"] = "unmap"
    if disk.log is not None:
        log = {"driver": "raw", "file": _file(disk.log)}
        node = {"driver": "blklogwrites", "file": node, "log": log}
    words = []
    if disk.rate:
        limits = f"x-bps-read={disk.rate},x-bps-write={disk.rate}"
        words = ["-object", f"throttle-group,id=rate-{disk.serial},{limits}"]
        node = {"driver": "throttle", "throttle-group": f"rate-{disk.serial}", "file": node}
    node["node-name"] = name
    device = {
        "virtio": f"virtio-blk-pci,drive={name},serial={disk.serial}",
        "nvme": f"nvme,drive={name},serial={disk.serial}",
        "usb": f"usb-storage,bus=usb.0,removable=on,drive={name},serial={disk.serial}",
    }[disk.bus]
    if disk.sector != 512:
        device += f",logical_block_size={disk.sector},physical_block_size={disk.sector}"
    return [*words, "-blockdev", json.dumps(node), "-device", device + _boot(disk.boot)]


def _file(path: Path) -> dict[str, object]:
    # A lab disk need not survive the lab's own machine: never wait for it to be flushed.
    return {"driver": "file", "filename": str(path), "cache": {"no-flush": True, "direct": False}}


def _boot(index: int | None) -> str:
    return "" if index is None else f",bootindex={index}"

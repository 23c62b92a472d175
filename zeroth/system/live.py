"""The facts of the machine that this runs on: udev for what exists, sysfs and the devices themselves for the rest.

Nothing is changed by looking. What is no disk to install on (CD drives, loop and RAM disks, device-mapper and md
devices, empty card readers) is left out; disks that are one disk over several paths are told as one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pyudev

from zeroth.deploy.layout import Part
from zeroth.system.block import partition_path
from zeroth.system.diskprobe import Usage, probe_content, read_usage
from zeroth.system.facts import CpuFacts, DiskFacts, DmiFacts, Facts, FirmwareFacts, NicFacts
from zeroth.system.lldp import neighbours
from zeroth.system.multipath import Joined, SeenDisk, is_joined, join, map_path, running_maps, wwid_of

__all__ = ["ISCSI_CARDS", "MEDIUM", "Device", "LiveMachine", "disk_facts", "multipath_facts"]

MEDIUM = Path("/run/zeroth/medium")
"""Where the boot script mounts the installation medium."""
ISCSI_CARDS = Path("/run/zeroth/iscsi")
"""Left by the initrd: the addresses of the cards by which it logged in to the disk that the firmware started from."""

_NOT_DISKS = ("loop", "ram", "zram", "dm-", "md", "sr", "fd", "nbd", "mtdblock", "drbd", "rbd")
_EFI_SECURE_BOOT = "efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"


class LiveMachine:
    """The machine itself.

    :param medium: where the installation medium is mounted, if it is.
    """

    def __init__(self, medium: Path = MEDIUM) -> None:
        self._medium = medium

    def facts(self) -> Facts:
        """Read everything, disks included: some seconds on a machine with many disks."""
        context = pyudev.Context()
        usage = read_usage(self._medium)
        return Facts(
            disks=tuple(_disks(context, usage)),
            nics=tuple(_nics(context)),
            firmware=_firmware(Path("/sys/firmware")),
            memory=_memory(),
            cpu=_cpu(),
            dmi=_dmi(Path("/sys/class/dmi/id")),
            clock=datetime.now(UTC).isoformat(timespec="seconds"),
            hypervisor=_read(Path("/sys/hypervisor/type")),
        )


@dataclass(frozen=True)
class Device:
    """A disk as the kernel and udev have it.

    :ivar folder: its directory in sysfs.
    :ivar udev: its udev properties; the identity fields come from there.
    """

    node: Path
    folder: Path
    udev: Mapping[str, str] = field(default_factory=dict)
    links: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The kernel's, also of what lies in a folder: ``cciss!c0d0``."""
        return self.folder.name

    @property
    def wwid(self) -> str:
        """By what multipath knows it."""
        return wwid_of(self.name, self.udev)


def _disks(context: pyudev.Context, usage: Usage) -> Iterator[DiskFacts]:
    found = {}
    for device in context.list_devices(subsystem="block", DEVTYPE="disk"):
        name = str(device.sys_name)
        if name.startswith(_NOT_DISKS) or not device.device_node or _number(device.sys_path, "size") == 0:
            continue
        # Boot and replay-protected areas of eMMC are block devices of their own, and no disks.
        if name.startswith("mmcblk") and ("boot" in name or "rpmb" in name):
            continue
        one = Device(
            Path(device.device_node),
            Path(device.sys_path),
            {str(key): str(value) for key, value in device.properties.items()},
            tuple(sorted(str(link) for link in device.device_links)),
        )
        found[one.name] = one
    seen = [SeenDisk(one.name, _size(one.folder), one.wwid, _serial(one)) for one in found.values()]
    for joined in join(seen, running_maps()):
        members = [found[member.name] for member in joined.members]
        yield multipath_facts(joined, members, usage) if joined.wwid else disk_facts(members[0], usage)


def disk_facts(device: Device, usage: Usage) -> DiskFacts:
    """The facts of one disk."""
    return _facts(device, device.node, device.folder, usage)


def multipath_facts(joined: Joined, paths: Sequence[Device], usage: Usage) -> DiskFacts:
    """The facts of one disk that is seen over several paths.

    Its content is read through its map; while that does not run, over the first path that can be read.

    :param paths: each of them, in their order.
    """
    node = map_path(joined.wwid)
    if joined.running:
        facts = _facts(paths[0], node, joined.running.folder, usage)
    else:
        over = (_facts(path, path.node, path.folder, usage) for path in paths)
        first = next(over)
        facts = first if not first.unreadable else next((one for one in over if not one.unreadable), first)
    busy, numbers = [*facts.in_use], set[str]()
    for path in paths:
        found, own = _busy(path.node, path.folder, usage)
        busy += found
        numbers |= own
    zeroth = facts.zeroth
    if zeroth and zeroth.state:
        zeroth = zeroth.model_copy(update={"state": str(partition_path(node, Part.STATE))})
    return facts.model_copy(
        update={
            "path": str(node),
            "paths": tuple(str(path.node) for path in paths),
            "wwid": joined.wwid,
            "links": _shared_links(joined.wwid, paths),
            "partitions": tuple(
                part.model_copy(update={"path": str(partition_path(node, part.number))}) for part in facts.partitions
            ),
            "in_use": tuple(dict.fromkeys(busy)),
            "medium": facts.medium or _is_medium(numbers, usage),
            "zeroth": zeroth,
        }
    )


def _shared_links(wwid: str, paths: Sequence[Device]) -> tuple[str, ...]:
    """The names of the disk itself; those of a path (``by-path``) or of one moment (``by-diskseq``) are none."""
    links = {link for path in paths for link in path.links if link.startswith("/dev/disk/by-id/")}
    return tuple(sorted({*links, f"/dev/disk/by-id/dm-uuid-mpath-{wwid}"}))


def _facts(device: Device, node: Path, folder: Path, usage: Usage) -> DiskFacts:
    """The facts of a disk, of which node and directory may be those of a map above it."""
    udev, sys_path = device.udev, device.folder
    content = probe_content(node)
    parts = _parts(folder)
    partitions = tuple(
        part.model_copy(update={"in_use": usage.of(parts.get(Path(part.path).name, ""))})
        for part in content.partitions
    )
    busy, numbers = _busy(node, folder, usage)
    return DiskFacts(
        path=str(node),
        links=device.links,
        size=_size(folder),
        serial=_serial(device),
        wwn=udev.get("ID_WWN_WITH_EXTENSION") or udev.get("ID_WWN") or _read(sys_path / "wwid"),
        vendor=_words(udev.get("ID_VENDOR") or _read(sys_path / "device/vendor")),
        model=_words(udev.get("ID_MODEL") or _read(sys_path / "device/model")),
        transport=_transport(device.node.name, sys_path, udev),
        logical_sector=_number(folder, "queue/logical_block_size") or 512,
        physical_sector=_number(folder, "queue/physical_block_size") or 512,
        rotational=bool(_number(sys_path, "queue/rotational")),
        removable=bool(_number(sys_path, "removable")),
        read_only=bool(_number(folder, "ro")),
        table=content.table,
        table_uuid=content.table_uuid,
        signatures=content.signatures,
        partitions=partitions,
        in_use=tuple(busy),
        medium=_is_medium(numbers, usage),
        unreadable=content.unreadable,
        zeroth=content.zeroth,
    )


def _busy(node: Path, folder: Path, usage: Usage) -> tuple[list[str], set[str]]:
    """Why a disk or a partition of it is busy, and the numbers of all of them."""
    own, parts = _read(folder / "dev"), _parts(folder)
    busy = [f"{node.name} is {why}" for why in usage.of(own)]
    for name, number in sorted(parts.items()):
        busy += [f"{name} is {why}" for why in usage.of(number)]
    return busy, {own, *parts.values()}


def _parts(folder: Path) -> dict[str, str]:
    """The numbers of a disk's partitions by their names. A map's are devices above it."""
    found = {path.parent.name: _read(path) for path in folder.glob(f"{folder.name}*/dev")}
    if (folder / "dm").is_dir():
        above = [one for one in folder.glob("holders/*") if is_joined(one)]
        found |= {_read(one / "dm/name"): _read(one / "dev") for one in above}
    return found


def _serial(device: Device) -> str:
    udev = device.udev
    return udev.get("ID_SCSI_SERIAL") or udev.get("ID_SERIAL_SHORT") or _read(device.folder / "serial")


def _size(folder: Path) -> int:
    return _number(folder, "size") * 512


def _words(text: str) -> str:
    """A name as people know it; virtio has a PCI number (``0x1af4``) in its place, which is none."""
    return "" if text.startswith("0x") else " ".join(text.replace("_", " ").split())


def _is_medium(numbers: set[str], usage: Usage) -> bool:
    """Whether the medium lies on one of these devices, or on a device stacked upon them (as some boot sticks do)."""
    if not usage.medium:
        return False
    below, todo = {usage.medium}, [usage.medium]
    while todo:
        for slave in Path(f"/sys/dev/block/{todo.pop()}/slaves").glob("*/dev"):
            number = slave.read_text().strip()
            if number not in below:
                below.add(number)
                todo.append(number)
    return bool(numbers & below)


def _transport(name: str, sys_path: Path, udev: Mapping[str, str]) -> str:
    if name.startswith("nvme"):
        return "nvme"
    if name.startswith("vd"):
        return "virtio"
    if name.startswith("xvd"):
        return "xen"
    if name.startswith("mmcblk"):
        return "mmc"
    bus = udev.get("ID_BUS", "")
    real = str(sys_path.resolve())
    if bus == "usb" or "/usb" in real:
        return "usb"
    if bus == "ata" or "/ata" in real:
        return "sata"
    if re.search(r"/session\d+/target", real):
        return "iscsi"
    if "/end_device-" in real:
        return "sas"
    return "virtio" if "/virtio" in real else bus


def _nics(context: pyudev.Context) -> Iterator[NicFacts]:
    heard = neighbours()
    iscsi = _read(ISCSI_CARDS).lower().split()
    for device in context.list_devices(subsystem="net"):
        path = Path(device.sys_path)
        # Bridges, bonds, tunnels and the loopback have no device behind them; virtual functions have a physical one.
        if not (path / "device").exists() or (path / "device/physfn").exists() or _read(path / "type") != "1":
            continue
        carrier = _read(path / "carrier")
        speed = _read(path / "speed")
        bus = (path / "device").resolve()
        if bus.name.startswith("virtio"):
            bus = bus.parent
        driver = path / "device/driver"
        yield NicFacts(
            name=path.name,
            mac=_read(path / "address").lower(),
            driver=driver.resolve().name if driver.exists() else "",
            carrier={"1": True, "0": False}.get(carrier),
            speed=int(speed) if speed.isdigit() and carrier == "1" else None,
            sriov_vfs=_number(path, "device/sriov_totalvfs"),
            bus=bus.name,
            product=str(device.properties.get("ID_MODEL_FROM_DATABASE", "")),
            neighbour=heard.get(path.name),
            iscsi=_read(path / "address").lower() in iscsi,
        )


def _firmware(firmware: Path) -> FirmwareFacts:
    # SMBIOS structures: 38 is the IPMI device, 42 the management controller's host interface (Redfish).
    kinds = (("IPMI", "38"), ("Redfish", "42"))
    bmc = tuple(name for name, kind in kinds if any((firmware / "dmi/entries").glob(f"{kind}-*")))
    if not (firmware / "efi").is_dir():
        return FirmwareFacts(kind="bios", bmc=bmc)
    try:
        # Four bytes of attributes before the value.
        secure = (firmware / _EFI_SECURE_BOOT).read_bytes()[4:5] == b"\x01"
    except OSError:
        return FirmwareFacts(kind="uefi", bmc=bmc)
    return FirmwareFacts(kind="uefi", secure_boot=secure, bmc=bmc)


def _memory() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return 0


def _cpu() -> CpuFacts:
    fields: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    flags = fields.get("flags", "").split()
    virtualization = next((flag for flag in ("vmx", "svm") if flag in flags), "")
    tables = Path("/sys/firmware/acpi/tables")
    return CpuFacts(
        count=os.cpu_count() or 1,
        model=fields.get("model name", ""),
        virtualization=virtualization,
        iommu=any((tables / name).exists() for name in ("DMAR", "IVRS")),
    )


def _dmi(path: Path) -> DmiFacts:
    return DmiFacts(
        uuid=_read(path / "product_uuid").lower(),
        vendor=_read(path / "sys_vendor"),
        product=_read(path / "product_name"),
        serial=_read(path / "product_serial"),
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip("\0 \n\t")
    except OSError:
        # Not every device has every attribute, and some refuse (carrier of an interface that is down).
        return ""


def _number(base: str | Path, name: str) -> int:
    text = _read(Path(base) / name)
    return int(text) if text.isdigit() else 0

"""The facts of the machine that this runs on: udev for what exists, sysfs and the devices themselves for the rest.

Nothing is changed by looking. What is no disk to install on (CD drives, loop and RAM disks, device-mapper and md
devices, empty card readers) is left out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyudev

from zeroth.system.diskprobe import Usage, probe_content, read_usage
from zeroth.system.facts import CpuFacts, DiskFacts, DmiFacts, Facts, FirmwareFacts, NicFacts
from zeroth.system.lldp import neighbours

__all__ = ["MEDIUM", "LiveMachine", "disk_facts"]

MEDIUM = Path("/run/zeroth/medium")
"""Where the boot script mounts the installation medium."""

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


def _disks(context: pyudev.Context, usage: Usage) -> Iterator[DiskFacts]:
    for device in context.list_devices(subsystem="block", DEVTYPE="disk"):
        name = str(device.sys_name)
        if name.startswith(_NOT_DISKS) or not device.device_node or _number(device.sys_path, "size") == 0:
            continue
        # Boot and replay-protected areas of eMMC are block devices of their own, and no disks.
        if name.startswith("mmcblk") and ("boot" in name or "rpmb" in name):
            continue
        yield disk_facts(
            Path(device.device_node),
            Path(device.sys_path),
            usage,
            udev={str(key): str(value) for key, value in device.properties.items()},
            links=tuple(sorted(str(link) for link in device.device_links)),
        )


def disk_facts(
    node: Path, sys_path: Path, usage: Usage, *, udev: dict[str, str] | None = None, links: tuple[str, ...] = ()
) -> DiskFacts:
    """The facts of one disk.

    :param sys_path: its directory in sysfs.
    :param udev: its udev properties; the identity fields come from there.
    """
    udev = udev or {}
    content = probe_content(node)
    numbers = {path.parent.name: path.read_text().strip() for path in sys_path.glob(f"{sys_path.name}*/dev")}
    own = (sys_path / "dev").read_text().strip()
    partitions = tuple(
        part.model_copy(update={"in_use": usage.of(numbers.get(Path(part.path).name, ""))})
        for part in content.partitions
    )
    busy = [f"{node.name} is {why}" for why in usage.of(own)]
    for name, number in sorted(numbers.items()):
        busy += [f"{name} is {why}" for why in usage.of(number)]
    return DiskFacts(
        path=str(node),
        links=links,
        size=_number(sys_path, "size") * 512,
        serial=udev.get("ID_SCSI_SERIAL") or udev.get("ID_SERIAL_SHORT") or _read(sys_path / "serial"),
        wwn=udev.get("ID_WWN_WITH_EXTENSION") or udev.get("ID_WWN") or _read(sys_path / "wwid"),
        vendor=_words(udev.get("ID_VENDOR") or _read(sys_path / "device/vendor")),
        model=_words(udev.get("ID_MODEL") or _read(sys_path / "device/model")),
        transport=_transport(node.name, sys_path, udev),
        logical_sector=_number(sys_path, "queue/logical_block_size") or 512,
        physical_sector=_number(sys_path, "queue/physical_block_size") or 512,
        rotational=bool(_number(sys_path, "queue/rotational")),
        removable=bool(_number(sys_path, "removable")),
        read_only=bool(_number(sys_path, "ro")),
        table=content.table,
        table_uuid=content.table_uuid,
        signatures=content.signatures,
        partitions=partitions,
        in_use=tuple(busy),
        medium=_is_medium({own, *numbers.values()}, usage),
        unreadable=content.unreadable,
        zeroth=content.zeroth,
    )


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


def _transport(name: str, sys_path: Path, udev: dict[str, str]) -> str:
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
    if "/end_device-" in real:
        return "sas"
    return "virtio" if "/virtio" in real else bus


def _nics(context: pyudev.Context) -> Iterator[NicFacts]:
    heard = neighbours()
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

"""What a machine has: disks, network cards, firmware, memory, identity.

Facts are values that travel as JSON. Two makers give them, both through :class:`Machine`: the live machine
(:mod:`zeroth.system.live`) and a recording (:class:`RecordedMachine`), so that everything which decides from facts can
be tried on machines that are not here. Sizes and offsets are bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

from zeroth.errors import UserError
from zeroth.system.recognise import systems

__all__ = [
    "AppliedFacts",
    "CpuFacts",
    "DiskFacts",
    "DmiFacts",
    "Facts",
    "FirmwareFacts",
    "KeptFacts",
    "Machine",
    "MarkerFacts",
    "NeighbourFacts",
    "NicFacts",
    "PartitionFacts",
    "RecordedMachine",
    "Signature",
    "ZerothFacts",
]

_MAX_RECORDING = 16 << 20
# Firmware that was never given an identity reports one of these for every machine of its kind.
_NO_IDENTITY = {
    "",
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "03000200-0400-0500-0006-000700080009",
}


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Signature(_Fact):
    """Something that a probe recognises at the start (or end) of a device.

    :ivar type: libblkid's name: ``ext4``, ``vfat``, ``LVM2_member``, ``linux_raid_member``, ``gpt``, ``dos``, ...
    :ivar label: of the file system; of an array or a pool its name.
    :ivar group: the volume group of an LVM member, as far as it is known.
    :ivar group_uuid: its UUID, as LVM writes it.
    :ivar group_members: on how many devices it lies; 0 when that is not known.
    :ivar volumes: the names of the logical volumes in it.
    """

    type: str
    offset: int
    label: str = ""
    uuid: str = ""
    group: str = ""
    group_uuid: str = ""
    group_members: int = 0
    volumes: tuple[str, ...] = ()


class KeptFacts(_Fact):
    """A partition that an installation in progress keeps: where it lies, in bytes, and its PARTUUID."""

    start: int
    size: int
    uuid: str


class MarkerFacts(_Fact):
    """The mark of an installation in progress, as found on a disk (see :mod:`zeroth.deploy.marker`).

    :ivar phase: ``rebuilding`` on a disk that a running host makes a leg of its mirror.
    :ivar digest: of the answer that is being applied.
    :ivar install: the installation's identity, from which the GUIDs of its disk are derived.
    :ivar sr: the local storage repository that it keeps, so that it is not lost with a table that is cut off.
    """

    phase: Literal["installing", "finishing", "rebuilding"]
    digest: str
    install: UUID
    sr: KeptFacts | None = None


class AppliedFacts(_Fact):
    """What a finished installation says of itself (``install/applied.json`` on its state partition).

    :ivar digest: SHA-256 of the answer that was applied.
    :ivar machine: DMI UUID of the machine it was applied to; empty when that had none.
    """

    digest: str
    time: str
    version: str
    machine: str = ""


class ZerothFacts(_Fact):
    """Signs of zeroth on a disk.

    :ivar state: the partition device that holds the state, when the disk has zeroth's partitions.
    """

    state: str = ""
    marker: MarkerFacts | None = None
    applied: AppliedFacts | None = None


class PartitionFacts(_Fact):
    """One partition, as the partition table and the kernel show it."""

    number: int
    path: str
    start: int
    size: int
    label: str = ""
    uuid: str = ""
    type: str = ""
    signatures: tuple[Signature, ...] = ()
    in_use: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """For people: ``sda1 ext4 'boot'``."""
        what = ", ".join(dict.fromkeys(sign.type for sign in self.signatures)) or "no known content"
        name = self.label or next((sign.label for sign in self.signatures if sign.label), "")
        return f"{Path(self.path).name} {what}" + (f" '{name}'" if name else "")


class DiskFacts(_Fact):
    """One whole disk.

    :ivar links: every ``/dev/disk/...`` name of it.
    :ivar transport: ``nvme``, ``sata``, ``sas``, ``usb``, ``virtio``, ...; empty when unknown.
    :ivar table: kind of partition table, ``gpt`` or ``dos``; empty for none.
    :ivar table_uuid: the GPT's disk GUID, lower case.
    :ivar in_use: why the disk is busy now, one sentence each; empty when it is free.
    :ivar medium: it holds the medium that this installer was booted from.
    :ivar unreadable: why its content could not be read; empty when it could.
    :ivar paths: of a disk that is seen over several paths the node of each, ``/dev/sda``; ``path`` is then the map
        above them, ``/dev/mapper/WWID``, which need not run yet.
    :ivar wwid: by what multipath knows such a disk; empty for others.
    """

    path: str
    size: int
    links: tuple[str, ...] = ()
    serial: str = ""
    wwn: str = ""
    vendor: str = ""
    model: str = ""
    transport: str = ""
    logical_sector: int = 512
    physical_sector: int = 512
    rotational: bool = False
    removable: bool = False
    read_only: bool = False
    table: str = ""
    table_uuid: str = ""
    signatures: tuple[Signature, ...] = ()
    partitions: tuple[PartitionFacts, ...] = ()
    in_use: tuple[str, ...] = ()
    medium: bool = False
    unreadable: str = ""
    zeroth: ZerothFacts | None = None
    paths: tuple[str, ...] = ()
    wwid: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of all file systems on the disk."""
        signs = (*self.signatures, *(sign for part in self.partitions for sign in part.signatures))
        return tuple(sign.label for sign in signs if sign.label)

    @property
    def contents(self) -> tuple[str, ...]:
        """What the disk carries, one phrase each; empty for a disk on which nothing was recognised."""
        if self.unreadable:
            return (f"unreadable: {self.unreadable}",)
        found = []
        if self.zeroth and self.zeroth.applied:
            found.append(f"zeroth {self.zeroth.applied.version}, installed {self.zeroth.applied.time[:10]}")
        elif self.zeroth and self.zeroth.marker:
            found.append("an unfinished zeroth installation")
        found += systems(self.signatures, self.partitions)
        if self.table:
            found.append(f"{self.table} partition table with {len(self.partitions)} partitions")
        table = {"gpt", "pmbr", "dos"}
        found += dict.fromkeys(
            sign.type for sign in self.signatures if not (self.table and sign.type.lower() in table)
        )
        found += [part.summary for part in self.partitions]
        return tuple(found)


class NeighbourFacts(_Fact):
    """What a card heard by LLDP of the port at its other end.

    :ivar system: the switch's name, ``chassis`` its identity (mostly a MAC address).
    :ivar port: the port's identity, ``Gi1/0/12``; ``description`` is what people wrote about it.
    """

    system: str = ""
    chassis: str = ""
    port: str = ""
    description: str = ""

    @property
    def summary(self) -> str:
        """For people: ``port Gi1/0/12 of switch1``."""
        return f"port {self.port or self.description or 'unknown'} of {self.system or self.chassis or 'unknown'}"


class NicFacts(_Fact):
    """One physical network card port.

    :ivar carrier: a link is up; None when the kernel cannot say because the interface is down.
    :ivar speed: Mb/s; None without a link.
    :ivar sriov_vfs: how many virtual functions it can have; 0 without SR-IOV.
    :ivar bus: its address on the bus, ``0000:00:02.0``.
    :ivar neighbour: what is at the other end, if it was heard until now.
    :ivar iscsi: the machine was started through it from a disk over iSCSI: it is that disk's alone.
    """

    name: str
    mac: str
    driver: str = ""
    carrier: bool | None = None
    speed: int | None = None
    sriov_vfs: int = 0
    bus: str = ""
    product: str = ""
    neighbour: NeighbourFacts | None = None
    iscsi: bool = False


class FirmwareFacts(_Fact):
    """How the machine was booted.

    :ivar secure_boot: None where it does not exist (BIOS).
    :ivar bmc: how a management controller can be reached from inside: ``IPMI``, ``Redfish``; empty for none.
    """

    kind: Literal["bios", "uefi"]
    secure_boot: bool | None = None
    bmc: tuple[str, ...] = ()


class CpuFacts(_Fact):
    """Processors.

    :ivar virtualization: ``vmx``, ``svm`` or empty.
    :ivar iommu: the firmware describes one (ACPI's DMAR or IVRS), which passing devices to guests needs.
    """

    count: int
    model: str = ""
    virtualization: str = ""
    iommu: bool = False


class DmiFacts(_Fact):
    """What the firmware says the machine is."""

    uuid: str = ""
    vendor: str = ""
    product: str = ""
    serial: str = ""

    @property
    def identity(self) -> str:
        """The machine's own UUID, lower case; empty when the firmware has none that is unique."""
        uuid = self.uuid.lower()
        return "" if uuid in _NO_IDENTITY else uuid


class Facts(_Fact):
    """Everything that is decided from.

    :ivar memory: bytes that the kernel can use (somewhat less than what is plugged in).
    :ivar clock: the machine's time, ISO 8601, UTC.
    :ivar hypervisor: name of the hypervisor when running in a domain or virtual machine that says so; else empty.
    """

    schema_version: Literal[1] = 1
    disks: tuple[DiskFacts, ...] = ()
    nics: tuple[NicFacts, ...] = ()
    firmware: FirmwareFacts = FirmwareFacts(kind="bios")
    memory: int = 0
    cpu: CpuFacts = CpuFacts(count=1)
    dmi: DmiFacts = DmiFacts()
    clock: str = ""
    hypervisor: str = ""

    def hearing(self, heard: Mapping[str, NeighbourFacts]) -> Facts:
        """The same machine, after its cards heard more: neighbours by the cards' names."""
        nics = [nic.model_copy(update={"neighbour": heard.get(nic.name, nic.neighbour)}) for nic in self.nics]
        return self.model_copy(update={"nics": tuple(nics)})


class Machine(Protocol):
    """Something that has facts."""

    def facts(self) -> Facts:
        """Read them now. Reading changes nothing on the machine."""


class RecordedMachine:
    """A machine from a file made by ``zeroth probe --json``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def facts(self) -> Facts:
        """Read the recording.

        :raises UserError: when it cannot be read or is no recording.
        """
        try:
            with self._path.open("rb") as file:
                data = file.read(_MAX_RECORDING + 1)
        except OSError as error:
            raise UserError(f"cannot read the recorded machine: {error.strerror}", where=str(self._path)) from None
        if len(data) > _MAX_RECORDING:
            raise UserError("this is too large to be a recorded machine", where=str(self._path))
        try:
            return Facts.model_validate_json(data)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise UserError(
                f"this is not a recorded machine: {place + ': ' if place else ''}{first['msg']}",
                "Record one with `zeroth probe --json > machine.json`.",
                where=str(self._path),
            ) from None

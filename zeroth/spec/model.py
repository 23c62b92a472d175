"""HostSpec: one typed model of what a host shall be.

Every answer language is read into it, the installer and first boot work from it, and its JSON Schema is published. It
holds settings only; what a machine *has* are facts (:mod:`zeroth.system.facts`).
"""

from __future__ import annotations

from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator, model_validator

from zeroth.spec.fields import (
    BridgeName,
    DiskSelector,
    HostAddress,
    HostName,
    KeyboardLayout,
    LinuxWord,
    NicName,
    PasswordHash,
    SerialSpeed,
    SshKey,
    TimeZone,
    XenWord,
)
from zeroth.system.size import MIB, Size

__all__ = [
    "SCHEMA_VERSION",
    "STORED",
    "DhcpAddress",
    "DiskSpec",
    "Dom0Spec",
    "EndAction",
    "HostSpec",
    "ManagementNetwork",
    "OnFailure",
    "RootLogin",
    "StaticAddress",
]

SCHEMA_VERSION: Literal[1] = 1

STORED = {"stored": True}
"""Validation context for a host's own stored answer, from which secrets leave once they are used."""


class _Model(BaseModel):
    """Values: frozen, and nothing unknown is let through."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class EndAction(StrEnum):
    """What the installer does when it succeeded."""

    REBOOT = "reboot"
    POWEROFF = "poweroff"
    HALT = "halt"
    """Say that it is done, wait for somebody to press Enter on a console, then reboot."""


class OnFailure(StrEnum):
    """What the installer does when it failed. It never tries again by itself."""

    SHELL = "shell"
    POWEROFF = "poweroff"


class RootLogin(_Model):
    """How the administrator gets in: a password, keys, or both.

    A plain password is accepted in answer files and replaced by its hash before anything is stored or shown.
    """

    password_hash: PasswordHash | None = None
    password: SecretStr | None = None
    ssh_keys: tuple[SshKey, ...] = ()

    @model_validator(mode="after")
    def _some_way_in(self, info: ValidationInfo) -> Self:
        if self.password_hash and self.password:
            raise ValueError("give either password_hash or password, not both")
        if not (self.password_hash or self.password or self.ssh_keys or info.context == STORED):
            raise ValueError("there is no way to log in: give a root password or an ssh key")
        return self


class DiskSpec(_Model):
    """Which disk to install on, and the consent to destroy what is on it.

    :ivar select: a path (``/dev/disk/by-id/...``, ``/dev/sda``), or ``serial=``, ``wwn=``, ``id=``, ``model=`` with a
        value (shell patterns allowed), or ``smallest``, ``largest``, ``only``. Exactly one disk must match.
    :ivar wipe: the consent to erase that disk when it carries anything at all.
    """

    select: DiskSelector = "only"
    wipe: Annotated[bool, Field(strict=True)] = False


class DhcpAddress(_Model):
    """An IPv4 address by DHCP."""

    method: Literal["dhcp"] = "dhcp"


class StaticAddress(_Model):
    """A fixed IPv4 address.

    :ivar address: with prefix length, ``192.0.2.10/24``.
    """

    method: Literal["static"] = "static"
    address: IPv4Interface
    gateway: HostAddress | None = None

    @field_validator("address", mode="before")
    @classmethod
    def _has_a_prefix(cls, value: object) -> object:
        # IPv4Interface would take /32 when it is missing, and a host mask for a network mask.
        if isinstance(value, str) and not value.partition("/")[2].isdigit():
            raise ValueError(f"{value!r} is not an address with its prefix length, as in 192.0.2.10/24")
        return value

    @field_validator("address")
    @classmethod
    def _is_a_host(cls, address: IPv4Interface) -> IPv4Interface:
        network, ip = address.network, address.ip
        if ip.is_unspecified or ip.is_loopback or ip.is_multicast or ip.is_reserved:
            raise ValueError(f"{ip} cannot be the address of a host")
        if not network.prefixlen:
            raise ValueError("a prefix length of 0 makes the whole world local")
        if network.prefixlen < 31 and ip in (network.network_address, network.broadcast_address):
            raise ValueError(f"{ip} is the network or broadcast address of {network}")
        return address

    @field_validator("gateway")
    @classmethod
    def _is_near(cls, gateway: IPv4Address | None, info: ValidationInfo) -> IPv4Address | None:
        address: IPv4Interface | None = info.data.get("address")
        if gateway is None or address is None:
            return gateway
        network = address.network
        if gateway not in network:
            raise ValueError(f"the gateway {gateway} is not in the host's network {network}")
        if gateway == address.ip:
            raise ValueError(f"the gateway {gateway} is the host's own address")
        if network.prefixlen < 31 and gateway in (network.network_address, network.broadcast_address):
            raise ValueError(f"{gateway} is the network or broadcast address of {network}")
        return gateway


class ManagementNetwork(_Model):
    """The network on which the host is reached; it becomes a bridge on Open vSwitch.

    :ivar nic: a MAC address or a kernel name; None takes the only NIC with a link.
    :ivar vlan: 802.1Q tag on the management traffic, 1 to 4094.
    :ivar bridge: name of the Open vSwitch bridge.
    """

    nic: NicName | None = None
    vlan: Annotated[int, Field(strict=True, ge=1, le=4094)] | None = None
    address: DhcpAddress | StaticAddress = Field(default=DhcpAddress(), discriminator="method")
    dns: tuple[HostAddress, ...] = Field(default=(), max_length=8)
    bridge: BridgeName = "xenbr0"


class Dom0Spec(_Model):
    """How Xen treats domain 0.

    :ivar memory: fixed (Xen gets ``dom0_mem=N,max:N``).
    :ivar vcpus: None leaves Xen's default (all CPUs).
    :ivar xen_append: words added to Xen's command line.
    :ivar linux_append: words added to the dom0 kernel's command line.
    :ivar serial: speed of the first serial port as a console besides the screen; None for none.
    """

    memory: Size = Size(1536 * MIB)
    vcpus: Annotated[int, Field(strict=True, ge=1, le=512)] | None = None
    xen_append: tuple[XenWord, ...] = ()
    linux_append: tuple[LinuxWord, ...] = ()
    serial: SerialSpeed | None = 115200

    @field_validator("memory")
    @classmethod
    def _enough(cls, memory: Size) -> Size:
        if memory < 768 * MIB:
            raise ValueError(f"dom0 needs at least 768 MiB, not {memory}")
        if memory > 1024 * 1024 * MIB:
            raise ValueError(f"{memory} is more than any machine has: 1 TiB is the most")
        if memory % MIB:
            raise ValueError(f"dom0's memory must be whole MiB, not {memory}")
        return memory


class HostSpec(_Model):
    """What one host shall be. The answer is applied once, the host's store is the desired state from then on."""

    schema_version: Literal[1] = SCHEMA_VERSION
    hostname: HostName
    timezone: TimeZone = "Etc/UTC"
    keyboard: KeyboardLayout = "us"
    root: RootLogin
    disk: DiskSpec = DiskSpec()
    management: ManagementNetwork = ManagementNetwork()
    dom0: Dom0Spec = Dom0Spec()
    end_action: EndAction = EndAction.REBOOT
    on_failure: OnFailure = OnFailure.SHELL
    reinstall: Annotated[bool, Field(strict=True)] = False
    """Apply this answer again even to a machine to which it was applied before."""

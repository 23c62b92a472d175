"""HostSpec: one typed model of what a host shall be.

Every answer language is read into it, the installer and first boot work from it, and its JSON Schema is published. It
holds settings only; what a machine *has* are facts (:mod:`zeroth.system.facts`).
"""

from __future__ import annotations

from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from zeroth.system.size import MIB, Size

__all__ = [
    "SCHEMA_VERSION",
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

# RFC 1123: labels of letters, digits and hyphens, not at an end; at most 253 characters in all (Linux allows 64).
HostName = Annotated[
    str,
    Field(max_length=64, pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$"),
]
MacAddress = Annotated[str, Field(pattern=r"^[0-9a-f]{2}(:[0-9a-f]{2}){5}$")]
# crypt(5): $id$... with the modern methods only; "!" or "*" would lock the account, which is `locked`.
PasswordHash = Annotated[str, Field(pattern=r"^\$(5|6|y|gy|7|2[aby])\$[ -9;-~]+$")]


class _Model(BaseModel):
    """Values: frozen, and nothing unknown is let through."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class EndAction(StrEnum):
    """What the installer does when it succeeded."""

    REBOOT = "reboot"
    POWEROFF = "poweroff"


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
    ssh_keys: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _some_way_in(self) -> Self:
        if self.password_hash and self.password:
            raise ValueError("give either password_hash or password, not both")
        if not (self.password_hash or self.password or self.ssh_keys):
            raise ValueError("there is no way to log in: give a root password or an ssh key")
        return self


class DiskSpec(_Model):
    """Which disk to install on, and the consent to destroy what is on it.

    :ivar select: a path (``/dev/disk/by-id/...``, ``/dev/sda``), or ``serial=``, ``wwn=``, ``id=``, ``model=`` with a
        value (shell patterns allowed), or ``smallest``, ``largest``, ``only``. Exactly one disk must match.
    :ivar wipe: the consent to erase that disk when it carries anything at all.
    """

    select: str = Field(default="only", min_length=1)
    wipe: bool = False


class DhcpAddress(_Model):
    """An IPv4 address by DHCP."""

    method: Literal["dhcp"] = "dhcp"


class StaticAddress(_Model):
    """A fixed IPv4 address.

    :ivar address: with prefix length, ``192.0.2.10/24``.
    """

    method: Literal["static"] = "static"
    address: IPv4Interface
    gateway: IPv4Address | None = None

    @model_validator(mode="after")
    def _gateway_is_near(self) -> Self:
        network = self.address.network
        if network.prefixlen < 31 and self.address.ip in (
            network.network_address,
            network.broadcast_address,
        ):
            raise ValueError(f"{self.address.ip} is the network or broadcast address of {network}")
        if self.gateway and self.gateway not in network:
            raise ValueError(f"the gateway {self.gateway} is not in {network}")
        if self.gateway == self.address.ip:
            raise ValueError("the gateway is the host's own address")
        return self


class ManagementNetwork(_Model):
    """The network on which the host is reached; it becomes a bridge on Open vSwitch.

    :ivar nic: a MAC address or a kernel name; None takes the only NIC with a link.
    :ivar vlan: 802.1Q tag on the management traffic, 1 to 4094.
    :ivar bridge: name of the Open vSwitch bridge.
    """

    nic: str | None = None
    vlan: int | None = Field(default=None, ge=1, le=4094)
    address: DhcpAddress | StaticAddress = Field(default=DhcpAddress(), discriminator="method")
    dns: tuple[IPv4Address, ...] = ()
    bridge: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,14}$")] = "xenbr0"


class Dom0Spec(_Model):
    """How Xen treats domain 0.

    :ivar memory: fixed (Xen gets ``dom0_mem=N,max:N``).
    :ivar vcpus: None leaves Xen's default (all CPUs).
    :ivar xen_append: words added to Xen's command line.
    :ivar linux_append: words added to the dom0 kernel's command line.
    :ivar serial: speed of the first serial port as a console besides the screen; None for none.
    """

    memory: Size = Size(1536 * MIB)
    vcpus: int | None = Field(default=None, ge=1, le=512)
    xen_append: tuple[str, ...] = ()
    linux_append: tuple[str, ...] = ()
    serial: int | None = 115200

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if self.memory < 768 * MIB:
            raise ValueError(f"dom0 needs at least 768 MiB, not {self.memory}")
        if self.memory % MIB:
            raise ValueError("dom0 memory must be whole MiB")
        return self


class HostSpec(_Model):
    """What one host shall be. The answer is applied once, the host's store is the desired state from then on."""

    schema_version: Literal[1] = SCHEMA_VERSION
    hostname: HostName
    timezone: str = "Etc/UTC"
    keyboard: str = "us"
    root: RootLogin
    disk: DiskSpec = DiskSpec()
    management: ManagementNetwork = ManagementNetwork()
    dom0: Dom0Spec = Dom0Spec()
    end_action: EndAction = EndAction.REBOOT
    on_failure: OnFailure = OnFailure.SHELL
    reinstall: bool = False
    """Apply this answer again even to a machine to which it was applied before."""

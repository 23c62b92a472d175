"""Storage repositories besides the one on the installed disk."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, model_validator

from zeroth.spec.fields import (
    ClusterName,
    DiskSelector,
    HostName,
    IscsiName,
    NetworkName,
    NfsPath,
    ServerName,
)
from zeroth.spec.model.base import STORED, Model, Secret, Switch

__all__ = [
    "Content", "DrbdPeer", "DrbdStorage", "IscsiStorage", "LocalStorage", "NfsStorage", "NfsVersion", "Ocfs2Node",
    "Ocfs2Storage", "StorageSpec",
]  # fmt: skip

_Port = Annotated[int, Field(strict=True, ge=1, le=65535)]


class Content(StrEnum):
    """What a repository holds."""

    DISKS = "disks"
    ISO = "iso"
    """Images for virtual CD drives."""


class NfsVersion(StrEnum):
    """The protocol's version."""

    V3 = "3"
    V4 = "4"
    V4_1 = "4.1"
    V4_2 = "4.2"


class _Storage(Model):
    """What all repositories have.

    :ivar name: as it is called in the pool.
    :ivar default: new disks go here; one repository at most.
    """

    name: NetworkName
    default: Switch = False


class LocalStorage(_Storage):
    """On whole disks of this host's own.

    :ivar disks: each of them one disk.
    :ivar wipe: the consent to erase them when they carry anything at all.
    """

    type: Literal["local"] = "local"
    disks: Annotated[tuple[DiskSelector, ...], Field(min_length=1, max_length=64)]
    format: Literal["lvm", "ext4"] = "lvm"
    wipe: Switch = False


class NfsStorage(_Storage):
    """On an NFS server.

    :ivar path: what the server exports.
    """

    type: Literal["nfs"] = "nfs"
    server: ServerName
    path: NfsPath
    version: NfsVersion = NfsVersion.V4_1
    content: Content = Content.DISKS
    options: Annotated[str, Field(pattern=r"^[a-z0-9_=,.:-]*$", max_length=256)] = ""


class IscsiStorage(_Storage):
    """On a LUN of an iSCSI target.

    :ivar portals: the target's addresses, more than one for several paths.
    :ivar target: its name (IQN).
    :ivar username: for CHAP, with ``password``.
    :ivar create: make a new repository on the LUN, if it carries none.
    :ivar wipe: the consent to erase what else it carries.
    """

    type: Literal["iscsi"] = "iscsi"
    portals: Annotated[tuple[ServerName, ...], Field(min_length=1, max_length=8)]
    port: _Port = 3260
    target: IscsiName
    lun: Annotated[int, Field(strict=True, ge=0, le=16383)] = 0
    username: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^\S+$")] | None = None
    password: Secret | None = None
    create: Switch = False
    wipe: Switch = False

    @model_validator(mode="after")
    def _makes_sense(self, info: ValidationInfo) -> Self:
        if info.context != STORED and bool(self.username) != bool(self.password):
            raise ValueError("CHAP needs both username and password")
        _check_consent(create=self.create, wipe=self.wipe)
        return self


class Ocfs2Node(Model):
    """One host of an OCFS2 cluster; its name must be its host name."""

    name: HostName
    address: ServerName


class Ocfs2Storage(_Storage):
    """A cluster file system on a disk that all hosts see.

    :ivar disk: the shared disk; exactly one must match.
    :ivar cluster: its name, at most 16 letters and digits.
    :ivar nodes: its hosts, this one among them; in a pool the pool knows them.
    :ivar heartbeat: ``global`` beats once for all file systems, ``local`` once for each.
    :ivar threshold: missed beats (2 s each) after which a host resets itself.
    """

    type: Literal["ocfs2"] = "ocfs2"
    disk: DiskSelector
    cluster: ClusterName
    nodes: Annotated[tuple[Ocfs2Node, ...], Field(max_length=64)] = ()
    heartbeat: Literal["global", "local"] = "global"
    slots: Annotated[int, Field(strict=True, ge=2, le=255)] = 16
    threshold: Annotated[int, Field(strict=True, ge=7, le=600)] = 31
    create: Switch = False
    wipe: Switch = False

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        for what in ("name", "address"):
            values = [str(getattr(node, what)) for node in self.nodes]
            if len(set(values)) < len(values):
                raise ValueError(f"two nodes of the cluster have the same {what}")
        _check_consent(create=self.create, wipe=self.wipe)
        return self


class DrbdPeer(Model):
    """The other host of a DRBD resource; its name must be its host name."""

    name: HostName
    address: ServerName


class DrbdStorage(_Storage):
    """A disk mirrored over the network to one other host (DRBD 8.4 has two hosts a resource).

    :ivar disk: the local disk; exactly one must match.
    :ivar address: of this host, for the replication; the management address when it is not given.
    :ivar secret: the same on both hosts.
    :ivar protocol: C: a write is done when it is on both disks.
    """

    type: Literal["drbd"] = "drbd"
    peer: DrbdPeer
    disk: DiskSelector
    address: ServerName | None = None
    port: _Port = 7788
    secret: Secret | None = None
    protocol: Literal["A", "B", "C"] = "C"
    create: Switch = False
    wipe: Switch = False

    @model_validator(mode="after")
    def _makes_sense(self, info: ValidationInfo) -> Self:
        if info.context != STORED and self.secret is None:
            raise ValueError("DRBD needs a secret, so that only the two hosts talk to each other")
        _check_consent(create=self.create, wipe=self.wipe)
        return self


def _check_consent(*, create: bool, wipe: bool) -> None:
    if wipe and not create:
        raise ValueError("wipe allows to erase what stands where a repository is created: give create as well")


StorageSpec = Annotated[
    LocalStorage | NfsStorage | IscsiStorage | Ocfs2Storage | DrbdStorage, Field(discriminator="type")
]

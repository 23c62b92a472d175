"""HostSpec: one typed model of what a host shall be.

Every answer language is read into it, the installer and first boot work from it, and its JSON Schema is published. It
holds settings only; what a machine *has* are facts (:mod:`zeroth.system.facts`). What a part of it means stands beside
the part, one module a theme.
"""

from __future__ import annotations

from zeroth.spec.model.base import HIDDEN, REVEALED, SECRET_NAMES, STORED, Model, without_secrets
from zeroth.spec.model.disks import MISSING, DiskSpec, Layout, LocalSr
from zeroth.spec.model.host import CONFLICTS, SCHEMA_VERSION, Conflict, HostSpec
from zeroth.spec.model.login import RootLogin, UserSpec
from zeroth.spec.model.network import (
    BondMode,
    BondSpec,
    Dhcp6Address,
    DhcpAddress,
    Hashing,
    LacpRate,
    ManagementNetwork,
    NetworkSpec,
    NoAddress,
    NtpSpec,
    ProxySpec,
    Purpose,
    SlaacAddress,
    Static6Address,
    StaticAddress,
)
from zeroth.spec.model.pool import PoolCreate, PoolJoin
from zeroth.spec.model.power import BmcProtocol, BmcSpec, Governor, PowerSpec
from zeroth.spec.model.sriov import LinkState, SriovPolicy, VfPurpose, VfSettings, VlanProtocol
from zeroth.spec.model.storage import (
    Content,
    DrbdPeer,
    DrbdStorage,
    IscsiStorage,
    LocalStorage,
    NfsStorage,
    NfsVersion,
    Ocfs2Node,
    Ocfs2Storage,
)
from zeroth.spec.model.system import (
    Dom0Spec,
    EndAction,
    Hook,
    NotifySpec,
    OnFailure,
    RunMode,
    ServicesSpec,
    Stage,
    SyslogProtocol,
    SyslogTarget,
    Webhook,
)

__all__ = [
    "CONFLICTS", "HIDDEN", "MISSING", "REVEALED", "SCHEMA_VERSION", "SECRET_NAMES", "STORED", "BmcProtocol",
    "BmcSpec", "BondMode", "BondSpec", "Conflict", "Content", "Dhcp6Address", "DhcpAddress", "DiskSpec", "Dom0Spec",
    "DrbdPeer", "DrbdStorage", "EndAction", "Governor", "Hashing", "Hook", "HostSpec", "IscsiStorage", "LacpRate",
    "Layout", "LinkState", "LocalSr", "LocalStorage", "ManagementNetwork", "Model", "NetworkSpec", "NfsStorage",
    "NfsVersion", "NoAddress", "NotifySpec", "NtpSpec", "Ocfs2Node", "Ocfs2Storage", "OnFailure", "PoolCreate",
    "PoolJoin", "PowerSpec", "ProxySpec", "Purpose", "RootLogin", "RunMode", "ServicesSpec", "SlaacAddress",
    "SriovPolicy", "Stage", "Static6Address", "StaticAddress", "SyslogProtocol", "SyslogTarget", "UserSpec",
    "VfPurpose", "VfSettings", "VlanProtocol", "Webhook", "without_secrets",
]  # fmt: skip

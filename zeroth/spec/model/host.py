"""HostSpec itself, and what must hold between its parts."""

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from zeroth.spec.fields import HostName, KeyboardLayout, LocaleName, TimeZone
from zeroth.spec.model.base import Model, Switch
from zeroth.spec.model.disks import DiskSpec
from zeroth.spec.model.login import RootLogin, UserSpec
from zeroth.spec.model.network import ManagementNetwork, NetworkSpec, NtpSpec, ProxySpec
from zeroth.spec.model.pool import PoolSpec
from zeroth.spec.model.power import PowerSpec
from zeroth.spec.model.sriov import SriovPolicy
from zeroth.spec.model.storage import StorageSpec
from zeroth.spec.model.system import Dom0Spec, EndAction, Hook, NotifySpec, OnFailure, RunMode, ServicesSpec

__all__ = ["CONFLICTS", "LEFT_OUT", "NAMED", "SCHEMA_VERSION", "Conflict", "HostSpec", "called_twice"]

SCHEMA_VERSION: Literal[1] = 1
CONFLICTS = "conflicts"
"""Type of the validation error whose context holds :class:`Conflict` values under the same name."""
LEFT_OUT = "left out"
"""Under this name validation's context has the fields (a set) that are not as the user wrote them."""


class Conflict(NamedTuple):
    """Two parts of a host that do not go together.

    :param path: the one to change.
    """

    path: tuple[str | int, ...]
    message: str


NAMED = {
    "users": ("name", "two users are called {}"),
    "networks": ("name", "two networks are called {}"),
    "storage": ("name", "two storage repositories are called {}"),
    "sriov": ("nic", "two policies are for the NIC {}"),
}
"""Lists of which no two items may have the same name: the field that is the name, and what is said then."""


class HostSpec(Model):
    """What one host shall be. The answer is applied once, the host's store is the desired state from then on."""

    schema_version: Literal[1] = SCHEMA_VERSION
    hostname: HostName
    locale: LocaleName = "C.UTF-8"
    timezone: TimeZone = "Etc/UTC"
    keyboard: KeyboardLayout = "us"
    root: RootLogin
    users: Annotated[tuple[UserSpec, ...], Field(max_length=64)] = ()
    disk: DiskSpec = DiskSpec.model_construct()
    management: ManagementNetwork = ManagementNetwork.model_construct()
    networks: Annotated[tuple[NetworkSpec, ...], Field(max_length=64)] = ()
    ntp: NtpSpec = NtpSpec.model_construct()
    proxy: ProxySpec | None = None
    sriov: Annotated[tuple[SriovPolicy, ...], Field(max_length=32)] = ()
    storage: Annotated[tuple[StorageSpec, ...], Field(max_length=32)] = ()
    power: PowerSpec = PowerSpec.model_construct()
    pool: PoolSpec | None = None
    dom0: Dom0Spec = Dom0Spec.model_construct()
    services: ServicesSpec = ServicesSpec.model_construct()
    hooks: Annotated[tuple[Hook, ...], Field(max_length=64)] = ()
    notify: NotifySpec = NotifySpec.model_construct()
    end_action: EndAction = EndAction.REBOOT
    on_failure: OnFailure = OnFailure.SHELL
    mode: RunMode = RunMode.INSTALL
    allow_downgrade: Switch = False
    """An upgrade may bring an older version than the host has."""
    reinstall: Switch = False
    """Apply this answer again even to a machine to which it was applied before."""

    @model_validator(mode="after")
    def _agrees_with_itself(self, info: ValidationInfo) -> Self:
        left_out: frozenset[str] = (info.context or {}).get(LEFT_OUT, frozenset())
        found = [it for check, needs in _CHECKS if left_out.isdisjoint(needs) for it in check(self)]
        if found:
            raise PydanticCustomError(CONFLICTS, "{text}", {"text": found[0].message, CONFLICTS: found})
        return self


def _names(spec: HostSpec) -> Iterator[Conflict]:
    for field, (key, message) in NAMED.items():
        yield from called_twice(field, [getattr(item, key) for item in getattr(spec, field)], message)


def _bridges(spec: HostSpec) -> Iterator[Conflict]:
    bridges = [spec.management.bridge]
    if spec.management.bond and spec.management.bond.name in bridges:
        yield Conflict(("management", "bridge"), f"the bridge and its bond are both called {bridges[0]}")
    for index, network in enumerate(spec.networks):
        if network.bridge in bridges:
            yield Conflict(("networks", index, "bridge"), f"two networks have the bridge {network.bridge}")
        bridges += [network.bridge] if network.bridge else []


def called_twice(field: str, names: Sequence[str], message: str) -> Iterator[Conflict]:
    """Where a name comes again in a list.

    :param field: that holds the list.
    """
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Conflict((field, index), message.format(name))


def _uplinks(spec: HostSpec) -> Iterator[Conflict]:
    """A NIC is in one bond or in none, and carries each VLAN (and what is untagged) once."""
    bonds: set[str] = set()
    members: dict[str, str] = {}
    carries: set[tuple[str, int | None]] = set()
    own = spec.management.bond.name if spec.management.bond else spec.management.nic or ""
    for path, network in ((("management",), spec.management),
                          *((("networks", index), net) for index, net in enumerate(spec.networks))):  # fmt: skip
        bond = network.bond
        uplink = bond.name if bond else network.nic or own
        if bond and bond.name in bonds:
            yield Conflict(
                (*path, "bond"), f"the bond {bond.name} is described twice: the second time, name it as nic"
            )
        bonds |= {bond.name} if bond else set()
        for nic in bond.nics if bond else ():
            if members.setdefault(nic, bond.name if bond else "") != uplink:
                yield Conflict((*path, "bond"), f"the NIC {nic} is in two bonds, {members[nic]} and {uplink}")
        if (uplink, network.vlan) in carries:
            tag = f"VLAN {network.vlan}" if network.vlan else "the untagged traffic"
            name = uplink or "the management NIC"
            yield Conflict((*path, "vlan"), f"{tag} of {name} belongs to two networks")
        carries.add((uplink, network.vlan))
    for path, network in ((("management",), spec.management),
                          *((("networks", index), net) for index, net in enumerate(spec.networks))):  # fmt: skip
        if network.nic and network.nic in members:
            yield Conflict((*path, "nic"), f"the NIC {network.nic} is in the bond {members[network.nic]}")


def _storage(spec: HostSpec) -> Iterator[Conflict]:
    defaults = [index for index, sr in enumerate(spec.storage) if sr.default]
    for index in defaults[1:]:
        first = spec.storage[defaults[0]].name
        yield Conflict(("storage", index, "default"), f"{first} is the default storage repository already")
    for index, sr in enumerate(spec.storage):
        if sr.type == "nfs" and sr.default and sr.content == "iso":
            yield Conflict(("storage", index, "default"), "a repository of ISO images cannot take new disks")


def _cluster(spec: HostSpec) -> Iterator[Conflict]:
    """Whether this host is where its storage says that it is."""
    for index, sr in enumerate(spec.storage):
        if (
            sr.type == "ocfs2"
            and sr.nodes
            and spec.hostname.partition(".")[0] not in {node.name.partition(".")[0] for node in sr.nodes}
        ):
            yield Conflict(("storage", index, "nodes"), f"this host, {spec.hostname}, is not among the nodes")
        if sr.type == "drbd" and sr.peer.name == spec.hostname:
            yield Conflict(("storage", index, "peer"), "the peer of a DRBD resource is another host")


def _modes(spec: HostSpec) -> Iterator[Conflict]:
    if spec.mode is RunMode.UPGRADE and (spec.disk.wipe or spec.disk.wipe_disks):
        yield Conflict(("disk",), "an upgrade keeps what is on the disk: leave out the consent to erase it")
    if spec.allow_downgrade and spec.mode is not RunMode.UPGRADE:
        yield Conflict(("allow_downgrade",), "allow_downgrade is for the mode upgrade")


_CHECKS: tuple[tuple[Callable[[HostSpec], Iterator[Conflict]], tuple[str, ...]], ...] = (
    (_names, ()), (_bridges, ("management",)), (_uplinks, ("management",)), (_storage, ()), (_cluster, ("hostname",)),
    (_modes, ("mode",)),
)  # fmt: skip
"""Each with the fields that it needs as the user wrote them. A list that is left out is empty: it has no conflicts."""

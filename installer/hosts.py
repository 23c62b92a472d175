"""The hosts on a machine's disks, and what they lie on. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from zeroth.deploy.arrays import DEVICES, array_device
from zeroth.deploy.layout import InstallId, Part
from zeroth.deploy.running import installation
from zeroth.deploy.slotstate import SlotState
from zeroth.errors import ExitCode, UserError
from zeroth.system.block import partition_path
from zeroth.system.facts import DiskFacts
from zeroth.system.mdraid import Array, assemble, read_array, stop_array

__all__ = ["FoundHost", "carries_host", "found_hosts", "identified", "state_device", "titles"]

_MEMBER = "linux_raid_member"


@dataclass(frozen=True)
class FoundHost:
    """A finished installation.

    :ivar disks: it lies on; of a mirror those that are there.
    :ivar array: of a mirror the UUID of its state partition's array, as mdadm writes it; else empty.
    """

    disks: tuple[DiskFacts, ...]
    array: str = ""

    @property
    def where(self) -> str:
        """The paths of its disks, for people."""
        return " and ".join(disk.path for disk in self.disks)

    @property
    def title(self) -> str:
        """The same with its version."""
        applied = self.disks[0].zeroth.applied if self.disks[0].zeroth else None
        return f"{self.where} ({applied.version if applied else 'unknown'})"


def carries_host(disk: DiskFacts) -> bool:
    """Whether a disk carries a finished installation."""
    return bool(disk.zeroth and disk.zeroth.state and disk.zeroth.applied and not disk.zeroth.marker)


def found_hosts(disks: Sequence[DiskFacts]) -> tuple[FoundHost, ...]:
    """All of them, in the order of their first disks."""
    groups: dict[str, list[DiskFacts]] = {}
    for disk in disks:
        if carries_host(disk):
            groups.setdefault(_array(disk) or disk.path, []).append(disk)
    return tuple(FoundHost(tuple(legs), "" if name == legs[0].path else name) for name, legs in groups.items())


def titles(hosts: Sequence[FoundHost]) -> str:
    """A hint that lists them."""
    return f"Hosts that are there: {'; '.join(host.title for host in hosts)}."


def identified(host: FoundHost, disks: Sequence[DiskFacts], state: SlotState) -> InstallId:
    """Which installation a host is.

    :param disks: of it, that hold everything.
    :param state: of its state partition, mounted.
    :raises UserError: when a disk does not belong to it.
    """
    identity, _ = installation(state)
    strangers = [disk.path for disk in disks if not identity.leg_of(disk.table_uuid)]
    if strangers or not disks:
        raise UserError(
            f"{' and '.join(strangers) or host.where} is not what its installation made", "Install again.",
            code=ExitCode.MACHINE,
        )  # fmt: skip
    return identity


def _array(disk: DiskFacts) -> str:
    state = next((part for part in disk.partitions if part.number == Part.STATE), None)
    uuids = [sign.uuid for sign in state.signatures if sign.type == _MEMBER] if state else []
    digits = uuids[0].replace("-", "").replace(":", "").lower() if uuids else ""
    return ":".join(digits[at : at + 8] for at in range(0, len(digits), 8))


def _check_own(running: Array, host: FoundHost) -> None:
    """An array is known by its number to the kernel alone: it may be of the host that runs here, or anybody's."""
    disks = {Path(disk.path) for disk in host.disks}
    if not any(member.disk in disks for member in running.members):
        members = " and ".join(str(member.device) for member in running.members)
        raise UserError(
            f"the array {running.device} runs already, on {members}, and not for the host on {host.where}",
            f"Unless this machine runs from it, stop it: `mdadm --stop {running.device}`.", code=ExitCode.MACHINE,
        )  # fmt: skip


@contextmanager
def state_device(
    host: FoundHost,
    arrays: Path = DEVICES,
    look_at: Callable[[Path], Array | None] = read_array,
    *,
    read_only: bool = False,
) -> Iterator[tuple[Path, tuple[DiskFacts, ...]]]:
    """The device of the host's state partition, and its disks that hold everything, for the time of the block.

    :param arrays: the folder of the nodes of md arrays.
    :param look_at: what the kernel says of one.
    :param read_only: nothing is written to the disks, not even that an array was started.
    :raises UserError: when its array cannot be started, or another one runs that has its number.
    """
    if not host.array:
        yield partition_path(Path(host.disks[0].path), Part.STATE), host.disks
        return
    device = array_device(Part.STATE, arrays)
    running = look_at(device)
    runs = running is not None
    if running:
        _check_own(running, host)
    else:
        members = [partition_path(Path(disk.path), Part.STATE) for disk in host.disks]
        assemble(device, host.array, members, read_only=read_only)
    try:
        array = look_at(device)
        whole = {one.disk for one in array.members if one.whole} if array else set[Path]()
        yield device, tuple(disk for disk in host.disks if Path(disk.path) in whole)
    finally:
        if not runs:
            stop_array(device)

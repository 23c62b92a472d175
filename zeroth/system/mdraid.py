"""md arrays of two disks (RAID 1), through mdadm and sysfs: the only place that knows of either.

Arrays are named by number, as partitions are: ``/dev/md5`` mirrors the partitions 5. Nothing is ever assembled by what
happens to lie on a disk, only by UUID (mdadm.conf(5), ``AUTO -all``), so other arrays stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zeroth.system.block import flush
from zeroth.system.run import run

__all__ = ["Array", "Member", "add_member", "array_path", "assemble", "create_array", "drop_members", "read_array",
           "stop_array"]  # fmt: skip

_SYS = Path("/sys/class/block")
# Links of names are udev's, and udev is kept away from disks while they are made; see mdadm(8), ENVIRONMENT.
_ENV = {"MDADM_NO_UDEV": "1"}


@dataclass(frozen=True)
class Member:
    """One device of an array.

    :ivar device: the partition's node.
    :ivar disk: the node of the disk that it is on.
    :ivar state: ``in_sync``, ``spare`` (it is being filled), ``faulty``; as the kernel says it.
    """

    device: Path
    disk: Path
    state: str

    @property
    def whole(self) -> bool:
        """It holds everything that the array holds."""
        return self.state == "in_sync"


@dataclass(frozen=True)
class Array:
    """A running array.

    :ivar missing: how many devices it is short of.
    :ivar done: bytes of a member that a running recovery has filled; None when none runs.
    :ivar size: bytes of a member.
    """

    device: Path
    members: tuple[Member, ...]
    missing: int
    size: int
    done: int | None = None


def array_path(number: int, devices: Path = Path("/dev")) -> Path:
    """The node of the array of that number."""
    return devices / f"md{number}"


def create_array(device: Path, uuid: str, name: str, members: Sequence[Path], *, head: int) -> None:
    """Make a mirror and start it; what is on the members is lost. One member makes one that waits for its second.

    The members are taken for equal: what nobody has written nobody reads, so nothing has to be copied.

    :param uuid: as mdadm writes it.
    :param head: bytes at the start of each member that are md's own; the data follows.
    :raises CommandFailed: when mdadm or the kernel refuses.
    """
    words: list[str | Path] = [*members[:2], *["missing"][len(members) - 1 :]]
    run(
        ["mdadm", "--create", device, "--run", "--quiet", "--level=1", "--raid-devices=2", "--metadata=1.2",
         f"--data-offset={head // 1024}K", "--bitmap=internal", "--assume-clean", "--homehost=any", f"--name={name}",
         f"--uuid={uuid}", *words],
        env=_ENV,
    )  # fmt: skip


def assemble(device: Path, uuid: str, members: Sequence[Path] = (), *, read_only: bool = False) -> None:
    """Start an array that exists, with as many of its members as there are.

    :param members: where to look; everywhere when empty.
    :param read_only: nothing can be written to it, and its members are not told that it was started.
    :raises CommandFailed: when there is none of that UUID, or it cannot be started.
    """
    only = ["--readonly"] if read_only else []
    run(["mdadm", "--assemble", device, "--run", "--quiet", *only, f"--uuid={uuid}", *members], env=_ENV)


def stop_array(device: Path) -> None:
    """Stop an array; what was written to it is on its members.

    :raises CommandFailed: while something uses it.
    """
    flush(device)
    run(["mdadm", "--stop", "--quiet", device], env=_ENV)


def add_member(device: Path, member: Path) -> None:
    """Give an array a member; the kernel fills it. One that was away gets only what it missed.

    :raises CommandFailed: when mdadm or the kernel refuses.
    """
    run(["mdadm", "--manage", device, "--quiet", "--add", member], env=_ENV)


def drop_members(device: Path, members: Sequence[Path] = ()) -> None:
    """Let go of members that failed or are not there any more, and of those that are named.

    :raises CommandFailed: when a member that is named is the last one that is whole, which the kernel keeps.
    """
    for member in (one for one in members if one.exists()):
        run(["mdadm", "--manage", device, "--quiet", "--fail", member], env=_ENV)
    # 1: nothing to do; and 2: one of them is not to be had at this moment, which the kernel forgets by itself.
    run(["mdadm", "--manage", device, "--quiet", "--fail", "detached"], ok=(0, 1, 2), env=_ENV)
    for which in ("failed", "detached"):
        run(["mdadm", "--manage", device, "--quiet", "--remove", which], ok=(0, 1, 2), env=_ENV)


def read_array(device: Path, sys: Path = _SYS) -> Array | None:
    """What the kernel says of an array; None when it does not run."""
    folder = (sys / device.name).resolve() / "md"
    if not folder.is_dir():
        return None
    members = [_member(path, device.parent) for path in sorted(folder.glob("dev-*"), key=_role)]
    size = int(_text(folder / "component_size") or 0) * 1024
    return Array(
        device=device,
        members=tuple(members),
        missing=int(_text(folder / "degraded") or 0),
        size=size,
        done=_done(_text(folder / "sync_completed")) if _text(folder / "sync_action") == "recover" else None,
    )


def _member(path: Path, devices: Path) -> Member:
    block = (path / "block").resolve()
    whole = block.parent if (block / "partition").is_file() else block
    # Several words for some: "in_sync,write_error".
    states = _text(path / "state").split(",")
    state = next((word for word in ("faulty", "in_sync", "spare") if word in states), states[0])
    return Member(devices / block.name, devices / whole.name, state)


def _role(path: Path) -> tuple[int, str]:
    slot = _text(path / "slot")
    return (int(slot) if slot.isdigit() else 99, path.name)


def _done(text: str) -> int:
    """Of ``123456 / 2096128``, in sectors, or ``none`` or ``delayed``."""
    match = re.match(r"(\d+) /", text)
    return int(match[1]) * 512 if match else 0


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""

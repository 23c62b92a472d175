"""What an answer may say and this version does not do yet. One list, so that it is the same wherever it is told.

The language is complete before everything that it can say is done. What is not done is never passed over in silence:
the linter warns of it, the installer refuses what would make another host than the one asked for, and first boot
reports the rest. Whoever makes something work takes it off this list.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from zeroth.spec.document import Path
from zeroth.spec.model import (
    DiskSpec,
    HostSpec,
    Layout,
    LocalSr,
)

__all__ = ["Gap", "gaps"]


@dataclass(frozen=True)
class Gap:
    """Something that is asked for and not done.

    :ivar path: the setting.
    :ivar what: in words, as what is not done.
    :ivar refused: the installer refuses the answer because of it; else the host is made without it, and says so.
    """

    path: Path
    what: str
    refused: bool = False

    def __str__(self) -> str:
        return f"{self.what} ({'.'.join(map(str, self.path))}) is not supported by this version"


def gaps(spec: HostSpec) -> tuple[Gap, ...]:
    """Everything that the answer asks for and this version does not do."""
    return (*_disk(spec.disk), *_host(spec))


def _disk(disk: DiskSpec) -> Iterator[Gap]:
    if disk.keep_sr and disk.layout is not Layout.SINGLE:
        yield Gap(("disk", "keep_sr"), "keeping the local storage repository on a mirror of two disks", refused=True)
    if disk.local_sr is LocalSr.EXT4:
        # Nothing is erased, or promised to stay, for what is not made.
        needed = disk.keep_sr or bool(disk.sr_disks)
        yield Gap(("disk", "local_sr"), "a local storage repository on a file system", refused=needed)


def _host(spec: HostSpec) -> Iterator[Gap]:
    if spec.locale != HostSpec.model_fields["locale"].default:
        yield Gap(("locale",), "a locale other than C.UTF-8")
    for name, what in (
        ("ntp", "the choice of time servers"),
        ("users", "accounts besides root"),
        ("networks", "networks besides the management network"),
        ("proxy", "a proxy"),
        ("sriov", "a policy for virtual functions"),
        ("storage", "storage repositories besides the local one"),
        ("pool", "membership in a pool"),
        ("services", "a choice of services"),
        ("power", "power management"),
    ):
        if getattr(spec, name) != HostSpec.model_fields[name].default:
            yield Gap((name,), what)

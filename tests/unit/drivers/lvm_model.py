"""A model of LVM: volume groups, and the devices file, by the commands that the driver gives."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.unit.drivers.model_machine import PowerCut
from zeroth.system.run import Completed

__all__ = ["Lvm", "device_nodes"]


@dataclass
class Lvm:
    """Volume groups, and the devices that LVM was given to use.

    :ivar volumes: physical volumes, each with its group.
    :ivar groups: the tags of each group, and how many of its members are gone.
    """

    volumes: dict[str, str] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)
    gone: int = 0
    used: set[str] = field(default_factory=set)
    active: set[str] = field(default_factory=set)
    calls: list[tuple[str, ...]] = field(default_factory=list)
    cut_at: int = 0

    def run(self, argv: Sequence[str | os.PathLike[str]]) -> Completed:
        words = tuple(map(str, argv))
        self.calls.append(words)
        if self.cut_at and len(self.calls) == self.cut_at:
            raise PowerCut
        match words:
            case ["pvs", "--devices", names, "--reportformat", "json", "--options", _]:
                return Completed(words, 0, json.dumps({"report": [{"pv": self._rows(names.split(","))}]}), "")
            case ["lvm", "lvmdevices", "--yes", "--adddev", name]:
                self.used.add(name)
            case ["vgcreate", "--addtag", tag, group, *names]:
                assert group not in {found for name in self.used if (found := self.volumes.get(name))}
                assert not any(self.volumes.get(name) for name in names)
                self._put(group, names)
                self.groups[group] = [tag]
            case ["vgextend", group, *names]:
                assert any(self.volumes.get(name) == group for name in self.used), "LVM does not see the group"
                self._put(group, names)
            case ["vgchange", "--addtag", tag, group]:
                self.groups[group].append(tag)
            case ["vgchange", "--activate", "ay", group]:
                assert all(name in self.used for name, found in self.volumes.items() if found == group)
                self.active.add(group)
            case _:
                raise AssertionError(f"not known: {words}")
        return Completed(words, 0, "", "")

    def _rows(self, names: Sequence[str]) -> list[dict[str, str]]:
        return [
            {"pv_name": name, "vg_name": group, "vg_uuid": f"uuid-of-{group}" if group else "",
             "vg_tags": ",".join(self.groups.get(group, [])), "vg_missing_pv_count": str(self.gone) if group else ""}
            for name in names if (group := self.volumes.get(name)) is not None
        ]  # fmt: skip

    def _put(self, group: str, names: Sequence[str]) -> None:
        self.volumes |= dict.fromkeys(names, group)
        self.used |= set(names)


def device_nodes(folder: Path, count: int) -> tuple[str, ...]:
    """Device nodes with names by PARTUUID."""
    names = folder / "disk/by-partuuid"
    names.mkdir(parents=True)
    for number in range(count):
        (folder / f"sd{number}").touch()
        (names / f"uuid-{number}").symlink_to(f"../../sd{number}")
    return tuple(str(folder.resolve() / f"sd{number}") for number in range(count))

"""Upgrading a host that does not run, from the medium: the same engine as on a running one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from installer.disks import choose_disks
from installer.image import ImageFile, InstallImage
from zeroth.deploy.layout import Part
from zeroth.deploy.running import SLOT_PARTS, resting_host
from zeroth.deploy.slotstate import SlotState, other_slot
from zeroth.deploy.upgrade import RunningHost, UpgradePlan, plan_upgrade
from zeroth.deploy.upgrade_apply import Upgrade
from zeroth.deploy.zup import UpgradePayload
from zeroth.deploy.zup_header import Header, Kind, Payload
from zeroth.errors import ExitCode, UserError
from zeroth.progress import Step
from zeroth.spec.model import HostSpec
from zeroth.system.block import exclusive, mounted, partition_path
from zeroth.system.facts import DiskFacts, Facts
from zeroth.system.multipath import open_map
from zeroth.system.run import run

__all__ = ["HostUpgrade", "MediumSource", "carries_host", "find_upgrade"]

_ARCHITECTURE = "amd64"


@dataclass(frozen=True)
class MediumSource:
    """The files of a medium as an upgrade file has them.

    :param manifest: the medium's manifest.
    """

    image: InstallImage
    manifest: ImageFile

    @property
    def header(self) -> Header:
        """What an upgrade file of these files would say.

        :raises UserError: when the medium's manifest tells no version.
        """
        files = ((self.manifest, Kind.MANIFEST), (self.image.root, Kind.ROOT),
                 *((file, Kind.BOOT) for file in self.image.slot_files))  # fmt: skip
        payloads = tuple(
            Payload(name=file.name, kind=kind, size=file.size, sha256=file.sha256) for file, kind in files
        )
        try:
            return Header(
                version=self.image.version, architecture=_ARCHITECTURE, profile="medium", payloads=payloads,
                tree=self.image.tree,
            )  # fmt: skip
        except ValueError as error:
            raise UserError(f"the medium is no upgrade: {error}", "Write the medium again.") from None

    def payloads(self) -> Iterator[UpgradePayload]:
        """The files, in order."""
        paths = {file.name: file.path for file in (self.manifest, self.image.root, *self.image.slot_files)}
        for payload in self.header.payloads:
            with paths[payload.name].open("rb") as stream:
                yield UpgradePayload(stream, payload, str(paths[payload.name]))


@dataclass
class HostUpgrade:
    """The upgrade of the host on one disk.

    :param spec: the answer; `reinstall` applies an upgrade again that failed.
    """

    facts: DiskFacts
    image: InstallImage
    manifest: ImageFile
    spec: HostSpec
    _state: SlotState = field(default_factory=SlotState)

    @property
    def disk(self) -> Path:
        """Its path."""
        return Path(self.facts.path)

    @contextmanager
    def planned(self, mounts: Path, *, plan_only: bool = False) -> Iterator[UpgradePlan | str]:
        """The plan, or why there is nothing to do. The host's state partition is mounted for the time of the block.

        :param mounts: a folder under which it is mounted.
        :param plan_only: nothing will be applied, and the disk is not written to at all.
        :raises UserError: when the host cannot be upgraded, or its files do not fit together.
        """
        open_map(self.facts, tuple(Part))
        # Any other mount would replay the file system's journal, and so write.
        options = "nodev,nosuid,noexec" + (",ro,noload" if plan_only else "")
        device = partition_path(self.disk, Part.STATE)
        with exclusive(self.disk), mounted(device, mounts / "state", options=options) as folder:
            self._state = SlotState(folder)
            host = resting_host(self._state, self.disk)
            header = MediumSource(self.image, self.manifest).header
            waiting = self._state.pending(other_slot(host.slot))
            if waiting and waiting.root_hash == header.tree.root_hash and not self.spec.reinstall:
                # A medium that stays in its drive would begin again for ever.
                what = "waits to be tried" if host.boot.trial and host.boot.tries else "was tried and failed"
                yield f"this upgrade was applied to the host on {self.disk} at {waiting.time}, and {what}"
            else:
                plan = plan_upgrade(host, header, allow_downgrade=self.spec.allow_downgrade)
                yield plan or f"the host on {self.disk} runs this very image already"

    def apply(self, plan: UpgradePlan, step: Step) -> None:
        """Write it.

        :raises UserError: as :meth:`zeroth.deploy.upgrade_apply.Upgrade.run`.
        """
        source = MediumSource(self.image, self.manifest)
        Upgrade(plan, source, self._state, lambda: self._slot_image(plan.host)).run(step)

    @contextmanager
    def _slot_image(self, host: RunningHost) -> Iterator[Path]:
        """The image in the slot that the host starts by default."""
        device = partition_path(self.disk, SLOT_PARTS[host.slot])
        where = self._state.root.with_name("image")
        where.mkdir(parents=True, exist_ok=True)
        run(["mount", "-t", "squashfs", "-o", "ro,nodev,nosuid,noexec", device, where])
        try:
            yield where
        finally:
            run(["umount", where])


def find_upgrade(facts: Facts, spec: HostSpec, image: InstallImage) -> HostUpgrade:
    """The host that the answer means: the one on a disk that it selects, among those that carry a finished zeroth.

    :raises UserError: when there is none, or more than one.
    """
    hosts = tuple(disk for disk in facts.disks if carries_host(disk))
    choice = choose_disks(spec.disk, hosts)
    legs = [disk for disk in choice.legs or hosts if _is_leg(disk)]
    if legs and len(legs) == len(choice.legs or hosts):
        raise UserError(
            f"the host on {' and '.join(disk.path for disk in legs)} lies on two disks, and is not upgraded from a "
            "medium by this version",
            "Start it, and upgrade it there: `zeroth upgrade apply`.", code=ExitCode.MACHINE,
        )  # fmt: skip
    if not hosts or len(choice.legs) != 1 or choice.problems:
        found = ", ".join(f"{disk.path} ({disk.zeroth.applied.version})"
                          for disk in hosts if disk.zeroth and disk.zeroth.applied)  # fmt: skip
        raise UserError(
            "; ".join(choice.problems) if hosts else "no disk of this machine carries a host that could be upgraded",
            f"Hosts that are there: {found}." if hosts else "Leave `upgrade` out of the answer to install.",
        )
    if image.manifest is None:
        raise UserError("the medium has no manifest, by which an upgrade decides", "Write the medium again.")
    return HostUpgrade(choice.legs[0], image, image.manifest, spec)


def _is_leg(disk: DiskFacts) -> bool:
    """Whether the host on a disk lies on two of them."""
    signs = [sign.type for part in disk.partitions if part.number == Part.STATE for sign in part.signatures]
    return "linux_raid_member" in signs


def carries_host(disk: DiskFacts) -> bool:
    """Whether a disk carries a finished installation."""
    return bool(disk.zeroth and disk.zeroth.state and disk.zeroth.applied and not disk.zeroth.marker)

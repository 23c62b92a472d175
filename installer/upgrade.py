"""Upgrading a host that does not run, from the medium: the same engine as on a running one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from installer.apply import Places
from installer.disks import choose_disks, fitting_disks
from installer.hosts import FoundHost, found_hosts, identified, state_device, titles
from installer.image import ImageFile, InstallImage
from zeroth.deploy.arrays import array_device, assembled
from zeroth.deploy.bootenv import ENVIRONMENT, boot_state_problem, read_boot_state
from zeroth.deploy.bootsync import copy_boot_files
from zeroth.deploy.esp import Esp
from zeroth.deploy.layout import Part
from zeroth.deploy.running import SLOT_PARTS, resting_host
from zeroth.deploy.slotstate import SlotState, other_slot
from zeroth.deploy.upgrade import RunningHost, UpgradePlan, plan_upgrade
from zeroth.deploy.upgrade_apply import Upgrade
from zeroth.deploy.zup import UpgradePayload
from zeroth.deploy.zup_header import Header, Kind, Payload
from zeroth.errors import ExitCode, UserError
from zeroth.progress import Step
from zeroth.spec.model import DiskSpec, HostSpec
from zeroth.spec.model.disks import Layout
from zeroth.system.block import exclusive, mounted, partition_path
from zeroth.system.facts import DiskFacts, Facts
from zeroth.system.mdraid import Array, read_array
from zeroth.system.multipath import open_map
from zeroth.system.run import run

__all__ = ["HostUpgrade", "MediumSource", "find_upgrade"]

_ARCHITECTURE = "amd64"
_ONE_LEG = (
    "one disk of the mirror is upgraded: the other is away or out of date, and follows when the host makes it whole"
)


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
    """The upgrade of a host on the disks of this machine.

    :param spec: the answer; `reinstall` applies an upgrade again that failed.
    """

    host: FoundHost
    image: InstallImage
    manifest: ImageFile
    spec: HostSpec
    places: Places = field(default_factory=Places)
    look_at: Callable[[Path], Array | None] = read_array
    _state: SlotState = field(default_factory=SlotState)

    @contextmanager
    def planned(self, *, plan_only: bool = False) -> Iterator[UpgradePlan | str]:
        """The plan, or why there is nothing to do. The host's state partition is mounted for the time of the block.

        :param plan_only: nothing will be applied, and the disks are not written to at all.
        :raises UserError: when the host cannot be upgraded, or its files do not fit together.
        """
        # Any other mount would replay the file system's journal, and so write.
        options = "nodev,nosuid,noexec" + (",ro,noload" if plan_only else "")
        arrays = self.places.arrays
        with ExitStack() as held:
            for disk in self.host.disks:
                open_map(disk, tuple(Part))
                held.enter_context(exclusive(Path(disk.path)))
            opened = state_device(self.host, arrays, self.look_at, read_only=plan_only)
            device, legs = held.enter_context(opened)
            mount = mounted(device, self.places.mounts / "state", options=options)
            self._state = SlotState(held.enter_context(mount))
            identity = identified(self.host, legs, self._state)
            if self.host.array:
                disks, parts = [Path(disk.path) for disk in legs], tuple(SLOT_PARTS.values())
                held.enter_context(assembled(disks, identity, parts, arrays, read_only=plan_only))
            yield self._plan(resting_host(self._state, _boot_files(legs), self._device), len(legs))

    def _plan(self, host: RunningHost, legs: int) -> UpgradePlan | str:
        header = MediumSource(self.image, self.manifest).header
        waiting = self._state.pending(other_slot(host.slot))
        if waiting and waiting.root_hash == header.tree.root_hash and not self.spec.reinstall:
            # A medium that stays in its drive would begin again for ever.
            what = "waits to be tried" if host.boot.trial and host.boot.tries else "was tried and failed"
            return f"this upgrade was applied to the host on {self.host.where} at {waiting.time}, and {what}"
        plan = plan_upgrade(host, header, allow_downgrade=self.spec.allow_downgrade)
        if plan and self.host.array and legs == 1:
            plan = replace(plan, notes=(*plan.notes, _ONE_LEG))
        return plan or f"the host on {self.host.where} runs this very image already"

    def apply(self, plan: UpgradePlan, step: Step) -> None:
        """Write it.

        :raises UserError: as :meth:`zeroth.deploy.upgrade_apply.Upgrade.run`.
        """
        best, *others = (Esp(device) for device in (plan.host.esp, *plan.host.other_esps))
        for esp in others:
            # What the host would do at its start; by then all disks have the same boot state, and it could not tell.
            if read_boot_state(esp).generation != read_boot_state(best).generation:
                with step.step(f"Bring the boot files on {esp.device} up to date") as copying:
                    copy_boot_files(best, esp, copying)
        source = MediumSource(self.image, self.manifest)
        Upgrade(plan, source, self._state, lambda: self._slot_image(plan.host)).run(step)

    def _device(self, part: Part) -> Path:
        if self.host.array:
            return array_device(part, self.places.arrays)
        return partition_path(Path(self.host.disks[0].path), part)

    @contextmanager
    def _slot_image(self, host: RunningHost) -> Iterator[Path]:
        """The image in the slot that the host starts by default."""
        where = self._state.root.with_name("image")
        where.mkdir(parents=True, exist_ok=True)
        device = self._device(SLOT_PARTS[host.slot])
        run(["mount", "-t", "squashfs", "-o", "ro,nodev,nosuid,noexec", device, where])
        try:
            yield where
        finally:
            run(["umount", where])


def _boot_files(disks: Sequence[DiskFacts]) -> Esp:
    """Of all disks; the first is the one whose boot state is the newest.

    :raises UserError: when that of a disk is lost: the slot that is taken for the other one may be the host's own.
    """
    each = [Esp(partition_path(Path(disk.path), Part.ESP)) for disk in disks]
    for esp in each:
        if problem := boot_state_problem(esp):
            raise UserError(
                f"the boot state ({ENVIRONMENT}) on {esp.device} {problem}",
                "Run `zeroth installer repair` in the medium's rescue system, then upgrade. Nothing was written.",
                code=ExitCode.MACHINE,
            )
    return Esp(*(esp.device for esp in sorted(each, key=lambda esp: -read_boot_state(esp).generation)))


def find_upgrade(facts: Facts, spec: HostSpec, image: InstallImage, places: Places | None = None) -> HostUpgrade:
    """The host that the answer means: the one on a disk that it selects, among those that carry a finished zeroth.

    :raises UserError: when there is none, or more than one.
    """
    hosts = found_hosts(facts.disks)
    if not hosts:
        raise UserError(
            "no disk of this machine carries a host that could be upgraded",
            "Leave `upgrade` out of the answer to install.",
        )
    host, problems = _selected(spec.disk, hosts)
    if host is None:
        raise UserError("; ".join(problems), titles(hosts))
    if image.manifest is None:
        raise UserError("the medium has no manifest, by which an upgrade decides", "Write the medium again.")
    return HostUpgrade(host, image, image.manifest, spec, places or Places())


def _selected(spec: DiskSpec, hosts: Sequence[FoundHost]) -> tuple[FoundHost | None, Sequence[str]]:
    """A host is meant when any of its disks is; its disks together are one candidate, not two."""
    one = spec.model_copy(update={"layout": Layout.SINGLE, "mirror_with": None, "sr_disks": (), "wipe_disks": ()})
    fitting = fitting_disks(one, tuple(disk for host in hosts for disk in host.disks))
    choice = choose_disks(one, tuple(next((disk for disk in host.disks if disk in fitting), host.disks[0])
                                     for host in hosts))  # fmt: skip
    if choice.legs:
        return next(host for host in hosts if choice.legs[0] in host.disks), ()
    return None, choice.problems

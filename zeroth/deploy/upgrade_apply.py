"""Writing an upgrade into the other slot.

The order makes every moment safe. The other slot leaves the boot menu first and comes back last, and the running slot,
its files and the boot loader are never touched; a cut anywhere leaves the running slot as the one that starts, and the
upgrade is applied again from its beginning. Only the last write, one sector, asks the boot menu to try the new slot.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from zeroth.deploy.bootenv import TRIES, BootState, read_boot_state, write_boot_state
from zeroth.deploy.bootmenu import ENTRY, REPAIR, boot_entry, render_entries
from zeroth.deploy.esp import Esp
from zeroth.deploy.imagedefaults import ImageDefaults
from zeroth.deploy.running import image_root
from zeroth.deploy.signedboot import PROGRAM, SIGNATURE
from zeroth.deploy.slots import write_slot
from zeroth.deploy.slotstate import Pending, SlotState, remove_tree
from zeroth.deploy.upgrade import UpgradePlan
from zeroth.deploy.verity import RootTree
from zeroth.deploy.zup import Damaged, UpgradePayload
from zeroth.deploy.zup_header import Kind
from zeroth.errors import ExitCode, UserError
from zeroth.progress import Step
from zeroth.system.block import flush
from zeroth.system.run import CommandFailed, run

__all__ = ["Source", "Upgrade", "verify_tree"]

_UNLISTED = "program.efi"
"""What the signed program is called until its slot comes back into the menu: the menu goes by its name."""


def verify_tree(device: Path, tree: RootTree) -> None:
    """Read a slot through its tree of hashes.

    :raises UserError: when the tree does not belong to what is there.
    """
    try:
        run(["veritysetup", "verify", device, device, tree.root_hash, f"--hash-offset={tree.hash_offset}"])
    except CommandFailed as error:
        raise UserError(
            f"{device} holds an image that does not fit its tree of hashes ({error.completed.stderr.strip()})",
            "The upgrade file was made wrongly, or the disk does not keep what is written to it.",
            code=ExitCode.MACHINE,
        ) from None


class Source(Protocol):
    """Where an upgrade comes from: an upgrade file, or a medium."""

    def payloads(self) -> Iterator[UpgradePayload]:
        """The payloads in the order of an upgrade file, each checked before its last bytes are handed out."""


@dataclass
class Upgrade:
    """One run of a plan.

    :param source: at its first payload.
    :param state: the host's state partition.
    :param image: gives the running image without its overlays, for the time of a block.
    :param verify: reads the written slot through its tree of hashes.
    """

    plan: UpgradePlan
    source: Source
    state: SlotState = field(default_factory=SlotState)
    image: Callable[[], AbstractContextManager[Path]] = image_root
    verify: Callable[[Path, RootTree], None] = verify_tree
    _sums: dict[str, str] = field(default_factory=dict)
    _defaults: ImageDefaults = field(default_factory=ImageDefaults)

    def run(self, step: Step) -> None:
        """Write everything; when this returns, the next start of the machine tries the new slot.

        :raises UserError: when the file is damaged or the machine refuses; the running slot stays the one that starts.
        """
        steps: tuple[tuple[str, Callable[[Step], None]], ...] = (
            ("Disarm the boot menu", self._disarm),
            (f"Take slot {self.plan.slot} out of the boot menu", self._unlist),
            ("Keep the running image's settings", self._keep_base),
            ("Write the image and its boot files", self._write),
            ("Note the upgrade", self._note),
            (f"List slot {self.plan.slot} in the boot menu", self._list),
            (f"Put slot {self.plan.slot} on trial", self._arm),
        )
        journal = self.state.journal()
        facts = {"slot": self.plan.slot, "version": self.plan.header.version}
        journal.add("apply", "begin", **facts, source_version=self.plan.host.version)
        try:
            for title, do in steps:
                with step.step(title) as running:
                    do(running)
        except BaseException as error:
            journal.add("apply", "failed", **facts, error=str(error) or type(error).__name__)
            raise
        journal.add("apply", "done", **facts)

    @property
    def _esp(self) -> Esp:
        return Esp(self.plan.host.esp, *self.plan.host.other_esps)

    @property
    def _boot(self) -> str:
        return f"/zeroth/{self.plan.slot}"

    def _disarm(self, step: Step) -> None:
        """A trial that was ordered earlier must not meet a slot that is being written."""
        committed = BootState(committed=self.plan.host.slot)
        if read_boot_state(self._esp) != committed:
            write_boot_state(self._esp, committed)

    def _unlist(self, step: Step) -> None:
        # The entries first: without them the menus do not offer the slot, whatever else is there.
        for name in (ENTRY, REPAIR, PROGRAM):
            self._esp.remove(f"{self._boot}/{name}")
        self.state.forget(self.plan.slot)

    def _keep_base(self, step: Step) -> None:
        """The new slot's /etc is merged from three sides when it starts; by then this one may be gone."""
        fresh = self.state.upgrades / "base.new"
        remove_tree(fresh)
        self.state.upgrades.mkdir(parents=True, exist_ok=True)
        with self.image() as root:
            run(["cp", "--archive", "--", root / "etc", fresh])
        run(["sync", "--file-system", fresh])
        remove_tree(self.state.base)
        fresh.replace(self.state.base)

    def _write(self, step: Step) -> None:
        for payload in self.source.payloads():
            if payload.payload.kind is Kind.MANIFEST:
                self._defaults = _defaults(payload)
            elif payload.payload.kind is Kind.ROOT:
                device = self.plan.host.target
                write_slot(payload, device, step)
                with step.step("Check its tree of hashes"):
                    self.verify(device, self.plan.header.tree)
                    flush(device)
            else:
                with step.step(payload.payload.name) as copying:
                    self._boot_file(payload, copying)
        sums = "".join(f"{digest}  {name}\n" for name, digest in self._sums.items())
        self._esp.put_text(sums, f"{self._boot}/SHA256SUMS")

    def _boot_file(self, payload: UpgradePayload, step: Step) -> None:
        name = payload.payload.name
        incoming = self.state.upgrades / "incoming"
        try:
            with incoming.open("wb") as out:
                for chunk in payload.chunks():
                    out.write(chunk)
                    step.update(out.tell(), of=payload.size)
            self._esp.put(incoming, f"{self._boot}/{_UNLISTED if name == PROGRAM else name}", payload.sha256)
        finally:
            incoming.unlink(missing_ok=True)
        # The signed program has a signature to be checked by.
        if name not in (PROGRAM, SIGNATURE):
            self._sums[name] = payload.sha256

    def _note(self, step: Step) -> None:
        """Before the entry: a slot that can be started has to know whose state it goes on with."""
        host, header = self.plan.host, self.plan.header
        note = Pending(
            version=header.version, source=host.slot, source_version=host.version, root_hash=header.tree.root_hash
        )
        self.state.note(self.plan.slot, note)

    def _list(self, step: Step) -> None:
        host, header = self.plan.host, self.plan.header
        entry = boot_entry(
            self.plan.slot, header.version, host.identity, host.dom0, header.tree, self._defaults, host.multipath
        )
        for name, text in render_entries(entry).items():
            self._esp.put_text(text, f"{self._boot}/{name}")
        if any(payload.name == PROGRAM for payload in header.payloads):
            self._esp.rename(f"{self._boot}/{_UNLISTED}", f"{self._boot}/{PROGRAM}")

    def _arm(self, step: Step) -> None:
        write_boot_state(self._esp, BootState(self.plan.host.slot, self.plan.slot, TRIES))


def _defaults(payload: UpgradePayload) -> ImageDefaults:
    try:
        return ImageDefaults.of(json.loads(b"".join(payload.chunks())))
    except ValueError as error:
        raise Damaged(f"the manifest in the upgrade file is no JSON: {error}", "Build it again.") from None

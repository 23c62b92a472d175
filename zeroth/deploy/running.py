"""What an upgrade has to know of the host that runs, read from it; and the image below its overlays."""

from __future__ import annotations

import json
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zeroth import __version__
from zeroth.deploy.booted import Booted, booted
from zeroth.deploy.bootenv import read_boot_state
from zeroth.deploy.bootmenu import ENTRY
from zeroth.deploy.esp import Esp
from zeroth.deploy.layout import InstallId, Part
from zeroth.deploy.slotstate import Slot, SlotState, other_slot
from zeroth.deploy.upgrade import RunningHost
from zeroth.errors import ExitCode, UserError
from zeroth.spec.stored import load_spec
from zeroth.system.block import device_size
from zeroth.system.run import run

__all__ = ["entry_title", "image_root", "read_host"]

_TITLE = re.compile(r"^menuentry (?:'([^']*)'|(\S+))", re.MULTILINE)


def read_host(state: SlotState, here: Booted | None = None) -> RunningHost:
    """Read it. Nothing is changed.

    :raises UserError: on a machine that was not started as a zeroth host, or whose files do not fit together.
    """
    here = here or booted()
    slot: Slot = "a" if here.slot == "a" else "b"
    other = other_slot(slot)
    parts = {"a": Part.SLOT_A, "b": Part.SLOT_B}
    identity = _identity(state.root / "install" / "applied.json")
    if identity.partition_uuid(parts[slot]) != here.root:
        raise UserError(
            f"this host runs from the partition {here.root}, which its installation did not make",
            "Install again.", where=str(state.root / "install" / "applied.json"), code=ExitCode.MACHINE,
        )  # fmt: skip
    esp, target = here.esp(), here.partition(parts[other])
    boot = read_boot_state(esp)
    spec = load_spec(state.folder(slot) / "store" / "hostspec.json")
    return RunningHost(
        slot=slot,
        # Its kernel was told so, and it may have proved itself since.
        trial=here.trial and boot.committed != slot,
        boot=boot,
        version=__version__,
        architecture=run(["dpkg", "--print-architecture"]).stdout.strip(),
        root_hash=here.root_hash,
        held=entry_title(esp, other),
        identity=identity,
        dom0=spec.dom0,
        esp=esp.device,
        target=target,
        room=device_size(target),
        state_free=shutil.disk_usage(state.root).free,
        state_used=_used(state.folder(slot)),
    )


def entry_title(esp: Esp, slot: Slot) -> str:
    """What the boot menu calls a slot; empty when it offers none."""
    path = f"/zeroth/{slot}/{ENTRY}"
    found = _TITLE.search(esp.read_text(path)) if esp.exists(path) else None
    return (found[1] or found[2]).removesuffix(f" (slot {slot})") if found else ""


@contextmanager
def image_root(where: Path = Path("/run/zeroth/image-root")) -> Iterator[Path]:
    """The running image as it is, without what lies over its /etc: a second mount of the root alone."""
    where.mkdir(parents=True, exist_ok=True)
    run(["mount", "-o", "bind,ro", "/", where])
    try:
        yield where
    finally:
        run(["umount", where])
        where.rmdir()


def _identity(path: Path) -> InstallId:
    try:
        return InstallId(uuid.UUID(json.loads(path.read_text())["install"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"it cannot be told which installation this is: {error}", "Install again.", where=str(path),
            code=ExitCode.MACHINE,
        ) from None  # fmt: skip


def _used(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*"))

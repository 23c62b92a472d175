"""What an upgrade has to know of a host, from one that runs or from its disk; and the image below its overlays."""

from __future__ import annotations

import json
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from zeroth import __version__
from zeroth.deploy.booted import FOUND_OUT, Booted, booted
from zeroth.deploy.bootenv import read_boot_state
from zeroth.deploy.bootmenu import ENTRY
from zeroth.deploy.esp import Esp
from zeroth.deploy.layout import InstallId, Part
from zeroth.deploy.slotstate import Slot, SlotState, other_slot
from zeroth.deploy.upgrade import RunningHost
from zeroth.errors import ExitCode, UserError
from zeroth.spec.stored import load_spec
from zeroth.system.block import device_size
from zeroth.system.files import atomic_write
from zeroth.system.run import run

__all__ = ["SLOT_PARTS", "entry_title", "image_root", "installation", "legs_given", "note_leg", "read_host",
           "resting_host"]  # fmt: skip

SLOT_PARTS: Mapping[Slot, Part] = {"a": Part.SLOT_A, "b": Part.SLOT_B}
_TITLE = re.compile(r"^menuentry (?:'([^']*)'|(\S+))", re.MULTILINE)
_ROOT_HASH = re.compile(r"\bzeroth\.roothash=([0-9a-f]{64})\b")
_MULTIPATH = re.compile(r"\bzeroth\.multipath=([0-9a-f]+)\b")


def read_host(state: SlotState, here: Booted | None = None) -> RunningHost:
    """Read it. Nothing is changed.

    :raises UserError: on a machine that was not started as a zeroth host, or whose files do not fit together.
    """
    here = here or booted()
    slot: Slot = "a" if here.slot == "a" else "b"
    other = other_slot(slot)
    identity, _ = installation(state)
    if identity.source(SLOT_PARTS[slot]).partition("=")[2] != here.root:
        raise UserError(
            f"this host runs from the partition {here.root}, which its installation did not make",
            "Install again.", where=str(state.root / "install" / "applied.json"), code=ExitCode.MACHINE,
        )  # fmt: skip
    esp = here.esp()
    trial = here.on_trial(read_boot_state(esp).committed)
    found = _host(state, slot, esp, here.partition(SLOT_PARTS[other]), __version__, here.root_hash, trial=trial)
    return replace(found, multipath=here.multipath)


def resting_host(state: SlotState, esp: Esp, device: Callable[[Part], Path]) -> RunningHost:
    """The same of a host that does not run: of the slot that is started by default.

    :param state: of its state partition, mounted.
    :param esp: of its disks.
    :param device: of one of its partitions; of a mirror its array, which runs.
    :raises UserError: when its files do not fit together.
    """
    slot: Slot = "b" if read_boot_state(esp).committed == "b" else "a"
    proved = state.proved(slot)
    path = f"/zeroth/{slot}/{ENTRY}"
    entry = esp.read_text(path) if esp.exists(path) else ""
    found, over = _ROOT_HASH.search(entry), _MULTIPATH.search(entry)
    version = proved.version if proved else installation(state)[1]
    target = device(SLOT_PARTS[other_slot(slot)])
    host = _host(state, slot, esp, target, version, found[1] if found else "", trial=False)
    return replace(host, multipath=over[1] if over else "")


def _host(
    state: SlotState, slot: Slot, esp: Esp, target: Path, version: str, root_hash: str, *, trial: bool
) -> RunningHost:  # fmt: skip
    return RunningHost(
        slot=slot,
        trial=trial,
        boot=read_boot_state(esp),
        version=version,
        architecture=run(["dpkg", "--print-architecture"]).stdout.strip(),
        root_hash=root_hash,
        held=entry_title(esp, other_slot(slot)),
        identity=installation(state)[0],
        dom0=load_spec(state.folder(slot) / "store" / "hostspec.json").dom0,
        esp=esp.device,
        target=target,
        room=device_size(target),
        state_free=shutil.disk_usage(state.root).free,
        state_used=_used(state.folder(slot)),
        signed=FOUND_OUT.is_file(),
        other_esps=tuple(one.device for one in esp.each[1:]),
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


def installation(state: SlotState) -> tuple[InstallId, str]:
    """Which installation this is, and the version that it installed.

    :raises UserError: when the installer left nothing of it.
    """
    path = state.root / "install" / "applied.json"
    try:
        applied = json.loads(path.read_text())
        mirror = applied.get("mirror") is True
        return InstallId(uuid.UUID(applied["install"]), mirror=mirror), str(applied["version"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"it cannot be told which installation this is: {error}", "Install again.", where=str(path),
            code=ExitCode.MACHINE,
        ) from None  # fmt: skip


def legs_given(state: SlotState) -> int:
    """The highest number that a disk of this host's mirror was ever given; see :class:`InstallId`.

    :raises UserError: when its note is damaged.
    """
    path = _legs(state)
    try:
        return int(path.read_text())
    except FileNotFoundError:
        # The installer gives the first two.
        return 2
    except ValueError:
        raise UserError(
            "the note of the disks' numbers is damaged", "Write the highest number into it that a disk has.",
            where=str(path), code=ExitCode.MACHINE,
        ) from None  # fmt: skip


def note_leg(state: SlotState, number: int) -> None:
    """Note that a disk is given this number, durably, before it gets it."""
    atomic_write(_legs(state), f"{max(number, legs_given(state))}\n")


def _legs(state: SlotState) -> Path:
    return state.root / "install" / "legs"


def _used(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*"))

"""Making the boot files of one disk the same as another's.

The order is that of an upgrade: the entries of a slot go first and come back last, so that a disk which is started
after a cut offers no slot whose files do not belong together. The boot state comes after everything it speaks of.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from zeroth.deploy.bootenv import ENVIRONMENT, copy_boot_state, make_boot_state, read_boot_state
from zeroth.deploy.bootmenu import ENTRY, MENU, REPAIR
from zeroth.deploy.esp import Esp
from zeroth.deploy.loaders import EFI_PATH
from zeroth.deploy.signedboot import PROGRAM
from zeroth.deploy.slotstate import SLOTS
from zeroth.errors import ExitCode, UserError
from zeroth.progress import Step

__all__ = ["copy_boot_files"]

_LISTS = (REPAIR, ENTRY, PROGRAM)


def copy_boot_files(source: Esp, target: Esp, step: Step, *, loader: bool = True) -> None:
    """Make a disk boot what another boots; what differs is written, all else left alone.

    :param source: of one disk.
    :param target: of the other; it has a file system.
    :param loader: also what its firmware starts; without, the disk does not start under UEFI yet.
    :raises UserError: when the source cannot be read, or the target does not keep what is written to it.
    """
    if not source.exists(MENU):
        raise UserError(f"{source.device} holds no boot menu: nothing is copied from it", code=ExitCode.MACHINE)
    left_alone = {ENVIRONMENT} if loader else {ENVIRONMENT, EFI_PATH}
    wanted = {path: source.sha256(path) for path in source.files() if path not in left_alone}
    there = {path: target.sha256(path) for path in target.files() if path not in left_alone}
    differing = {path for path in wanted.keys() | there.keys() if wanted.get(path) != there.get(path)}
    for slot in SLOTS:
        if any(path.startswith(f"/zeroth/{slot}/") for path in differing):
            for name in reversed(_LISTS):
                listed = f"/zeroth/{slot}/{name}"
                target.remove(listed)
                differing |= {listed} & wanted.keys()
    with tempfile.TemporaryDirectory(prefix="zeroth-boot-") as folder:
        for number, path in enumerate(sorted(differing, key=_order)):
            step.update(number, of=len(differing), message=path)
            if path not in wanted:
                target.remove(path)
                continue
            copy = Path(folder) / "copy"
            source.fetch(path, copy)
            target.put(copy, path, wanted[path])
    if target.exists(ENVIRONMENT):
        copy_boot_state(source, target)
    else:
        make_boot_state(target, read_boot_state(source))


def _order(path: str) -> tuple[int, int, str]:
    name = path.rpartition("/")[2]
    if path == EFI_PATH:
        return (2, 0, path)
    return (1, _LISTS.index(name), path) if name in _LISTS else (0, 0, path)

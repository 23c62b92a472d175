"""The programs the lab runs: QEMU 10, OVMF, mtools and xorriso of the image builder's pinned tools tree.

With them the lab's results do not depend on the build machine's release.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from zeroth.errors import ExitCode, UserError

__all__ = ["Tools", "tools"]


@dataclass(frozen=True)
class Tools:
    """Commands as argv prefixes, and firmware files.

    :ivar qemu: ``qemu-system-x86_64``.
    :ivar mtools: what stands before the name of one of the mtools.
    :ivar code: OVMF's program, read-only flash.
    :ivar variables: OVMF's empty variables, to be copied.
    """

    qemu: tuple[str, ...]
    qemu_img: tuple[str, ...]
    mtools: tuple[str, ...]
    xorriso: tuple[str, ...]
    code: Path
    variables: Path


@cache
def tools() -> Tools:
    """The tools of this machine.

    :raises UserError: when the firmware is missing.
    """
    found = Tools(
        qemu=("/usr/bin/qemu-system-x86_64",),
        qemu_img=("/usr/bin/qemu-img",),
        mtools=(),
        xorriso=("/usr/bin/xorriso",),
        code=Path("/usr/share/OVMF/OVMF_CODE_4M.fd"),
        variables=Path("/usr/share/OVMF/OVMF_VARS_4M.fd"),
    )
    for path in (found.code, found.variables):
        if not path.is_file():
            raise UserError(f"{path} is missing", "Install the package ovmf.", code=ExitCode.MACHINE)
    return found

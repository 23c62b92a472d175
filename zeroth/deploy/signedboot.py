"""What Secure Boot starts a slot with: one signed program that holds Xen, kernel, initrd and every argument.

The same program starts either slot of any host. What differs from host to host it finds out after it was started: the
disk is the one whose ESP the boot menu came from, and the menu leaves the slot in its environment block.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from zeroth.deploy.imagedefaults import ImageDefaults
from zeroth.deploy.verity import RootTree, verity_arguments
from zeroth.system.size import MIB, Size

__all__ = ["DOM0_MEMORY", "MOST_DOM0_MEMORY", "PROGRAM", "SELECTOR", "SIGNATURE", "xen_configuration"]

PROGRAM: Final = "host.efi"
"""In the folder of a slot, and on a medium."""
SIGNATURE: Final = f"{PROGRAM}.sig"
"""Beside it: what GRUB checks."""
SELECTOR: Final = "selector.efi"
"""On a medium: the boot menu as a signed program."""

DOM0_MEMORY: Final = Size(1536 * MIB)
"""What domain 0 starts with; the host's own setting follows (:mod:`zeroth.deploy.dom0`)."""
MOST_DOM0_MEMORY: Final = Size(4096 * MIB)
"""What it can be given later. Its kernel makes tables for all of it, one page for 64, so this costs 40 MiB."""


def xen_configuration(tree: RootTree, image: ImageDefaults) -> str:
    """The section ``.config`` of the program, in the form of Xen's EFI loader (docs/misc/efi.pandoc).

    :param tree: of the root image that it starts.
    :param image: what the image's builder set; later words win.
    """
    xen: Sequence[str] = (
        "console=com1,vga", "com1=115200,8n1", f"dom0_mem={DOM0_MEMORY // MIB}M,max:{MOST_DOM0_MEMORY // MIB}M",
        "ucode=scan", *image.boot.xen,
    )  # fmt: skip
    linux: Sequence[str] = (
        "boot=zeroth", "zeroth.mode=host", "zeroth.disk=own", *verity_arguments(tree), "panic=10", "console=hvc0",
        "console=tty0", *image.boot.dom0,
    )  # fmt: skip
    return (
        f"[global]\ndefault=zeroth\n\n[zeroth]\noptions={' '.join(xen)}\n"
        f"kernel=vmlinuz {' '.join(linux)}\nramdisk=initrd.img\n"
    )

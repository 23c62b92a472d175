"""Everything that is signed in a build."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from images.config import VOLUME_LABEL
from images.menu import entries
from images.pack import ROOT_NAME, one_boot_file
from images.render import render
from images.secureboot.programs import grub_loader, host_program
from images.secureboot.sign import Signer
from zeroth.deploy.bootmenu import render_selector
from zeroth.deploy.imagedefaults import ImageDefaults
from zeroth.deploy.signedboot import PROGRAM, SELECTOR, SIGNATURE, xen_configuration
from zeroth.deploy.verity import ROOT_TREE, read_root_tree
from zeroth.system.files import sha256_file

__all__ = ["MEDIUM_LOADER", "ON_MEDIUM", "UPGRADED", "SignedInputs", "make_signed"]

MEDIUM_LOADER = "medium.efi"
"""The boot loader of the medium: what UEFI starts there."""
_KERNEL = "linux.efi"
_INITRD = "initrd.img"
ON_MEDIUM = (PROGRAM, SIGNATURE, SELECTOR, _KERNEL, f"{_KERNEL}.sig", f"{_INITRD}.sig")
"""What lies beside the other files of a medium."""
UPGRADED = (PROGRAM, SIGNATURE)
"""What an upgrade brings to a slot."""


@dataclass(frozen=True)
class SignedInputs:
    """What programs are made of.

    :ivar tree: the finished tree, which has Xen's EFI program.
    :ivar root: folder of the root image.
    :ivar boot: folder of the boot files.
    :ivar words: more of the installer's kernel arguments.
    """

    tree: Path
    root: Path
    boot: Path
    version: str
    image: ImageDefaults
    words: Sequence[str] = ()


def make_signed(out: Path, parts: SignedInputs, signer: Signer, work: Path) -> None:
    """Make and sign every program of a build: :data:`ON_MEDIUM` and :data:`MEDIUM_LOADER`.

    :param work: an empty folder.
    """
    tree = read_root_tree(parts.root / ROOT_TREE)
    sections: dict[str, bytes | Path] = {
        ".config": xen_configuration(tree, parts.image).encode(),
        ".kernel": parts.boot / "vmlinuz",
        ".ramdisk": parts.boot / _INITRD,
    }
    unsigned = work / "host.unsigned"
    host_program(one_boot_file(parts.tree, "xen-*.efi"), sections, unsigned, tools=signer.tools, epoch=signer.epoch)
    signer.program(unsigned, out / PROGRAM)
    # GRUB's own Linux loader leaves the kernel to the firmware's verification too.
    signer.program(parts.boot / "vmlinuz", out / _KERNEL)
    for name in (PROGRAM, _KERNEL):
        signer.for_grub(out / name)
    signer.for_grub(parts.boot / _INITRD, out / f"{_INITRD}.sig")
    menus = {SELECTOR: render_selector(parts.image.product, PROGRAM), MEDIUM_LOADER: _medium_menu(parts)}
    for name, menu in menus.items():
        folder = work / name
        folder.mkdir()
        grub_loader(out / name, menu, signer=signer, work=folder)


def _medium_menu(parts: SignedInputs) -> str:
    product = parts.image.product
    return render(
        "signed-medium.cfg.j2", label=VOLUME_LABEL, entries=entries(product, parts.words), product=product,
        version=parts.version, kernel=_KERNEL, root_sha256=sha256_file(parts.root / ROOT_NAME),
    )  # fmt: skip

"""The netboot tree: what a boot program loads, and the scripts that tell it so.

The boot program loads kernel, initrd and the initrd of netboot. That fetches the rest from the same folder: the root
image, streamed into memory and checked against its root hash, then the files that the installer puts on the disk, by
their sums. Root hash and the digest of the sums stand on the kernel command line: who trusts the boot script may have
the rest from anywhere.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from images.menu import kernel_arguments, netboot_entries
from images.pack import grub_program, one_boot_file
from images.render import render
from images.tools import ToolsTree
from zeroth.deploy.verity import ROOT_TREE, read_root_tree, verity_arguments
from zeroth.system.files import sha256_file

__all__ = ["netboot_files", "netboot_texts"]

_GRUB = (
    "all_video boot configfile echo efi_gop efi_uga efinet gfxterm halt http linux minicmd net normal reboot "
    "regexp serial sleep terminal test tftp true"
)
# GRUB sets cmdpath to the server and folder that the firmware loaded it from.
_GRUB_FIRST = """\
if configfile $cmdpath/grub.cfg; then
  true
fi
echo "There is no menu at $cmdpath/grub.cfg: serve the whole folder dist/netboot."
sleep 30
"""


def netboot_files(tree: Path, out: Path, *, tools: ToolsTree) -> None:
    """Make what only netboot needs: ``out/netboot.img``, the initrd that is loaded second, and ``out/grubx64.efi``.

    :raises UserError: when the tree has no such initrd.
    """
    shutil.copyfile(one_boot_file(tree, "netboot.img-*"), out / "netboot.img")
    (out / "netboot.img").chmod(0o644)
    program = out / "grubx64.efi"
    grub_program(
        program, platform="x86_64-efi", modules=_GRUB.split(), config=_GRUB_FIRST, tools=tools, prefix=""
    )  # fmt: skip


def netboot_texts(version: str, files: Mapping[str, Path], manifest: Mapping[str, Any]) -> dict[str, str]:
    """The texts of the netboot tree, by name: the sums of what the initrd fetches, and the boot scripts.

    :param files: of a medium, by name.
    :param manifest: that lies among them.
    """
    digests = {name: item["sha256"] for name, item in manifest["files"].items()}
    digests["manifest.json"] = sha256_file(files["manifest.json"])
    sums = "".join(f"{digests[name]}  {name}\n" for name in sorted(digests))
    own = manifest.get("customisation", {})
    product = own.get("product", "zeroth")
    words = own.get("boot", {}).get("medium", ())
    values = {
        "product": product, "version": version,
        "hashes": " ".join((
            *verity_arguments(read_root_tree(files[ROOT_TREE])),
            f"zeroth.sums={hashlib.sha256(sums.encode()).hexdigest()}",
        )),
    }  # fmt: skip
    return {
        "SHA256SUMS": sums,
        "boot.ipxe": render("boot.ipxe.j2", arguments=" ".join((kernel_arguments(""), *words)), **values),
        "grub.cfg": render("netboot-grub.cfg.j2", entries=netboot_entries(product, words), **values),
    }

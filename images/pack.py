"""From a tree to the files that boot: root image, kernel, initrd, Xen; and GRUB's programs."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from images.tools import ToolsTree
from images.verity import add_hash_tree
from zeroth.deploy.verity import ROOT_TREE, write_root_tree
from zeroth.errors import ExitCode, UserError

__all__ = ["ROOT_NAME", "boot_files", "grub_program", "one_boot_file", "root_image", "squash"]

ROOT_NAME = "root.squashfs"

_PERCENT = re.compile(r"^\s*(\d{1,3})$")
BLOCK_SIZE = "256K"


def root_image(
    tree: Path,
    out: Path,
    *,
    tools: ToolsTree,
    level: int,
    epoch: int,
    jobs: int,
    progress: Callable[[float], None],
) -> None:
    """Pack a tree into ``out/root.squashfs``, with its tree of hashes behind it, of which ``out/root.verity`` tells.

    The same bytes for the same tree.

    What is in /boot is left out: it lies beside the root image, on media and on disks.

    :param level: of zstd, 1 to 22.
    """
    image = out / ROOT_NAME

    def on_line(line: str) -> None:
        match = _PERCENT.match(line)
        if match:
            progress(int(match[1]) / 100)

    squash(tree, image, tools=tools, level=level, epoch=epoch, on_line=on_line,
           options=("-processors", str(jobs), "-percentage", "-wildcards", "-e", "boot/*"))  # fmt: skip
    write_root_tree(out / ROOT_TREE, add_hash_tree(image, tools=tools))


def squash(
    tree: Path,
    image: Path,
    *,
    tools: ToolsTree,
    level: int,
    epoch: int,
    options: Sequence[str] = (),
    on_line: Callable[[str], None] | None = None,
) -> None:
    """Pack a tree into a squashfs; the same bytes for the same tree.

    :param level: of zstd, 1 to 22.
    :param epoch: no file in it is younger.
    """
    tools.run(
        ["mksquashfs", tree, image, "-noappend", "-comp", "zstd", "-Xcompression-level", str(level), "-b", BLOCK_SIZE,
         *options],
        show=[tree, image.parent],
        env={"SOURCE_DATE_EPOCH": str(epoch)},
        on_line=on_line,
    )  # fmt: skip


def boot_files(tree: Path, out: Path) -> None:
    """Copy the tree's kernel, initrd and hypervisor to ``out`` as vmlinuz, initrd.img and xen.gz.

    :raises UserError: when the tree does not hold exactly one of each.
    """
    for pattern, name in (("vmlinuz-*", "vmlinuz"), ("initrd.img-*", "initrd.img"), ("xen-*.gz", "xen.gz")):
        shutil.copyfile(one_boot_file(tree, pattern), out / name)
        (out / name).chmod(0o644)


def one_boot_file(tree: Path, pattern: str) -> Path:
    """The one file of a tree's /boot that a pattern matches.

    :raises UserError: when there is none, or more than one.
    """
    found = [path for path in (tree / "boot").glob(pattern) if path.is_file() and not path.is_symlink()]
    if len(found) != 1:
        names = ", ".join(sorted(path.name for path in found)) or "none"
        raise UserError(
            f"the tree has to have one /boot/{pattern}, and has: {names}",
            "Look at images/packages/base.list and at the elements.",
            code=ExitCode.MACHINE,
        )
    return found[0]


def grub_program(
    out: Path,
    *,
    platform: str,
    modules: Sequence[str],
    config: str,
    tools: ToolsTree,
    prefix: str = "/boot/grub",
    options: Sequence[str | Path] = (),
) -> None:
    """Make one of GRUB's programs.

    :param platform: GRUB's name: ``x86_64-efi``, or ``i386-pc-eltorito`` for CDs under BIOS.
    :param config: commands that it runs first.
    :param options: more for ``grub-mkimage``; their files lie in the folder of ``out``.
    """
    source = out.with_suffix(".cfg")
    source.write_text(config)
    tools.run(
        ["grub-mkimage", "-O", platform, "-p", prefix, "-c", source, "-o", out, *options, *modules],
        show=[out.parent],
    )
    source.unlink()

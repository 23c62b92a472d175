"""The ISO image: BIOS and UEFI, CD and USB stick, made of files alone: nothing is mounted.

The same EFI system partition stands there twice: as a file inside ISO 9660, where El Torito and the virtual drives of
BMCs look, and as a GPT partition behind it, where firmware looks on a USB stick.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from images.config import VOLUME_LABEL
from images.inputs import digest_text
from images.menu import ARGUMENTS_FILE, arguments_script, entries
from images.pack import grub_program
from images.render import render
from images.tools import ToolsTree
from zeroth.keys.signing import SIGNATURE_SUFFIX
from zeroth.spec.embedded import AREA, Embedded, write_area
from zeroth.system.files import sha256_file
from zeroth.system.run import Completed

__all__ = ["BIOS_MODULES", "EFI_MODULES", "answer_files", "answer_name", "make_iso"]

_COMMON = (
    "all_video boot cat chain configfile echo ext2 fat gfxterm gzio halt iso9660 linux loadenv ls minicmd multiboot2 "
    "normal part_gpt part_msdos probe reboot regexp search search_fs_file search_fs_uuid search_label serial sleep "
    "terminal test true"
)
EFI_MODULES = (*_COMMON.split(), "efi_gop", "efi_uga", "efifwsetup", "lsefi")
BIOS_MODULES = (*_COMMON.split(), "biosdisk", "drivemap", "vbe", "vga")
_ESP_TYPE = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
# memtest86+ (GPL-2.0-only, a program of its own): what GRUB starts under BIOS and under UEFI.
_MEMTEST = {"boot/memtest.bin": "boot/memtest86+x64.bin", "boot/memtest.efi": "boot/memtest86+x64.efi"}
# xorriso writes into it when it makes the image, so what it hashes to here tells nothing.
_ELTORITO = "boot/grub/eltorito.img"
_RESERVED = (AREA, ARGUMENTS_FILE)


def answer_name(answer: Path) -> str:
    """What an embedded answer is called on the medium; the installer tells the kind by the ending."""
    return f"answer{answer.suffix.lower()}"


def answer_files(answer: Path | None) -> dict[str, Path]:
    """An embedded answer, and the signature that may lie beside it, by their paths on the medium."""
    if answer is None:
        return {}
    name, beside = f"zeroth/{answer_name(answer)}", answer.with_name(answer.name + SIGNATURE_SUFFIX)
    return {name: answer, **({f"{name}{SIGNATURE_SUFFIX}": beside} if beside.is_file() else {})}


def make_iso(
    image: Path,
    files: Mapping[str, Path],
    *,
    version: str,
    epoch: int,
    work: Path,
    tools: ToolsTree,
    product: str = "zeroth",
    words: Sequence[str] = (),
    loader: Path | None = None,
) -> Completed:
    """Make an ISO image that boots.

    Its SHA256SUMS names every file but what xorriso itself makes and what ``zeroth iso embed`` writes into.

    :param files: what lies on it besides GRUB, by path: ``zeroth/vmlinuz`` and so on.
    :param work: an empty folder for temporary files.
    :param product: what is installed, for people.
    :param words: more of the kernel's arguments in every entry.
    :param loader: what UEFI starts, when it is not made here: signed, for Secure Boot.
    """
    tree = work / "tree"
    grub = tree / "boot" / "grub"
    grub.mkdir(parents=True)
    (tree / "EFI" / "BOOT").mkdir(parents=True)
    digests = {name: sha256_file(path) for name, path in sorted(files.items())}
    # GRUB finds its own medium by a file that no other has, so that two media in one machine do not mix.
    marker = f"zeroth/{digest_text(repr(digests))[:32]}.id"
    (tree / marker).parent.mkdir()
    (tree / marker).write_text(version + "\n")
    (tree / AREA).write_bytes(write_area(Embedded()))
    (tree / ARGUMENTS_FILE).write_bytes(arguments_script())
    for name, source in _MEMTEST.items():
        shutil.copyfile(tools.path(source), tree / name)
    find_medium = f"search --no-floppy --file --set=root /{marker}\nset prefix=($root)/boot/grub\n"
    grub_program(work / "core.img", platform="i386-pc-eltorito", modules=BIOS_MODULES, config=find_medium, tools=tools)
    shutil.copyfile(work / "core.img", tree / _ELTORITO)
    efi = tree / "EFI" / "BOOT" / "BOOTX64.EFI"
    if loader is None:
        grub_program(efi, platform="x86_64-efi", modules=EFI_MODULES, config=find_medium, tools=tools)
    else:
        shutil.copyfile(loader, efi)
    menu = render(
        "grub.cfg.j2", entries=entries(product, words), product=product, version=version,
        arguments_file=Path(ARGUMENTS_FILE).name,
    )  # fmt: skip
    (grub / "grub.cfg").write_text(menu)
    (tree / "EFI" / "BOOT" / "grub.cfg").write_text(f"{find_medium}configfile $prefix/grub.cfg\n")
    _esp(grub / "efi.img", tree / "EFI", serial=digest_text(marker)[:8], tools=tools, epoch=epoch)
    made = {str(path.relative_to(tree)): path for path in tree.rglob("*") if path.is_file()}
    digests |= {name: sha256_file(path) for name, path in made.items() if name not in (*_RESERVED, _ELTORITO)}
    (tree / "zeroth" / "SHA256SUMS").write_text(_sums(digests))
    shutil.copyfile(tools.path("usr/lib/grub/i386-pc/boot_hybrid.img"), work / "boot_hybrid.img")
    grafts = [f"/{name}={path}" for name, path in sorted(files.items())]
    return tools.run(
        ["xorriso", "-as", "mkisofs", "-iso-level", "3", "-r", "-V", VOLUME_LABEL, "-appid", f"zeroth {version}",
         "--set_all_file_dates", f"={epoch}",
         "--grub2-mbr", work / "boot_hybrid.img", "-partition_offset", "16",
         "-append_partition", "2", _ESP_TYPE, grub / "efi.img", "-appended_part_as_gpt",
         "-c", "/boot/grub/boot.cat",
         "-b", f"/{_ELTORITO}", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table",
         "--grub2-boot-info",
         "-eltorito-alt-boot", "-e", "/boot/grub/efi.img", "-no-emul-boot",
         "-o", image, "-graft-points", f"/={tree}", *grafts],
        show=[work, image.parent, *{path.parent for path in files.values()}],
        env={"SOURCE_DATE_EPOCH": str(epoch)},
    )  # fmt: skip


def _sums(digests: Mapping[str, str]) -> str:
    """The text of zeroth/SHA256SUMS: names as seen from its own folder, the image's files first."""
    names = {os.path.relpath(name, "zeroth"): digest for name, digest in digests.items()}
    return "".join(f"{names[name]}  {name}\n" for name in sorted(names, key=lambda it: (it.startswith(".."), it)))


def _esp(image: Path, content: Path, *, serial: str, tools: ToolsTree, epoch: int) -> None:
    """A FAT file system holding the folder ``content``, just large enough."""
    used = sum(path.stat().st_size for path in content.rglob("*") if path.is_file())
    # FAT, root folder and slack; whole tracks of 32 sectors.
    sectors = -(-(used * 21 // 20 + (128 << 10)) // 512 // 32) * 32
    # FAT keeps local time.
    environment = {"SOURCE_DATE_EPOCH": str(epoch), "MTOOLS_SKIP_CHECK": "1", "TZ": "UTC"}
    folder = image.parent
    for path in (content, *content.rglob("*")):
        os.utime(path, (epoch, epoch))
    tools.run(["mformat", "-C", "-i", image, "-T", str(sectors), "-h", "2", "-s", "32", "-N", serial,
               "-v", "ZEROTHEFI", "::"], show=[folder], env=environment)  # fmt: skip
    tools.run(["mcopy", "-s", "-m", "-i", image, content, "::/"], show=[folder, content], env=environment)

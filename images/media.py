"""The ISO image: BIOS and UEFI, CD and USB stick, made of files alone: nothing is mounted.

The same EFI system partition stands there twice: as a file inside ISO 9660, where El Torito and the virtual drives of
BMCs look, and as a GPT partition behind it, where firmware looks on a USB stick.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from images.config import VOLUME_LABEL
from images.inputs import digest_text
from images.pack import grub_program
from images.render import render
from images.tools import ToolsTree
from zeroth.system.files import sha256_file
from zeroth.system.run import Completed

__all__ = ["BIOS_MODULES", "EFI_MODULES", "MenuEntry", "entries", "kernel_arguments", "make_iso"]

_COMMON = (
    "all_video boot cat chain configfile echo ext2 fat gfxterm gzio halt iso9660 linux loadenv ls minicmd multiboot2 "
    "normal part_gpt part_msdos probe reboot regexp search search_fs_file search_fs_uuid search_label serial sleep "
    "terminal test true"
)
EFI_MODULES = (*_COMMON.split(), "efi_gop", "efi_uga", "efifwsetup", "lsefi")
BIOS_MODULES = (*_COMMON.split(), "biosdisk", "drivemap", "vbe", "vga")
_ESP_TYPE = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
# The kernel writes to all consoles, and what reads from "the console" uses the last.
SCREEN = "console=ttyS0,115200n8 console=tty0"
SERIAL = "console=tty0 console=ttyS0,115200n8"


@dataclass(frozen=True)
class MenuEntry:
    """An entry of the boot menu that starts our kernel."""

    id: str
    title: str
    hotkey: str
    arguments: str


def kernel_arguments(mode: str, *, serial: bool = False) -> str:
    """The kernel command line for a mode of the root image.

    :param serial: the first serial port is the main console, and not the screen.
    """
    return f"boot=zeroth zeroth.mode={mode} {SERIAL if serial else SCREEN}"


def entries() -> list[MenuEntry]:
    """The boot menu."""
    return [
        MenuEntry("install", "Install zeroth", "i", f"{kernel_arguments('install')} quiet"),
        MenuEntry("serial", "Install zeroth on the serial console (ttyS0, 115200)", "s",
                  kernel_arguments("install", serial=True)),
        MenuEntry("rescue", "Rescue shell (changes nothing)", "r", kernel_arguments("rescue", serial=True)),
    ]  # fmt: skip


def make_iso(
    image: Path,
    files: Mapping[str, Path],
    *,
    version: str,
    epoch: int,
    work: Path,
    tools: ToolsTree,
) -> Completed:
    """Make an ISO image that boots.

    :param files: what lies on it besides GRUB, by path: ``zeroth/vmlinuz`` and so on.
    :param work: an empty folder for temporary files.
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
    sums = "".join(f"{digest}  {Path(name).name}\n" for name, digest in digests.items() if name.startswith("zeroth/"))
    (tree / "zeroth" / "SHA256SUMS").write_text(sums)
    find_medium = f"search --no-floppy --file --set=root /{marker}\nset prefix=($root)/boot/grub\n"
    grub_program(work / "core.img", platform="i386-pc-eltorito", modules=BIOS_MODULES, config=find_medium, tools=tools)
    shutil.copyfile(work / "core.img", grub / "eltorito.img")
    efi = tree / "EFI" / "BOOT" / "BOOTX64.EFI"
    grub_program(efi, platform="x86_64-efi", modules=EFI_MODULES, config=find_medium, tools=tools)
    menu = render("grub.cfg.j2", entries=entries(), product="zeroth", version=version)
    (grub / "grub.cfg").write_text(menu)
    (tree / "EFI" / "BOOT" / "grub.cfg").write_text(f"{find_medium}configfile $prefix/grub.cfg\n")
    _esp(grub / "efi.img", tree / "EFI", serial=digest_text(marker)[:8], tools=tools, epoch=epoch)
    shutil.copyfile(tools.path("usr/lib/grub/i386-pc/boot_hybrid.img"), work / "boot_hybrid.img")
    grafts = [f"/{name}={path}" for name, path in sorted(files.items())]
    return tools.run(
        ["xorriso", "-as", "mkisofs", "-iso-level", "3", "-r", "-V", VOLUME_LABEL, "-appid", f"zeroth {version}",
         "--set_all_file_dates", f"={epoch}",
         "--grub2-mbr", work / "boot_hybrid.img", "-partition_offset", "16",
         "-append_partition", "2", _ESP_TYPE, grub / "efi.img", "-appended_part_as_gpt",
         "-c", "/boot/grub/boot.cat",
         "-b", "/boot/grub/eltorito.img", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table",
         "--grub2-boot-info",
         "-eltorito-alt-boot", "-e", "/boot/grub/efi.img", "-no-emul-boot",
         "-o", image, "-graft-points", f"/={tree}", *grafts],
        show=[work, image.parent, *{path.parent for path in files.values()}],
        env={"SOURCE_DATE_EPOCH": str(epoch)},
    )  # fmt: skip


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

"""The programs: a slot's with Xen, kernel, initrd and arguments; GRUB with its whole menu; the installer's kernel."""

from __future__ import annotations

import io
import struct
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from images.pack import grub_program
from images.secureboot.openpgp import key_file
from images.secureboot.sign import Signer
from images.tools import ToolsTree
from zeroth.errors import ExitCode, UserError

__all__ = ["LOADER_MODULES", "grub_loader", "host_program", "image_end"]

# All that the menus inside use. No module can be loaded later: GRUB refuses them under Secure Boot.
LOADER_MODULES = (
    "all_video", "bli", "boot", "cat", "chain", "configfile", "crypto", "echo", "ext2", "fat", "gcry_rsa",
    "gcry_sha256", "gcry_sha512", "gzio", "halt", "hashsum", "iso9660", "linux", "loadenv", "ls", "memdisk",
    "minicmd", "multiboot2", "normal", "part_gpt", "part_msdos", "pgp", "probe", "reboot", "regexp", "search",
    "search_fs_file", "search_fs_uuid", "search_label", "serial", "sleep", "tar", "terminal", "test", "true",
    "efi_gop", "efi_uga", "efifwsetup",
)  # fmt: skip
# What revocation lists of shim and firmware read; GRUB of Debian 13 is of the fifth generation.
_SBAT = (
    "sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\n"
    "grub,5,Free Software Foundation,grub,2.12,https://www.gnu.org/software/grub/\n"
)
# Run before the menu, one command a line. Nobody may edit entries or give commands, also when there is no menu to
# show; and the menu is to know where it came from.
_FIRST = "set superusers=nobody\nexport superusers cmdpath fw_path\nconfigfile (memdisk)/grub.cfg\n"
_APART = 16 << 20
_BLOCK = 4096


def host_program(xen: Path, sections: Mapping[str, bytes | Path], out: Path, *, tools: ToolsTree, epoch: int) -> None:
    """Xen's EFI program with sections added, not signed.

    :param xen: Debian's program; the 26 MB of it that debuggers read are left out.
    :param sections: ``.config``, ``.kernel`` and ``.ramdisk``, by name; Xen finds them by these.
    :param epoch: the time in its header (seconds since 1970).
    """
    small = out.with_suffix(".small")
    folder = out.parent
    environment = {"SOURCE_DATE_EPOCH": str(epoch)}
    tools.run(["objcopy", "--strip-debug", xen, small], show=[xen.parent, folder], env=environment)
    place = _up(image_end(small.read_bytes()), _APART)
    words: list[str | Path] = []
    files = []
    for name, content in sections.items():
        file = out.with_suffix(name)
        raw = content if isinstance(content, bytes) else content.read_bytes()
        # Whole blocks: between sections nothing may lie that one signer hashes and another does not.
        file.write_bytes(raw.ljust(_up(len(raw), _BLOCK), b"\n" if isinstance(content, bytes) else b"\0"))
        words += ["--add-section", f"{name}={file}", "--change-section-vma", f"{name}={place:#x}"]
        place = _up(place + file.stat().st_size, _APART)
        files.append(file)
    tools.run(["objcopy", *words, small, out], show=[folder], env=environment)
    for file in (small, *files):
        file.unlink()


def image_end(program: bytes) -> int:
    """The address at which a program of 64 bits ends in memory (Microsoft's PE format: ImageBase + SizeOfImage).

    :raises UserError: when it is something else.
    """
    try:
        (header,) = struct.unpack_from("<I", program, 0x3C)
        magic, kind, base, size = struct.unpack_from("<4s20xH22xQ24xI", program, header)
    except struct.error:
        magic, kind, base, size = b"", 0, 0, 0
    if program[:2] != b"MZ" or magic != b"PE\0\0" or kind != 0x20B:
        raise UserError("Xen's EFI program is none", "Look at images/packages/base.list.", code=ExitCode.MACHINE)
    return int(base + size)


def grub_loader(out: Path, menu: str, *, signer: Signer, work: Path) -> None:
    """GRUB as a signed program that acts by the menu inside it, and loads nothing that the key did not sign.

    :param work: an empty folder.
    """
    inside = work / "grub.cfg"
    inside.write_text(menu)
    signer.for_grub(inside)
    (work / "memdisk.tar").write_bytes(_archive([inside, inside.with_name("grub.cfg.sig")], signer.epoch))
    (work / "sbat.csv").write_text(_SBAT)
    (work / "key.pgp").write_bytes(key_file(signer.key))
    unsigned = work / "unsigned.efi"
    grub_program(
        unsigned, platform="x86_64-efi", modules=LOADER_MODULES, config=_FIRST,
        tools=signer.tools,
        # There is no shim to ask: the firmware and GRUB's own verifier check.
        options=("--disable-shim-lock", "--pubkey", work / "key.pgp", "--sbat", work / "sbat.csv", "--memdisk",
                 work / "memdisk.tar"),
    )  # fmt: skip
    signer.program(unsigned, out)


def _archive(files: Sequence[Path], epoch: int) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in files:
            entry = tarfile.TarInfo(path.name)
            entry.size, entry.mtime = path.stat().st_size, epoch
            with path.open("rb") as file:
                archive.addfile(entry, file)
    return raw.getvalue()


def _up(value: int, step: int) -> int:
    return -(-value // step) * step

"""Boot loaders: GRUB for BIOS and for UEFI on the same disk, and the firmware's boot entry."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zeroth.deploy.esp import Esp
from zeroth.deploy.layout import Part
from zeroth.errors import UserError
from zeroth.progress import Step
from zeroth.system.block import flush
from zeroth.system.facts import DiskFacts
from zeroth.system.files import sha256_file
from zeroth.system.multipath import on_a_path
from zeroth.system.run import run
from zeroth.system.size import MIB

__all__ = [
    "EFI_PATH",
    "ENTRY_LABEL",
    "add_boot_entry",
    "bios_loader_problem",
    "has_boot_entry",
    "install_bios_loader",
    "install_efi_loader",
    "loader_workspace",
    "offer_boot_entry",
    "stale_entries",
]

ENTRY_LABEL = "zeroth"
_WORKSPACE = 8 * MIB
_GRUB = Path("/usr/lib/grub/i386-pc")
EFI_PATH = "/EFI/BOOT/BOOTX64.EFI"
# (,gpt2): the second partition of whichever disk the firmware started, so each disk boots itself.
_PREFIX = f"(,gpt{int(Part.ESP)})/boot/grub"
# All that the boot menu uses; no module is loaded from the disk.
_MODULES = (
    "biosdisk", "part_gpt", "fat", "normal", "configfile", "search", "test", "echo", "ls", "cat", "loadenv", "sleep",
    "serial", "terminal", "minicmd", "gzio", "multiboot2", "linux", "all_video", "reboot", "halt",
    "hashsum", "gcry_sha256",
)  # fmt: skip
# include/grub/i386/pc/boot.h of GRUB: a jump over the BIOS's parameters, the sector of the core, the drive and a check
# of it that the tool takes out on hard disks, code; then Windows' disk number and the partition table.
_SECTOR = 512
_CORE_SECTOR = 0x5C
_BOOT_CODE = slice(0x68, 0x1B8)
# In the core's first sector, from its end downwards: entries of 12 bytes. A core in one piece has one, and an empty
# one ends the list.
_BLOCK_LIST = _SECTOR - 2 * 12
_ENTRY = re.compile(r"Boot([0-9A-F]{4})[* ] (.*?)\t.*?GPT,([0-9a-f-]{36})", re.IGNORECASE)


@contextmanager
def loader_workspace() -> Iterator[Path]:
    """A folder on a small file system of its own, for the time of the block.

    For disks whose file systems lie on arrays or maps: GRUB's tool knows no array of disks that it is not told of. The
    device of its files need not be the one that it writes to.
    """
    with tempfile.TemporaryDirectory(prefix="zeroth-grub-") as folder:
        image, where = Path(folder) / "image", Path(folder) / "work"
        where.mkdir()
        with image.open("wb") as file:
            file.truncate(_WORKSPACE)
        run(["mkfs.ext4", "-q", "-F", image])
        run(["mount", "-t", "ext4", "-o", "loop,nodev,nosuid,noexec", image, where])
        try:
            yield where
        finally:
            run(["umount", where])


def install_bios_loader(disk: Path, work: Path) -> None:
    """Put GRUB into the BIOS boot partition and the boot sector of a disk; the boot sector comes last.

    :param work: a folder on a file system of that disk. GRUB's tool asks which device its files are on, and in an
        installer that runs from memory there is no other answer it accepts. Of a mirror :func:`loader_workspace`.
    """
    core, boot = work / "core.img", work / "boot.img"
    try:
        run(_make_core(core))
        boot.write_bytes((_GRUB / "boot.img").read_bytes())
        # No device map: it would have the tool look at every disk of the machine. No Reed-Solomon codes: they take
        # seconds to compute, and guard against programs that write into unpartitioned space, which this is not.
        options = ["--device-map=/dev/null", "--skip-fs-probe", "--no-rs-codes", f"--directory={work}"]
        run([_GRUB / "grub-bios-setup", *options, disk])
    finally:
        core.unlink(missing_ok=True)
        boot.unlink(missing_ok=True)
    flush(disk)


def bios_loader_problem(disk: Path, core_start: int, work: Path) -> str:
    """What of GRUB for BIOS is not as :func:`install_bios_loader` would write it; empty when all is.

    Left out of the comparison is what GRUB's tool writes for each disk, and what belongs to others: of the boot sector
    the BIOS's parameters and the old partition table, of the core the list of its own sectors.

    :param core_start: where the BIOS boot partition begins, in bytes.
    :param work: any folder.
    """
    core = work / "wanted.img"
    try:
        run(_make_core(core))
        wanted = core.read_bytes()
    finally:
        core.unlink(missing_ok=True)
    boot = (_GRUB / "boot.img").read_bytes()
    with disk.open("rb") as device:
        sector = device.read(_SECTOR)
        device.seek(core_start)
        found = device.read(len(wanted))
    first = core_start // _SECTOR
    points = int.from_bytes(sector[_CORE_SECTOR : _CORE_SECTOR + 8], "little") == first
    if sector[:2] != boot[:2] or sector[_BOOT_CODE] != boot[_BOOT_CODE] or sector[-2:] != boot[-2:] or not points:
        return "the boot sector is not ours"
    if found[:_BLOCK_LIST] != wanted[:_BLOCK_LIST] or found[_SECTOR:] != wanted[_SECTOR:]:
        return "GRUB's core is not ours"
    return ""


def _make_core(core: Path) -> list[str | Path]:
    return ["grub-mkimage", "-O", "i386-pc", "-d", _GRUB, "-p", _PREFIX, "-o", core, *_MODULES]


def install_efi_loader(esp: Esp, loader: Path) -> None:
    """Put GRUB where every UEFI firmware looks without being told: the removable-media path."""
    esp.put(loader, EFI_PATH, sha256_file(loader))


def add_boot_entry(disk: Path) -> None:
    """Tell this machine's UEFI firmware of the disk, first in its order; entries of disks that are gone are removed.

    :raises CommandFailed: when the firmware refuses. The disk boots without, by its removable-media path.
    """
    present = {link.name.lower() for link in Path("/dev/disk/by-partuuid").glob("*")}
    for number in stale_entries(run(["efibootmgr", "--verbose"]).stdout, present):
        run(["efibootmgr", "--quiet", "--bootnum", number, "--delete-bootnum"])
    run(
        ["efibootmgr", "--quiet", "--create", "--disk", disk, "--part", str(int(Part.ESP)), "--label", ENTRY_LABEL,
         "--loader", EFI_PATH.replace("/", "\\")]
    )  # fmt: skip


def offer_boot_entry(disk: DiskFacts, step: Step) -> tuple[str, ...]:
    """The same, from a firmware that may refuse; returns what did not work, which does not matter for booting."""
    try:
        # The entry names the partition by its GUID, over whichever path the firmware then reaches it.
        on_a_path(disk, add_boot_entry)
    except UserError as error:
        # Firmware with full or locked variables is common, and the disk boots without an entry.
        reservation = f"the firmware took no boot entry ({error.message.splitlines()[0]})"
        step.log(f"{reservation}; the disk boots by its removable-media path")
        return (reservation,)
    return ()


def has_boot_entry(listing: str, partition: str) -> bool:
    """Whether the firmware has an entry of ours for an ESP.

    :param listing: what ``efibootmgr --verbose`` prints.
    :param partition: its PARTUUID.
    """
    found = (_ENTRY.match(line) for line in listing.splitlines())
    return any(match and match[2] == ENTRY_LABEL and match[3].lower() == partition.lower() for match in found)


def stale_entries(listing: str, present: set[str]) -> list[str]:
    """Numbers of our boot entries for partitions that do not exist any more.

    :param listing: what ``efibootmgr --verbose`` prints.
    :param present: PARTUUIDs of all partitions, lower case.
    """
    found = (_ENTRY.match(line) for line in listing.splitlines())
    return [match[1] for match in found if match and match[2] == ENTRY_LABEL and match[3].lower() not in present]

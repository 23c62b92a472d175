"""The image that is installed: where its files are, what they must hash to."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from zeroth.deploy.imagedefaults import ImageDefaults
from zeroth.deploy.signedboot import PROGRAM, SELECTOR, SIGNATURE
from zeroth.deploy.slotfiles import BOOT_FILES
from zeroth.deploy.verity import ROOT_TREE, RootTree, read_root_tree
from zeroth.errors import ExitCode, UserError
from zeroth.system.files import sha256_file
from zeroth.system.live import MEDIUM

__all__ = ["BOOT_FILES", "RAM_COPY", "ImageFile", "InstallImage", "SignedFiles", "read_image", "verify_image"]

RAM_COPY = Path("/run/zeroth/image/root.squashfs")
"""The copy of the root image from which the installer runs; quicker to read than a CD."""

_PLAIN = ImageDefaults()
ROOT_IMAGE = "root.squashfs"
MANIFEST = "manifest.json"
EFI_LOADER = Path("/usr/lib/zeroth/boot/grubx64.efi")
_SUM_LINE = re.compile(r"([0-9a-f]{64}) [ *](?:\./)?(?:zeroth/)?([A-Za-z0-9._-]+)")
_MAX_SUMS = 1 << 20


@dataclass(frozen=True)
class ImageFile:
    """One file of the image, with the SHA-256 that it must have."""

    name: str
    path: Path
    size: int
    sha256: str


@dataclass(frozen=True)
class SignedFiles:
    """What Secure Boot starts, on media that were made for it.

    :ivar slot: the program of a slot, and what GRUB checks it with.
    :ivar selector: the boot menu as a program.
    """

    slot: tuple[ImageFile, ...]
    selector: ImageFile


@dataclass(frozen=True)
class InstallImage:
    """Everything that goes from the medium to the disk.

    :ivar tree: where the root image's tree of hashes is, and the hash that vouches for it.
    :ivar signed: None on media that are not for Secure Boot.
    :ivar manifest: None where the medium has none.
    """

    version: str
    root: ImageFile
    boot: tuple[ImageFile, ...]
    tree: RootTree
    defaults: ImageDefaults = _PLAIN
    signed: SignedFiles | None = None
    manifest: ImageFile | None = None

    @property
    def slot_files(self) -> tuple[ImageFile, ...]:
        """What lies in a slot's folder on the ESP."""
        return (*self.boot, *(self.signed.slot if self.signed else ()))

    @property
    def boot_size(self) -> int:
        """Bytes of a slot's boot files together."""
        return sum(file.size for file in self.slot_files)


def read_image(medium: Path = MEDIUM, ram_copy: Path = RAM_COPY) -> InstallImage:
    """Find the files and their checksums; of their content only the manifest is read, so :func:`verify_image` must
    follow before they are used.

    :raises UserError: when the medium is incomplete, or its manifest damaged.
    """
    folder = medium / "zeroth"
    sums = _read_sums(folder / "SHA256SUMS")
    signed = (PROGRAM, SIGNATURE, SELECTOR) if PROGRAM in sums else ()
    sources = {name: folder / name for name in (ROOT_IMAGE, *BOOT_FILES, *signed)}
    if ram_copy.is_file():
        sources[ROOT_IMAGE] = ram_copy
    files = {}
    for name, path in sources.items():
        if name not in sums or not path.is_file():
            what = "has no checksum" if path.is_file() else "is missing"
            raise _bad_medium(f"the medium is incomplete: {name} {what}", folder)
        files[name] = ImageFile(name, path, path.stat().st_size, sums[name])
    manifest = _manifest(folder / MANIFEST, sums.get(MANIFEST))
    version = str(manifest.get("version", "unknown"))
    boot = tuple(files[name] for name in BOOT_FILES)
    tree = _tree(folder / ROOT_TREE, sums)
    programs = SignedFiles((files[PROGRAM], files[SIGNATURE]), files[SELECTOR]) if signed else None
    defaults, own = ImageDefaults.of(manifest), _manifest_file(folder / MANIFEST, sums)
    return InstallImage(version, files[ROOT_IMAGE], boot, tree, defaults, programs, own)


def verify_image(image: InstallImage) -> None:
    """Read every file of the image and compare its SHA-256.

    :raises UserError: when one is damaged; says which.
    """
    for file in (*image.slot_files, *((image.signed.selector,) if image.signed else ()), image.root):
        try:
            found = sha256_file(file.path)
        except OSError as error:
            raise _bad_medium(f"{file.name} cannot be read: {error.strerror}", file.path) from None
        if found != file.sha256:
            raise _bad_medium(f"{file.name} is damaged (SHA-256 {found}, should be {file.sha256})", file.path)


def _read_sums(path: Path) -> dict[str, str]:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            text = file.read(_MAX_SUMS)
    except OSError as error:
        raise _bad_medium(f"the medium holds no checksums: {error.strerror}", path) from None
    found = (_SUM_LINE.fullmatch(line) for line in text.splitlines())
    return {match[2]: match[1] for match in found if match}


def _tree(path: Path, sums: dict[str, str]) -> RootTree:
    """What the boot entry will trust: checked at once, since it is a line."""
    tree = read_root_tree(path)
    if sha256_file(path) != sums.get(path.name):
        raise _bad_medium(f"{path.name} is damaged, or has no checksum", path)
    return tree


def _manifest(path: Path, digest: str | None) -> dict[str, object]:
    """The manifest; empty where a medium has none, or one that is not in its sums and cannot be read."""
    if digest is not None and (not path.is_file() or sha256_file(path) != digest):
        raise _bad_medium(f"{path.name} is {'damaged' if path.is_file() else 'missing'}", path)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _manifest_file(path: Path, sums: dict[str, str]) -> ImageFile | None:
    if MANIFEST not in sums:
        return None
    return ImageFile(MANIFEST, path, path.stat().st_size, sums[MANIFEST])


def _bad_medium(message: str, where: Path) -> UserError:
    hint = "Write the medium again and compare it with the published checksum. Nothing was written to any disk."
    return UserError(message, hint, where=str(where), code=ExitCode.MACHINE)

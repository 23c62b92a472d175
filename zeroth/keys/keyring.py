"""Key files: making them, changing from one key to the next, and the folders of keys that a machine trusts.

A machine trusts every ``*.pub`` file of :data:`TRUSTED`: the keys that came with its image, and those that its
administrator put into ``/etc``. An empty file in ``/etc`` takes away the image's key of the same name, as systemd's
masked units are. Nothing expires by date: a machine that is being installed may not know the date.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from zeroth.errors import UserError
from zeroth.keys.signing import (
    SIGNATURE_LIMIT,
    SIGNATURE_SUFFIX,
    PublicKey,
    Purpose,
    SecretKey,
    sign,
    verify,
)
from zeroth.system.files import atomic_write, fsync_directory

__all__ = [
    "TRUSTED",
    "KeyFiles",
    "check_file",
    "key_files",
    "make_key",
    "public_key",
    "read_limited",
    "read_secret",
    "rotate_key",
    "secret_key",
    "sign_file",
    "trusted_keys",
    "write_secret",
]

TRUSTED = (Path("/usr/lib/zeroth/keys"), Path("/etc/zeroth/keys"))
"""Folders of trusted keys; a file in a later one replaces that of the same name in an earlier one."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LIMIT = 16 << 10


@dataclass(frozen=True)
class KeyFiles:
    """The files of one key in a folder.

    :param successor_of: id of the key that handed over to it; empty for a first key. Not checked, only read.
    """

    public: PublicKey
    folder: Path
    name: str
    successor_of: str = ""

    @property
    def public_path(self) -> Path:
        """The public key."""
        return self.folder / f"{self.name}.pub"

    @property
    def secret_path(self) -> Path:
        """The secret key; it need not be there."""
        return self.folder / f"{self.name}.key"


def trusted_keys(folders: Sequence[Path] = TRUSTED) -> tuple[PublicKey, ...]:
    """The keys that this machine trusts, by file name.

    :raises UserError: for a file that is no public key: it must not be overlooked.
    """
    files: dict[str, Path] = {}
    for folder in folders:
        if folder.is_dir():
            files.update({path.name: path for path in folder.iterdir() if path.suffix == ".pub"})
    found = [public_key(path) for _, path in sorted(files.items()) if not _masked(path)]
    return tuple(dict.fromkeys(found))


def public_key(path: Path) -> PublicKey:
    """Read a public key file.

    :raises UserError: when it cannot be read, or is something else.
    """
    return PublicKey.parse(read_limited(path).decode(errors="replace"), where=str(path))


def secret_key(path: Path, passphrase: Callable[[], bytes]) -> SecretKey:
    """Read a secret key file.

    :param passphrase: called when the key is encrypted.
    :raises UserError: when it cannot be read, is something else, or others may read it.
    """
    return SecretKey.parse(read_secret(path), passphrase, comment=path.stem, where=str(path))


def read_secret(path: Path) -> bytes:
    """The content of a secret key file.

    :raises UserError: when it cannot be read, or others may read it.
    """
    raw = read_limited(path)
    if path.suffix == ".pub":
        raise UserError("this is a public key, and a secret one is needed", "It is the .key file.", where=str(path))
    if path.stat().st_mode & 0o077:
        raise UserError("others can read this secret key", f"Run: chmod 600 {path}", where=str(path))
    return raw


def write_secret(path: Path, pem: bytes) -> None:
    """Write a secret key file: exclusive, and never readable by others, not even for a moment.

    :raises FileExistsError: when there is one of that name.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())


def make_key(folder: Path, name: str, passphrase: bytes | None) -> KeyFiles:
    """Make ``NAME.key`` (mode 0600) and ``NAME.pub``.

    :param passphrase: None to leave the secret key unencrypted.
    :raises UserError: when one of them exists already, or the name is unfit.
    """
    return _write(folder, name, SecretKey.generate(name), passphrase)


def rotate_key(old: SecretKey, folder: Path, name: str, passphrase: bytes | None) -> KeyFiles:
    """Make the next key, handed over by the old one: its signature of ``NAME.pub`` lies beside that.

    :raises UserError: as :func:`make_key` does.
    """
    made = _write(folder, name, SecretKey.generate(name), passphrase)
    signature = sign(made.public.text.encode(), [old], Purpose.KEY, f"{name}.pub")
    atomic_write(made.public_path.with_name(f"{name}.pub{SIGNATURE_SUFFIX}"), signature)
    return KeyFiles(made.public, folder, name, old.public.name)


def key_files(folder: Path) -> list[KeyFiles]:
    """The keys in a folder, by name.

    :raises UserError: for a ``.pub`` file that is no public key.
    """
    found = []
    for path in sorted(folder.glob("*.pub")):
        handover = path.with_name(path.name + SIGNATURE_SUFFIX)
        before = ""
        if handover.is_file():
            match = re.search(r"key ([0-9A-F]{16})$", read_limited(handover).decode(errors="replace").split("\n")[0])
            before = match[1] if match else ""
        found.append(KeyFiles(public_key(path), folder, path.stem, before))
    return found


def sign_file(path: Path, keys: Sequence[SecretKey], purpose: Purpose) -> Path:
    """Sign a file; the signature lies beside it. Returns its path.

    :raises UserError: when the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            text = sign(file, keys, purpose, path.name)
    except OSError as error:
        raise UserError(f"cannot read it: {error.strerror}", where=str(path)) from None
    target = path.with_name(path.name + SIGNATURE_SUFFIX)
    atomic_write(target, text)
    return target


def check_file(path: Path, trusted: Sequence[PublicKey], purpose: Purpose) -> PublicKey:
    """Check a file against the signature beside it; returns the key that signed it.

    :raises SignatureRefused: unless a trusted key signed it for this purpose.
    :raises UserError: when it or its signature cannot be read.
    """
    beside = path.with_name(path.name + SIGNATURE_SUFFIX)
    if not beside.is_file():
        raise UserError("there is no signature beside it", f"It would be {beside.name}.", where=str(path))
    text = read_limited(beside, SIGNATURE_LIMIT).decode(errors="replace")
    try:
        with path.open("rb") as file:
            return verify(file, text, trusted, purpose, where=str(path)).key
    except OSError as error:
        raise UserError(f"cannot read it: {error.strerror}", where=str(path)) from None


def _write(folder: Path, name: str, key: SecretKey, passphrase: bytes | None) -> KeyFiles:
    if not _NAME.fullmatch(name):
        raise UserError(f"{name[:100]!r} is not a key's name", "Use letters, digits, - . _; it names two files.")
    files = KeyFiles(key.public, folder, name)
    folder.mkdir(parents=True, exist_ok=True)
    for path in (files.secret_path, files.public_path):
        if path.exists():
            raise UserError("this key exists already", "Choose another name; keys are never overwritten.",
                            where=str(path))  # fmt: skip
    write_secret(files.secret_path, key.pem(passphrase))
    atomic_write(files.public_path, key.public.text)
    fsync_directory(folder)
    return files


def _masked(path: Path) -> bool:
    try:
        return path.resolve() == Path(os.devnull) or path.stat().st_size == 0
    except OSError:
        return False


def read_limited(path: Path, limit: int = _LIMIT) -> bytes:
    """A small file.

    :param limit: bytes that it may have.
    :raises UserError: when it cannot be read, or is larger.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(limit + 1)
    except OSError as error:
        raise UserError(f"cannot read it: {error.strerror}", where=str(path)) from None
    if len(raw) > limit:
        raise UserError("this file is too large for what it should be", "Is it the right file?", where=str(path))
    return raw

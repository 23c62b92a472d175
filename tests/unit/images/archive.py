"""Debian archives for tests: a few tiny packages, indices and Release files, signed with keys made here."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from images.config import ARCHITECTURE, COMPONENTS, SUITE
from zeroth.system.run import run

__all__ = ["SUITES", "Deb", "Signer", "make_archive"]

SUITES = (SUITE, f"{SUITE}-updates", f"{SUITE}-security")
YEAR = "20260101T000000!"
"""gpg's clock at the making of keys and signatures: the tests' clocks stand later."""


class Signer:
    """A key, and what signs with it.

    :param folder: empty; holds the secret key.
    """

    def __init__(self, folder: Path) -> None:
        self._home = folder / "gnupg"
        self._home.mkdir(mode=0o700, parents=True)
        self.keyring = folder / "archive.gpg"
        self._gpg("--quick-gen-key", "Archive of a test", "rsa2048", "sign", "never")
        self._gpg("--output", self.keyring, "--export")

    def sign(self, text: str) -> str:
        """The text, clear-signed."""
        return self._gpg("--clearsign", "--digest-algo", "SHA512", text=text)

    def end(self) -> None:
        """Stop the agent that gpg started for the key."""
        run(["gpgconf", "--homedir", self._home, "--kill", "all"])

    def _gpg(self, *words: str | os.PathLike[str], text: str = "") -> str:
        return run(
            ["gpg", "--homedir", self._home, "--batch", "--quiet", "--faked-system-time", YEAR, "--passphrase", "",
             "--pinentry-mode", "loopback", *words],
            input=text,
        ).stdout  # fmt: skip


@dataclass(frozen=True)
class Deb:
    """A package.

    :param fields: more of its control file.
    """

    name: str
    version: str = "1"
    fields: Mapping[str, str] | None = None

    @property
    def file(self) -> str:
        """Its name in apt's download cache."""
        return f"{self.name}_{self.version}_all.deb"


def make_archive(
    folder: Path,
    packages: Iterable[Deb],
    signer: Signer | None,
    *,
    made: datetime,
    until: datetime | None = None,
    suites: Iterable[str] = SUITES,
) -> Path:
    """An archive that holds ``packages`` in its first suite, and nothing in the others.

    :param signer: None leaves it unsigned.
    :param until: its Release files hold until then.
    """
    stanzas = [_pool(folder, package) for package in packages]
    for number, suite in enumerate(suites):
        dist = folder / "dists" / suite
        texts = {
            f"{component}/binary-{ARCHITECTURE}/Packages": "\n".join(stanzas) if (number, place) == (0, 0) else ""
            for place, component in enumerate(COMPONENTS)
        }
        for name, text in texts.items():
            (dist / name).parent.mkdir(parents=True)
            (dist / name).write_text(text)
        fields = {
            "Origin": "Test", "Label": "Test", "Suite": suite, "Codename": suite, "Date": _date(made),
            **({"Valid-Until": _date(until)} if until else {}),
            "Architectures": ARCHITECTURE, "Components": " ".join(COMPONENTS),
        }  # fmt: skip
        sums = "".join(
            f" {hashlib.sha256(text.encode()).hexdigest()} {len(text.encode())} {name}\n"
            for name, text in texts.items()
        )
        release = "".join(f"{name}: {value}\n" for name, value in fields.items()) + f"SHA256:\n{sums}"
        if signer:
            (dist / "InRelease").write_text(signer.sign(release))
        else:
            (dist / "Release").write_text(release)
    return folder


def _pool(folder: Path, package: Deb) -> str:
    """Make a package; returns its stanza of the index."""
    control = {
        "Package": package.name, "Version": package.version, "Architecture": "all", "Maintainer": "T <t@test.example>",
        "Description": "test", **(package.fields or {}),
    }  # fmt: skip
    text = "".join(f"{name}: {value}\n" for name, value in control.items())
    (folder / "pool").mkdir(parents=True, exist_ok=True)
    path = folder / "pool" / package.file
    with TemporaryDirectory() as name:
        (Path(name) / "DEBIAN").mkdir(mode=0o755)
        (Path(name) / "DEBIAN" / "control").write_text(text)
        run(["dpkg-deb", "--root-owner-group", "--build", name, path])
    content = path.read_bytes()
    return (
        text + f"Filename: pool/{package.file}\nSize: {len(content)}\nSHA256: {hashlib.sha256(content).hexdigest()}\n"
    )


def _date(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC)).replace("+0000", "UTC")

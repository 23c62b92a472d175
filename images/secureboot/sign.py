"""Signing programs: as firmware checks them (Authenticode), and as GRUB does."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from images.secureboot.openpgp import sign_file
from images.tools import ToolsTree
from zeroth.keys.keyring import write_secret
from zeroth.keys.secureboot import ProgramKey

__all__ = ["Signer"]

# The key is decrypted for the tool: in memory, for root alone, and only as long as the tool runs.
_IN_MEMORY = Path("/run")


@dataclass(frozen=True)
class Signer:
    """Signs with one key.

    :ivar epoch: the time that signatures tell (seconds since 1970), so that the same program has the same signature.
    """

    key: ProgramKey
    tools: ToolsTree
    epoch: int

    def program(self, unsigned: Path, signed: Path) -> None:
        """Sign a program of the firmware; a signature that it has is replaced."""
        signed.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory(prefix="zeroth-signing-", dir=_IN_MEMORY) as folder:
            secret, certificate = Path(folder) / "key", Path(folder) / "certificate"
            write_secret(secret, self.key.secret_pem)
            certificate.write_bytes(self.key.certificate_pem)
            self.tools.run(
                ["osslsigncode", "sign", "-h", "sha256", "-key", secret, "-certs", certificate, "-st", str(self.epoch),
                 "-in", unsigned, "-out", signed],
                show=[Path(folder), unsigned.parent, signed.parent],
            )  # fmt: skip

    def for_grub(self, path: Path, signature: Path | None = None) -> None:
        """Write what GRUB checks a file with, beside the file if nothing else is said."""
        (signature or path.with_name(f"{path.name}.sig")).write_bytes(sign_file(path, self.key))

"""The host's ssh keys, made by the installer: so that whoever installs it can know the host before its first login."""

from __future__ import annotations

import base64
import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from zeroth.system.files import atomic_write
from zeroth.system.run import run

__all__ = ["HostKey", "host_keys", "make_host_keys"]


@dataclass(frozen=True)
class HostKey:
    """A public key of the host.

    :ivar kind: as in ``known_hosts``: ``ssh-ed25519``, ...
    :ivar key: base64.
    """

    kind: str
    key: str

    @property
    def fingerprint(self) -> str:
        """As ssh shows it: ``SHA256:`` and base64 without padding."""
        digest = hashlib.sha256(base64.b64decode(self.key)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    def as_json(self) -> dict[str, str]:
        """For reports."""
        return {"kind": self.kind, "key": self.key, "fingerprint": self.fingerprint}


def make_host_keys(etc: Path) -> None:
    """Make one of each kind that OpenSSH has by default, below ``etc``; first boot keeps those that are sound.

    :raises CommandFailed: they cannot be made.
    """
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "etc" / "ssh"
        made.mkdir(parents=True)
        run(["ssh-keygen", "-q", "-A", "-f", folder])
        for path in sorted(made.glob("ssh_host_*_key*")):
            mode = 0o644 if path.suffix == ".pub" else 0o600
            atomic_write(etc / "ssh" / path.name, path.read_bytes(), mode=mode)


def host_keys(etc: Path) -> tuple[HostKey, ...]:
    """The public keys below ``etc``."""
    found = (path.read_text().split() for path in sorted((etc / "ssh").glob("ssh_host_*_key.pub")))
    return tuple(HostKey(words[0], words[1]) for words in found if len(words) >= 2)

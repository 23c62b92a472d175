"""Where things are on an installed host, below a root that tests choose."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zeroth.deploy.localsr import RECORD

__all__ = ["Paths"]


@dataclass(frozen=True)
class Paths:
    """Every path that first boot reads or writes."""

    root: Path = Path("/")

    def of(self, path: str) -> Path:
        """A path of the host: ``of("etc/hostname")``."""
        return self.root / path

    @property
    def store_folder(self) -> Path:
        """What belongs to the slot's store: the agent's database and what goes with it."""
        return self.root / "var/lib/zeroth"

    @property
    def hostspec(self) -> Path:
        """The answer as HostSpec, written by the installer."""
        return self.store_folder / "hostspec.json"

    @property
    def journal(self) -> Path:
        """Which steps are done."""
        return self.store_folder / "firstboot.json"

    @property
    def identity(self) -> Path:
        """The host's own UUIDs."""
        return self.store_folder / "identity.json"

    @property
    def store(self) -> Path:
        """The agent's store."""
        return self.store_folder / "store.db"

    @property
    def local_sr(self) -> Path:
        """What the local storage repository lies on; see :mod:`zeroth.deploy.localsr`."""
        return self.store_folder / RECORD

    @property
    def network_undo(self) -> Path:
        """The network as it was before a change that is on trial."""
        return self.store_folder / "network-undo.json"

    @property
    def certificate(self) -> Path:
        """The host's certificate."""
        return self.root / "etc/zeroth/tls/host.pem"

    @property
    def key(self) -> Path:
        """Its key."""
        return self.root / "etc/zeroth/tls/host.key"

    @property
    def issue(self) -> Path:
        """What stands above the login prompt of every console."""
        return self.root / "etc/issue.d/zeroth.issue"

    @property
    def log(self) -> Path:
        """What first boot did, with times."""
        return self.root / "var/log/zeroth/firstboot.log"

    @property
    def lock(self) -> Path:
        """Held while first boot runs."""
        return self.root / "run/zeroth/firstboot.lock"

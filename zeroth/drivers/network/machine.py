"""The live machine: observe it, do one action to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from zeroth.drivers.network.links import observe_links
from zeroth.drivers.network.model import (
    Action,
    ChangeSwitch,
    Link,
    Observed,
    ReloadNetworkd,
    RemoveFile,
    WriteFile,
)
from zeroth.drivers.network.networkd import networkd_links, read_files
from zeroth.drivers.network.ovsdb import Ovsdb
from zeroth.system.files import atomic_write, fsync_directory
from zeroth.system.run import run

__all__ = ["Machine"]


@dataclass
class Machine:
    """One of the two makers of :class:`Observed` (the other is recorded JSON), the only one that changes things."""

    folder: Path = Path("/etc/systemd/network")
    switch: Ovsdb = field(default_factory=Ovsdb)

    def observe(self) -> Observed:
        """Read links, switch and files.

        :raises UserError: when Open vSwitch or ``ip`` does not answer.
        """
        return Observed(self.links(), self.switch.read(), read_files(self.folder))

    def links(self) -> tuple[Link, ...]:
        """Read the links only."""
        return observe_links()

    def apply(self, action: Action) -> None:
        """Do one action.

        :raises UserError: when the machine refuses.
        """
        match action:
            case WriteFile(name, content):
                atomic_write(self.folder / name, content)
            case RemoveFile(name):
                (self.folder / name).unlink(missing_ok=True)
                fsync_directory(self.folder)
            case ChangeSwitch(changes):
                self.switch.change(changes)
            case ReloadNetworkd(links):
                self._reload(links)

    def _reload(self, links: tuple[str, ...]) -> None:
        run(["networkctl", "reload"], timeout=30)
        # reload re-reads the files and reconfigures the links whose file changed; one that networkd has looked at
        # before, and left alone because no file matched, is told by name.
        managed = networkd_links()
        present = [name for name in links if not self._runs_our_file(managed.get(name, {})) and name in managed]
        if present:
            run(["networkctl", "reconfigure", *present], timeout=30)

    def _runs_our_file(self, link: object) -> bool:
        file = link.get("NetworkFile", "") if isinstance(link, dict) else ""
        return Path(file).parent == self.folder and "-zeroth-" in Path(file).name

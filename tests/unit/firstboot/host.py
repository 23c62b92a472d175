"""An installed host in a folder: real files, a model of the network, stand-ins for programs that need a machine."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from firstboot import engine
from firstboot.context import Context
from firstboot.paths import Paths
from firstboot.system import LiveSystem
from tests.unit.drivers.lvm_model import Lvm
from tests.unit.drivers.model_machine import ModelMachine, PowerCut
from zeroth.drivers.network.guard import Wait
from zeroth.drivers.network.model import Link
from zeroth.progress import Stream
from zeroth.spec.stored import load_spec
from zeroth.system.run import CommandFailed, Completed, run

NIC = Link("eth0", "52:54:00:00:00:01", "52:54:00:00:00:01", up=True, carrier=True, physical=True, driver="igb")
_T = TypeVar("_T")
HASH = "$6$saltsalt$" + "a" * 86
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA" + "b" * 42 + " admin@example"
SPEC: dict[str, Any] = {
    "schema_version": 1,
    "hostname": "alpha.example.org",
    "timezone": "Europe/Vienna",
    "keyboard": "de",
    "root": {"password_hash": HASH, "ssh_keys": [KEY]},
    "disk": {"select": "only", "wipe": True},
}


@dataclass
class Programs(LiveSystem):
    """Writes real files; programs that need a whole machine are stood in for.

    :ivar cut_at: the power fails at this operation, counted from 1; before it, or (``after``) when it is done.
    """

    paths: Paths
    cut_at: int | None = None
    after: bool = False
    count: int = 0
    calls: list[tuple[tuple[str, ...], str | None]] = field(default_factory=list)
    hostname: str = ""
    given: list[str] = field(default_factory=list)
    refuses: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    lvm: Lvm = field(default_factory=Lvm)

    def run(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        stdin: str | None = None,
        ok: Sequence[int] = (0,),
        secrets: Sequence[str] = (),
    ) -> Completed:
        words = tuple(os.fspath(word) for word in argv)
        return self._at(lambda: self._program(words, stdin, secrets))

    def write(self, path: Path, data: str | bytes, *, mode: int = 0o644, group: str = "") -> None:
        self._at(lambda: LiveSystem.write(self, path, data, mode=mode, group=group))

    def link(self, path: Path, target: str) -> None:
        self._at(lambda: LiveSystem.link(self, path, target))

    def remove(self, path: Path) -> None:
        self._at(lambda: LiveSystem.remove(self, path))

    def give(self, path: Path, user: str) -> None:
        assert user == "zeroth"
        self._at(lambda: self.given.append(path.name))

    def set_hostname(self, name: str) -> None:
        self.hostname = name

    def group_id(self, name: str) -> int:
        assert name == "zeroth"
        return os.getegid()

    def _at(self, operation: Callable[[], _T]) -> _T:
        self.count += 1
        if self.count == self.cut_at and not self.after:
            raise PowerCut
        result = operation()
        if self.count == self.cut_at:
            raise PowerCut
        return result

    def _program(self, argv: tuple[str, ...], stdin: str | None, secrets: Sequence[str]) -> Completed:
        self.calls.append((argv, stdin))
        if argv[0] in self.refuses:
            raise CommandFailed(Completed(argv, 1, "", self.refuses[argv[0]]), redact=secrets)
        if argv[0] == "ssh-keygen":
            if "-A" in argv:
                for name, data in ssh_keys().items():
                    path = self.paths.of("etc/ssh") / name
                    if not path.exists():
                        path.write_bytes(data)
                        path.chmod(0o644 if name.endswith(".pub") else 0o600)
                return Completed(argv, 0, "", "")
            return run(argv)
        if argv[0] == "chpasswd":
            assert stdin
            user, _, value = stdin.strip().partition(":")
            self.paths.of("etc/shadow").write_text(f"{user}:{value}:20000:0:99999:7:::\n")
        if argv[0] in ("pvs", "lvm", "vgcreate", "vgextend", "vgchange"):
            return self.lvm.run(argv)
        if argv[:2] == ("systemctl", "is-enabled"):
            return Completed(argv, 0, "".join(f"{self.units.get(unit, 'enabled')}\n" for unit in argv[2:]), "")
        if argv[0] == "systemd-machine-id-setup":
            self.paths.of("etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
        return Completed(argv, 0, "", "")


@functools.cache
def ssh_keys() -> dict[str, bytes]:
    """Real host keys, made once."""
    with tempfile.TemporaryDirectory() as folder:
        key = Path(folder) / "ssh_host_ed25519_key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


class Host:
    """Files, network and consoles of one host over several boots."""

    def __init__(self, root: Path, spec: dict[str, Any] | None = None, nics: tuple[Link, ...] = (NIC,)) -> None:
        self.paths = Paths(root)
        for folder in ("etc/ssh", "var/lib/zeroth", "usr/share/zoneinfo/Europe", "usr/share/keymaps/i386", "root"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        for zone in ("Europe/Vienna", "UTC"):
            (root / "usr/share/zoneinfo" / zone).write_bytes(b"TZif")
        (root / "usr/share/keymaps/i386/de.kmap.gz").write_bytes(b"")
        (root / "etc/machine-id").write_text("")
        self.paths.hostspec.write_text(json.dumps(spec or SPEC))
        self.paths.hostspec.chmod(0o600)
        self.network = ModelMachine(nics)
        self.lines: list[str] = []
        self.now = 0.0
        self.programs = Programs(self.paths)

    def context(self) -> Context:
        wait = Wait(sleep=self._sleep, clock=lambda: self.now, raise_links=lambda names: None)
        return Context(load_spec(self.paths.hostspec), self.paths, self.programs, self.network, wait)

    def boot(self, *, cut_at: int | None = None, after: bool = False) -> bool:
        """Power on; False when the power failed.

        :raises UserError: when a step failed.
        """
        self.network.reboot()
        before = self.programs
        self.programs = Programs(self.paths, cut_at, after, refuses=before.refuses, units=before.units, lvm=before.lvm)
        try:
            engine.start(self.context(), Stream(), self.lines.append)
        except PowerCut:
            return False
        return True

    def files(self) -> dict[str, bytes]:
        """Every file below the root but the journal, by name."""
        return {
            str(path.relative_to(self.paths.root)): path.read_bytes() if not path.is_symlink() else b""
            for path in sorted(self.paths.root.rglob("*"))
            if path.is_file() and path != self.paths.journal
        }

    def _sleep(self, seconds: float) -> None:
        self.now += max(seconds, 1.0)

"""What goes into a bundle, and getting it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from zeroth import __version__
from zeroth.errors import UserError
from zeroth.progress import Step
from zeroth.spec.model import without_secrets
from zeroth.system.run import run

__all__ = ["COMMANDS", "FILES", "Item", "collect"]

_MOST = 8 << 20  # bytes of one item: of a log, its end
_PATIENCE = 60.0  # seconds for a command

FILES = (
    "var/log/zeroth/*.log", "run/zeroth/*.log", "run/zeroth/state/install/*.json*", "run/zeroth/state/upgrade/*.json*",
    "run/zeroth/state/*/etc-merge.json", "var/lib/zeroth/firstboot.json", "var/lib/zeroth/identity.json",
    "var/lib/zeroth/network-undo.json", "run/zeroth/medium/zeroth/manifest.json", "etc/os-release", "proc/cmdline",
    "proc/mdstat", "proc/meminfo", "run/systemd/network/*.network", "etc/systemd/network/*.network",
)  # fmt: skip
"""Patterns below the root, of text files."""

COMMANDS: dict[str, tuple[str, ...]] = {
    "facts.json": ("zeroth", "probe", "--json"),
    "slots.json": ("zeroth", "slot", "status", "--json"),
    "host.json": ("zeroth", "host", "status", "--json"),
    "journal.txt": ("journalctl", "--boot", "--no-pager", "--output=short-iso", "--lines=50000"),
    "journal-before.txt": ("journalctl", "--boot=-1", "--no-pager", "--output=short-iso", "--lines=20000"),
    "dmesg.txt": ("dmesg",),
    "failed-units.txt": ("systemctl", "--failed", "--no-pager", "--full"),
    "packages.txt": ("dpkg-query", "--show"),
    "disks.txt": ("lsblk", "--output-all", "--json"),
    "paths.txt": ("multipath", "-ll"),
    "space.txt": ("df", "--human-readable"),
    "addresses.json": ("ip", "-json", "address"),
    "routes.json": ("ip", "-json", "route"),
    "switches.txt": ("ovs-vsctl", "show"),
    "xen.txt": ("xl", "info"),
    "xen-messages.txt": ("xl", "dmesg"),
    "domains.txt": ("xl", "list"),
    "kernel.txt": ("uname", "-a"),
}
"""The name in the bundle, and what prints it."""


@dataclass(frozen=True)
class Item:
    """A part of a bundle.

    :ivar name: in the bundle.
    :ivar source: a path or a command.
    :ivar text: before it is scrubbed; empty when there is none.
    :ivar note: why there is none, or that it was cut.
    """

    name: str
    source: str
    text: str = ""
    note: str = ""


def collect(step: Step, root: Path = Path("/"), commands: dict[str, tuple[str, ...]] | None = None) -> Iterator[Item]:
    """Get everything that there is on this machine, be it a host or an installer; what there is not is named.

    :param root: where files are read.
    """
    wanted = COMMANDS if commands is None else commands
    yield Item("zeroth-version.txt", "zeroth --version", f"{__version__}\n")
    for pattern in FILES:
        for path in sorted(root.glob(pattern)):
            if path.is_file() and not path.is_symlink():
                yield _file(path, root)
    answer = root / "var/lib/zeroth/hostspec.json"
    if answer.exists():
        yield _answer(answer)
    for number, (name, argv) in enumerate(wanted.items()):
        step.update(number, of=len(wanted), message=argv[0])
        yield _command(name, argv)


def _file(path: Path, root: Path) -> Item:
    inside = path.relative_to(root)
    try:
        text, note = _end(path)
    except OSError as error:
        text, note = "", error.strerror or "cannot be read"
    return Item(f"files/{inside}", f"/{inside}", text, note)


def _end(path: Path) -> tuple[str, str]:
    """The last part of a file; those below /proc have no size."""
    with path.open("rb") as file:
        size = path.stat().st_size
        file.seek(max(0, size - _MOST))
        data = file.read(_MOST)
    return _cut(data.decode(errors="replace"), size > _MOST)


def _cut(text: str, cut: bool) -> tuple[str, str]:
    """From the first whole line: half a line could be half a secret, which nobody would recognise."""
    return (text.partition("\n")[2], "its end only") if cut else (text, "")


def _answer(path: Path) -> Item:
    """Without secrets, and without the texts of hooks: nobody can know what is in them."""
    source = "/var/lib/zeroth/hostspec.json"
    try:
        data = without_secrets(json.loads(path.read_text()))
    except (OSError, ValueError) as error:
        return Item("answer.json", source, note=f"cannot be read: {error}")
    for hook in data.get("hooks") or ():
        hook["script"] = None
    return Item("answer.json", source, json.dumps(data, indent=1) + "\n")


def _command(name: str, argv: Sequence[str]) -> Item:
    source = " ".join(argv)
    try:
        done = run(argv, timeout=_PATIENCE, ok=range(256))
    except UserError as error:
        return Item(name, source, note=" ".join(error.message.split()))
    text = done.stdout + done.stderr
    note = f"ended with {done.status}" if done.status else ""
    if len(text) > _MOST:
        text, cut = _cut(text[-_MOST:], cut=True)
        note = "; ".join(filter(None, [note, cut]))
    return Item(name, source, text, note)

"""Keeping something of the installation elsewhere: the answer, or a support bundle; on a volume or a web server."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from zeroth.errors import ExitCode, UserError
from zeroth.progress import Stream
from zeroth.system.facts import DiskFacts, Facts
from zeroth.system.run import run

__all__ = ["Place", "keep_on", "make_bundle", "places", "send_to"]

_KINDS = ("vfat", "exfat", "ext2", "ext3", "ext4")
_SENDING = 120  # seconds


@dataclass(frozen=True)
class Place:
    """A file system that something can be written to.

    :ivar name: for people.
    """

    device: str
    kind: str
    name: str


def places(facts: Facts, taken: Sequence[DiskFacts]) -> tuple[Place, ...]:
    """The file systems that are free for it: not the medium's, not on a disk that is installed on, not in use.

    :param taken: the disks that are installed on.
    """
    found = []
    for disk in facts.disks:
        if disk.medium or disk.read_only or disk.in_use or disk.path in {it.path for it in taken}:
            continue
        whole = [(disk.path, disk.signatures)] if not disk.partitions else []
        for device, signs in (*whole, *((part.path, part.signatures) for part in disk.partitions if not part.in_use)):
            for sign in signs:
                if sign.type in _KINDS:
                    label = f" '{sign.label}'" if sign.label else ""
                    name = f"{device}{label}, {sign.type}, on {f'{disk.vendor} {disk.model}'.strip() or 'a disk'}"
                    found.append(Place(device, sign.type, name))
    return tuple(found)


def keep_on(place: Place, name: str, data: bytes) -> None:
    """Write a file at the top of a file system; one of that name gives way.

    :raises UserError: it cannot be written, or the name is none for a file.
    """
    if not name or "/" in name or name.startswith(".") or not name.isprintable():
        raise UserError(f"{name!r} is no name for a file", "As in host1.ks")
    with _writable(place) as folder:
        try:
            # Not by renaming: this is FAT as a rule, where that is no safer.
            (folder / name).write_bytes(data)
        except OSError as error:
            raise UserError(
                f"{name} cannot be written to {place.device}: {error.strerror}", code=ExitCode.MACHINE
            ) from None


def send_to(url: str, name: str, file: Path) -> None:
    """Send a file by HTTP PUT, to the address itself or, where that ends with a slash, as a file below it.

    :raises UserError: it is not taken.
    """
    import requests  # takes a while to load

    target = url + name if url.endswith("/") else url
    if not target.startswith(("http://", "https://")):
        raise UserError("the address does not begin with http:// or https://", "As in https://server.example.com/in/")
    try:
        with file.open("rb") as body:
            answer = requests.put(target, data=body, timeout=_SENDING)
    except requests.RequestException as error:
        raise UserError(
            f"the server cannot be reached: {type(error).__name__}", "Is the network up?", code=ExitCode.MACHINE
        ) from None
    if not answer.ok:
        raise UserError(f"the server refused it: {answer.status_code} {answer.reason}", code=ExitCode.MACHINE)


def make_bundle(folder: Path) -> Path:
    """A support bundle of this machine, without secrets.

    :raises UserError: it cannot be written.
    """
    from zeroth.support.bundle import write_bundle
    from zeroth.support.collect import collect
    from zeroth.support.scrub import Scrubber

    path = folder / "zeroth-support.tar.gz"
    with Stream().step("Collect") as step:
        write_bundle(path, collect(step), Scrubber(Path("/")))
    return path


@contextmanager
def _writable(place: Place) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="zeroth-keep-"))
    try:
        run(["mount", "-t", place.kind, "-o", "nodev,nosuid,noexec", place.device, folder])
        try:
            yield folder
        finally:
            run(["umount", folder])
    finally:
        shutil.rmtree(folder, ignore_errors=True)

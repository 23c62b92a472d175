"""Writing a bundle: a tar.gz with a list of what is in it, readable by its owner only."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from zeroth.errors import ExitCode, UserError
from zeroth.support.collect import Item
from zeroth.system.files import atomic_write

__all__ = ["CONTENTS", "Member", "write_bundle"]

CONTENTS = "CONTENTS.json"
"""In the bundle: what is in it, and what is not."""


@dataclass(frozen=True)
class Member:
    """What became of an item.

    :ivar size: bytes in the bundle; 0 for what is not in it.
    """

    name: str
    source: str
    size: int
    note: str = ""

    def as_json(self) -> dict[str, object]:
        """For ``--json``, and for the list in the bundle."""
        return {"name": self.name, "source": self.source, "size": self.size, "note": self.note}


def write_bundle(path: Path, items: Iterable[Item], scrub: Callable[[str], str]) -> tuple[Member, ...]:
    """Write the items, scrubbed. The file is there when it is whole, or not at all.

    :raises UserError: it cannot be written.
    """
    members: list[Member] = []
    # In memory: a few megabytes, since logs pack well.
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for item in items:
            data = scrub(item.text).encode(errors="replace")
            members.append(Member(item.name, scrub(item.source), len(data), scrub(item.note)))
            if data:
                _add(archive, item.name, data)
        listed = [member.as_json() for member in members]
        _add(archive, CONTENTS, (json.dumps(listed, indent=1) + "\n").encode())
    try:
        atomic_write(path, packed.getvalue(), mode=0o600)
    except OSError as error:
        raise UserError(
            f"the bundle cannot be written: {error.strerror}", "Name another place: --output FILE",
            where=str(path), code=ExitCode.MACHINE,
        ) from None  # fmt: skip
    return tuple(members)


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(f"zeroth-support/{name}")
    entry.size, entry.mode, entry.mtime = len(data), 0o600, int(time.time())
    archive.addfile(entry, io.BytesIO(data))

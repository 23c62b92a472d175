"""Whether the boot files of a slot are what was put there, as the boot menu checks them too."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from zeroth.deploy.bootmenu import ENTRY
from zeroth.deploy.esp import Esp
from zeroth.deploy.signedboot import PROGRAM, SIGNATURE
from zeroth.errors import UserError

__all__ = ["BOOT_FILES", "SUMS", "SlotFiles", "read_slot_files"]

BOOT_FILES = ("xen.gz", "vmlinuz", "initrd.img")
"""What every slot has in its folder on the ESP."""
SUMS = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9._-]+)")


@dataclass(frozen=True)
class SlotFiles:
    """A slot's folder on one ESP.

    :ivar state: ``empty`` when there is nothing in it.
    :ivar damaged: names of files that are missing or are not what they should be.
    :ivar signed: it is started by Secure Boot.
    """

    state: Literal["whole", "damaged", "empty"]
    damaged: tuple[str, ...] = ()
    signed: bool = False

    @property
    def whole(self) -> bool:
        """It can be started."""
        return self.state == "whole"

    def as_json(self) -> dict[str, object]:
        """For ``--json``."""
        return {"state": self.state, "damaged": list(self.damaged), "signed": self.signed}


def read_slot_files(esp: Esp, slot: str) -> SlotFiles:
    """Read every boot file of a slot and compare it with its checksum. Changes nothing.

    The signed program has none there: the firmware checks its signature, so it only has to be there.
    """
    folder = f"/zeroth/{slot}/"
    names = {path.removeprefix(folder) for path in esp.files() if path.startswith(folder)}
    if not names:
        return SlotFiles("empty")
    signed = bool(names & {PROGRAM, SIGNATURE})
    sums = _sums(esp, folder + SUMS) if SUMS in names else {}
    damaged = [] if sums else [SUMS]
    # A list that lacks one would have the boot menu start what nobody has checked.
    damaged += [
        name
        for name in dict.fromkeys((*BOOT_FILES, *sums))
        if name not in names or (sums and not _is(esp, folder + name, sums.get(name, "")))
    ]
    damaged += [name for name in (ENTRY, *((PROGRAM, SIGNATURE) if signed else ())) if name not in names]
    return SlotFiles("damaged" if damaged else "whole", tuple(damaged), signed)


def _sums(esp: Esp, path: str) -> dict[str, str]:
    """Checksums by name; empty when the list cannot be read whole."""
    try:
        found = [_LINE.fullmatch(line) for line in esp.read_text(path).splitlines()]
    except UserError:
        return {}
    return {match[2]: match[1] for match in found if match} if all(found) else {}


def _is(esp: Esp, path: str, digest: str) -> bool:
    try:
        return esp.sha256(path) == digest
    except UserError:
        return False

"""What a machine says of itself when it asks for its answer, so that a server can choose.

All of it is in headers, so that a plain file server need not know them. The names that anaconda uses
(``inst.ks.sendmac``, ``inst.ks.sendsn``) are sent as well: provisioning servers know those.
"""

from __future__ import annotations

from collections.abc import Mapping

from zeroth import __version__
from zeroth.system.facts import DiskFacts, Facts

__all__ = ["identity_headers"]

_MOST = 32  # of NICs and disks; servers refuse headers that are too long in all
_LONGEST = 200


def identity_headers(facts: Facts) -> Mapping[str, str]:
    """The headers of a request for this machine's answer."""
    nics = facts.nics[:_MOST]
    wanted = {
        "User-Agent": f"zeroth-installer/{__version__}",
        "Zeroth-MAC": ", ".join(f"{nic.name}={nic.mac}" for nic in nics),
        "Zeroth-UUID": facts.dmi.uuid,
        "Zeroth-Serial": facts.dmi.serial,
        "Zeroth-Product": " ".join(filter(None, [facts.dmi.vendor, facts.dmi.product])),
        "Zeroth-Firmware": facts.firmware.kind,
        "Zeroth-Disks": ", ".join(map(_disk, facts.disks[:_MOST])),
        **{f"X-RHN-Provisioning-MAC-{number}": f"{nic.name} {nic.mac}" for number, nic in enumerate(nics)},
        "X-System-Serial-Number": facts.dmi.serial,
    }
    return {name: _safe(value, 8000) for name, value in wanted.items() if value.strip()}


def _disk(disk: DiskFacts) -> str:
    """``/dev/sda;size=1000204886016;serial=S3Z1;model=Example 1T``; bytes."""
    parts = {"size": str(disk.size), "serial": disk.serial, "wwn": disk.wwn, "model": disk.model}
    words = [f"{name}={_safe(value, _LONGEST)}" for name, value in parts.items() if value]
    return ";".join([disk.path, *words]).replace(",", " ")


def _safe(value: str, longest: int) -> str:
    """Fit for a header: what firmware and disks say of themselves may hold anything."""
    return "".join(char if " " <= char <= "~" else "?" for char in value).strip()[:longest]

"""What this machine says of itself in files: kernel, hypervisor, processor, firmware.

Read below a root folder, so that a recorded tree serves as well as the machine. What cannot be read is empty: none of
it is worth an agent that does not start.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

__all__ = ["HostFacts", "read_facts"]

_MOST: Final = 1 << 20
# host.bios_strings by the kernel's names of DMI fields.
_BIOS: Final = {
    "bios-vendor": "bios_vendor",
    "bios-version": "bios_version",
    "system-manufacturer": "sys_vendor",
    "system-product-name": "product_name",
    "system-version": "product_version",
    "system-serial-number": "product_serial",
    "baseboard-manufacturer": "board_vendor",
    "baseboard-product-name": "board_name",
    "baseboard-version": "board_version",
    "baseboard-serial-number": "board_serial",
    "enclosure-asset-tag": "chassis_asset_tag",
}
_CPU: Final = {
    "vendor": "vendor_id",
    "modelname": "model name",
    "family": "cpu family",
    "model": "model",
    "stepping": "stepping",
    "speed": "cpu MHz",
    "flags": "flags",
}


@dataclass(frozen=True)
class HostFacts:
    """One reading.

    :ivar kernel: Linux's release, ``6.12.107+deb13-amd64``.
    :ivar booted: when it was started; None when unknown.
    :ivar boot: the boot's own id, another one after each start.
    :ivar xen: the hypervisor's version, empty when there is none.
    :ivar capabilities: kinds of guest the hypervisor runs, ``xen-3.0-x86_64``...
    :ivar dom0_vcpus: processors that dom0 sees.
    :ivar cpu: of ``host.cpu_info``: vendor, modelname, family, model, stepping, speed, flags.
    :ivar bios: of ``host.bios_strings``.
    """

    hostname: str
    kernel: str
    booted: datetime | None
    boot: str
    xen: str
    capabilities: tuple[str, ...]
    dom0_vcpus: int
    cpu: Mapping[str, str]
    bios: Mapping[str, str]


def read_facts(root: Path = Path("/")) -> HostFacts:
    """Read them now."""
    system = root / "proc/sys/kernel"
    processors = _text(root / "proc/cpuinfo").strip()
    hypervisor = root / "sys/hypervisor"
    booted = re.search(r"^btime (\d+)$", _text(root / "proc/stat"), re.MULTILINE)
    return HostFacts(
        hostname=_text(system / "hostname").strip(),
        kernel=_text(system / "osrelease").strip(),
        booted=datetime.fromtimestamp(int(booted[1]), UTC) if booted else None,
        boot=_text(system / "random/boot_id").strip(),
        xen=_xen(hypervisor),
        capabilities=tuple(_text(hypervisor / "properties/capabilities").split()),
        dom0_vcpus=len(re.findall(r"^processor\s*:", processors, re.MULTILINE)),
        cpu=_cpu(processors.split("\n\n", 1)[0]),
        bios={key: _text(root / "sys/class/dmi/id" / name).strip() for key, name in _BIOS.items()},
    )


def _xen(hypervisor: Path) -> str:
    if _text(hypervisor / "type").strip() != "xen":
        return ""
    major, minor, extra = (_text(hypervisor / "version" / name).strip() for name in ("major", "minor", "extra"))
    return f"{major}.{minor}{extra}"


def _cpu(block: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in block.splitlines())
    found = {name.strip(): value.strip() for name, _, value in pairs}
    return {key: found.get(name, "") for key, name in _CPU.items()}


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return os.fsdecode(file.read(_MOST)).encode("utf-8", "replace").decode()
    except OSError:
        return ""

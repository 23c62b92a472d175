"""The lab's matrix of installations is whole."""

from __future__ import annotations

from itertools import product

from tests.lab.machine import Firmware
from tests.lab.scenarios.matrix import CELLS, KINDS, NETS


def test_every_firmware_meets_every_disk_with_every_network() -> None:
    cells = {(cell.firmware, cell.disk, cell.net) for cell in CELLS}
    assert len(cells) == len(CELLS)
    # iso-bios and iso-uefi, mirror and mirror-uefi.
    cells |= {(firmware, disk, "dhcp") for firmware in Firmware for disk in ("single", "mirror")}
    starts_from_none = {(Firmware.BIOS, "4kn", net) for net in NETS}
    assert cells == set(product(Firmware, KINDS, NETS)) - starts_from_none

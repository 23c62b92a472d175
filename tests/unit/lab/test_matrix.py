"""The lab's matrix of installations covers every pair."""

from __future__ import annotations

from tests.lab.machine import Firmware
from tests.lab.scenarios.matrix import CELLS, KINDS, NETS


def test_every_value_of_every_axis_meets_every_other() -> None:
    cells = {(str(cell.firmware), cell.disk, cell.net) for cell in CELLS}
    assert len(cells) == len(CELLS)
    # iso-bios and iso-uefi, mirror and mirror-uefi.
    cells |= {(str(firmware), disk, "dhcp") for firmware in Firmware for disk in ("single", "mirror")}
    both = {(str(firmware), disk) for firmware in Firmware for disk in KINDS}
    assert {cell[:2] for cell in cells} == both - {("bios", "4kn")}
    assert {cell[1:] for cell in cells} == {(disk, net) for disk in KINDS for net in NETS}
    assert {(cell[0], cell[2]) for cell in cells} == {(str(fw), net) for fw in Firmware for net in NETS}

"""Puts the test guest where a host lets guests boot from."""

from __future__ import annotations

from pathlib import Path

from tests.lab.guest import guest_initrd
from tests.lab.host import Host
from tests.lab.medium import extract

__all__ = ["KERNEL", "RAMDISK", "put_guest"]

_FOLDER = "/var/lib/zeroth/boot"
KERNEL = f"{_FOLDER}/vmlinuz"
RAMDISK = f"{_FOLDER}/guest.img"


def put_guest(host: Host, work: Path) -> None:
    """Copy the medium's Linux and the guest's initramfs into the host's folder of kernels for guests."""
    host.ssh(f"mkdir -p {_FOLDER}")
    host.put(extract("/zeroth/vmlinuz", work), KERNEL)
    host.put(guest_initrd(), RAMDISK)

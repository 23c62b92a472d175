"""Putting an upgrade on trial, and what a host on trial says of itself."""

from __future__ import annotations

import json

from tests.lab.host import Host
from tests.lab.install import BOOT_PROBLEMS
from tests.lab.newer import Newer
from tests.lab.stage import expect

__all__ = ["NOT_PROVED", "OLD_SLOT", "PROVED", "apply_upgrade", "wait_proved"]

OLD_SLOT = (
    *(f"/zeroth/a/{name}" for name in ("xen.gz", "vmlinuz", "initrd.img", "entry.cfg", "repair.cfg", "SHA256SUMS")),
    "/boot/grub/grub.cfg",
)
"""What the slot that runs is started by, on the ESP; an upgrade leaves it alone."""

PROVED = "zeroth: slot b has proved itself.*"
NOT_PROVED = "zeroth: slot b did not prove itself: .*"


def apply_upgrade(host: Host, built: Newer) -> None:
    """Apply the later version on a host that runs slot a; its next start tries it."""
    host.put(built.key, "/root/lab.pub")
    host.ssh_full("zeroth upgrade apply - --key /root/lab.pub --yes", seconds=1500, send=built.file.read_bytes())
    said = json.loads(host.ssh("zeroth slot status --json"))
    wanted = {"booted": "a", "committed": "a", "trial": "b", "tries": 2}
    expect(wanted.items() <= said.items(), f"zeroth slot status says {said}")


def wait_proved(host: Host, seconds: float) -> None:
    """Wait until slot b has its copy of the state and proved itself, and root can log in.

    :raises LabError: when it does not.
    """
    never = f"zeroth: cannot start: .*|{NOT_PROVED}|{BOOT_PROBLEMS}"
    host.wait_for("zeroth: slot b gets a copy of the state of slot a", seconds, never=never)
    host.wait_for(PROVED, seconds, never=never)
    host.wait_ssh(300)

"""What a host on trial says of itself."""

from __future__ import annotations

from tests.lab.host import Host
from tests.lab.install import BOOT_PROBLEMS

__all__ = ["NOT_PROVED", "PROVED", "wait_proved"]

PROVED = "zeroth: slot b has proved itself.*"
NOT_PROVED = "zeroth: slot b did not prove itself: .*"


def wait_proved(host: Host, seconds: float) -> None:
    """Wait until slot b has its copy of the state and proved itself, and root can log in.

    :raises LabError: when it does not.
    """
    never = f"zeroth: cannot start: .*|{NOT_PROVED}|{BOOT_PROBLEMS}"
    host.wait_for("zeroth: slot b gets a copy of the state of slot a", seconds, never=never)
    host.wait_for(PROVED, seconds, never=never)
    host.wait_ssh(300)

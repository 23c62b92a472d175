"""What happens to the machine when the installer is done with it."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from installer.consoles import console_devices, wait_for_enter
from installer.person import Decision
from zeroth.errors import ExitCode, UserError
from zeroth.spec.model import EndAction, OnFailure
from zeroth.system.live import MEDIUM
from zeroth.system.run import run

__all__ = ["Ended", "Report", "after", "end_machine", "next_action"]

_CDROM_DRIVE_STATUS = 0x5326  # linux/cdrom.h
_DISC_OK = 4


class Ended(StrEnum):
    """How an installation ended."""

    FINISHED = "finished"
    NOTHING_TO_DO = "nothing to do"
    FAILED = "failed"


@dataclass(frozen=True)
class Report:
    """How it ended.

    :ivar reason: of a failure, or why there was nothing to do; one line.
    :ivar hint: what to do about a failure.
    :ivar failure: the exit code of a failure.
    """

    ended: Ended
    reason: str = ""
    reservations: tuple[str, ...] = ()
    hint: str = ""
    failure: ExitCode = ExitCode.MACHINE
    end_action: EndAction = EndAction.REBOOT
    on_failure: OnFailure = OnFailure.SHELL

    @property
    def line(self) -> str:
        """The last line on the consoles; programs watch for it."""
        match self.ended:
            case Ended.FINISHED:
                return "zeroth: installation finished"
            case Ended.NOTHING_TO_DO:
                return f"zeroth: nothing to do: {self.reason}"
        return f"zeroth: installation failed: {self.reason}"

    @property
    def code(self) -> ExitCode:
        """The exit code of the command."""
        if self.ended is Ended.FAILED:
            return self.failure
        return ExitCode.RESERVATIONS if self.reservations else ExitCode.DONE


def next_action(ended: Ended, end_action: EndAction, on_failure: OnFailure, *, medium_gone: bool) -> str:
    """Decide what comes next: ``reboot``, ``poweroff``, ``halt`` or ``shell``.

    A machine with nothing to do and the medium still in the drive is powered off: rebooting it would start the
    installer again, and again. One that failed is never started again.
    """
    if ended is Ended.FAILED:
        return on_failure.value
    if ended is Ended.NOTHING_TO_DO and end_action is EndAction.REBOOT and not medium_gone:
        return EndAction.POWEROFF.value
    return end_action.value


def after(wish: Decision | None, end_action: EndAction, on_failure: OnFailure) -> tuple[EndAction, OnFailure]:
    """What to do at the end where a person at the screen said so; else what the answer says."""
    match wish:
        case Decision.RESTART:
            return EndAction.REBOOT, on_failure
        case Decision.POWEROFF:
            return EndAction.POWEROFF, OnFailure.POWEROFF
        case Decision.SHELL:
            return end_action, OnFailure.SHELL
    return end_action, on_failure


def end_machine(ended: Ended, end_action: EndAction, on_failure: OnFailure) -> None:
    """Eject the medium when it has done its work, then reboot, power off or open shells."""
    gone = ended is not Ended.FAILED and eject_medium()
    match next_action(ended, end_action, on_failure, medium_gone=gone):
        case "shell":
            run(["systemctl", "start", "--no-block", "zeroth-rescue.target"])
        case "poweroff":
            run(["systemctl", "poweroff", "--no-block"])
        case "halt":
            wait_for_enter(console_devices())
            run(["systemctl", "reboot", "--no-block"])
        case _:
            run(["systemctl", "reboot", "--no-block"])


def eject_medium(mount: Path = MEDIUM) -> bool:
    """Let go of the medium, and open the tray if it is a CD. The system itself runs from memory.

    :returns: whether there is no medium in the machine any more to start from.
    """
    device = _mounted_device(mount)
    if device is None:
        return True
    try:
        run(["umount", mount])
        if not device.name.startswith("sr"):
            # A stick; or the files of a boot over the network, which would begin once more.
            return False
        run(["eject", device])
    except UserError:
        return False
    return not _disc_in(device)


def _mounted_device(mount: Path) -> Path | None:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        if fields[4] == str(mount):
            return Path(fields[fields.index("-") + 2])
    return None


def _disc_in(device: Path) -> bool:
    try:
        handle = os.open(device, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return fcntl.ioctl(handle, _CDROM_DRIVE_STATUS, 0) == _DISC_OK
    except OSError:
        return False
    finally:
        os.close(handle)

"""Proving a slot on trial: watch it start, then commit it, or say why not so that the machine restarts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from zeroth.deploy.bootenv import BootState, read_boot_state, write_boot_state
from zeroth.deploy.esp import Esp
from zeroth.deploy.health import Check, failing
from zeroth.deploy.slotstate import Slot, SlotState
from zeroth.errors import ExitCode, UserError
from zeroth.system.run import CommandFailed, run

__all__ = ["Proof", "starting"]


def starting() -> bool:
    """Whether systemd still starts what belongs to the boot, or does not answer."""
    try:
        said = run(["systemctl", "is-system-running"], ok=(0, 1), timeout=60).stdout.strip()
    except CommandFailed:
        return True
    return said in ("initializing", "starting")


@dataclass
class Proof:
    """One trial. Times are in seconds.

    :param slot: that runs.
    :param clock: that never goes back.
    :param limit: after which a host that still starts has failed.
    :param grace: how long checks may fail after everything was started.
    :param steady: how long they have to go well without a break: an agent that dies again and again does not.
    :param pause: between two looks.
    """

    slot: Slot
    esp: Esp
    state: SlotState
    checks: tuple[Check, ...]
    say: Callable[[str], None]
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    starting: Callable[[], bool] = starting
    limit: float = 1200.0
    grace: float = 180.0
    steady: float = 15.0
    pause: float = 5.0
    _told: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Watch until the slot is well, and commit it.

        :raises UserError: when it is not; the reasons are in the journal too.
        """
        begun = self.clock()
        started = well = None
        while True:
            now = self.clock()
            starts = self.starting()
            if started is None and not starts:
                started = now
            wrong = failing(self.checks)
            self._tell(wrong)
            if wrong:
                well = None
                if now - begun > self.limit or (started is not None and now - started > self.grace):
                    self._failed(wrong)
            else:
                well = now if well is None else well
                # What starts for ever holds up no upgrade of a host that is well; a hang of systemd is ended before.
                if now - well >= self.steady and (not starts or now - begun > self.limit):
                    self._commit()
                    return
            self.sleep(self.pause)

    def _tell(self, wrong: list[str]) -> None:
        if wrong != self._told:
            self._told = wrong
            self.say("; ".join(wrong) if wrong else "Xen, tools, storage, network and agent are well")

    def _failed(self, wrong: list[str]) -> None:
        journal = self.state.journal()
        journal.add("trial", "failed", slot=self.slot, error="; ".join(wrong))
        raise UserError(
            f"slot {self.slot} did not prove itself: " + "; ".join(wrong),
            "The machine restarts, and goes back to the other slot when no try is left.",
            code=ExitCode.MACHINE,
        )

    def _commit(self) -> None:
        # The boot menu first: once it starts the slot by default, the note is only for people.
        write_boot_state(self.esp, BootState(committed=self.slot))
        if read_boot_state(self.esp) != BootState(committed=self.slot):
            raise UserError("the boot menu's state does not stay written", code=ExitCode.MACHINE)
        self.state.journal().add("trial", "done", slot=self.slot)
        self.state.prove(self.slot)
        self.say(f"slot {self.slot} has proved itself: it is started by default from now on")

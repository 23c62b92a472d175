"""The person at the machine's consoles: whichever of them gets a key is where the screens are.

The screens run beside the installation, on a thread of their own. What they know outlives them
(:class:`installer.screens.state.State`), so that another console may take over at any time.
"""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import TYPE_CHECKING

from installer.image import InstallImage
from installer.person import Decision
from installer.plan import InstallPlan
from installer.recheck import check_agreed
from zeroth.errors import ExitCode, UserError
from zeroth.progress import Event
from zeroth.spec.answer import AnswerText
from zeroth.system.facts import Facts
from zeroth.system.files import atomic_write

if TYPE_CHECKING:
    from installer.ending import Report
    from installer.screens.app import InstallerApp
    from installer.screens.state import State

__all__ = ["Front"]

_POLL = 0.5
_AGAIN = "`zeroth installer run` starts it again."


class Front:
    """Asks on every console, and goes on with the one that answers.

    :param consoles: the machine's.
    :param hushed: of these, those that nothing else may write to now; kept up to date here.
    :param hush: called once, before the first question: nobody else shall write over the screens.
    :param keymap: makes a keyboard layout hold on the machine's own console.
    :param desk: where further terminals are announced: a pipe to write their paths to, and beside it, as ``.at``, the
        paths of those that got the screens, one after the other; ``-`` where nobody has them.
    """

    def __init__(
        self,
        consoles: Sequence[Path],
        hushed: set[Path],
        *,
        hush: Callable[[], None] = lambda: None,
        keymap: Callable[[str], None] = lambda _: None,
        desk: Path | None = None,
    ) -> None:
        self._consoles, self._hushed = list(consoles), hushed
        self._hush, self._keymap, self._desk = hush, keymap, desk
        self._state: State | None = None
        self._thread: Thread | None = None
        self._app: InstallerApp | None = None
        self._next: Path | None = None
        self._places: list[str] = []
        self._closing = Flag()

    def ask(
        self, found: AnswerText | None, facts: Facts, image: InstallImage, keys: Sequence[str] = ()
    ) -> AnswerText:  # fmt: skip
        """See :class:`installer.person.Person`."""
        from installer.screens.draft import Draft  # here: with textual, a second that only people wait for
        from installer.screens.state import State

        if self._state is None:
            draft = Draft.of(found) if found else Draft()
            name = found.name if found else ""
            self._state = State(facts, draft, image, found=name, keys=tuple(keys), keymap=self._keymap)
            self._hush()
            if self._desk and not self._desk.exists():
                self._desk.parent.mkdir(parents=True, exist_ok=True)
                os.mkfifo(self._desk, 0o600)
            self._thread = Thread(target=self._serve, name="screens", daemon=True)
            self._thread.start()
        else:
            self._state.again(facts)
            self._tell(lambda app: app.start_again())
        decision, answer = self._state.decided.get()
        if decision is not Decision.INSTALL or answer is None:
            self.close()
            raise UserError(
                "it was left at the screen; nothing was written", "`zeroth installer run` starts it again."
            )
        return answer

    def writing(self, plan: InstallPlan) -> None:
        """See :class:`installer.person.Person`."""
        if self._state is None:
            return
        if self._state.stopping:
            raise UserError("it was stopped at the screen; nothing was written", code=ExitCode.INPUT)
        if self._state.agreed:
            check_agreed(self._state.agreed, plan)
        self._state.writing = True

    def say(self, text: str) -> None:
        """See :class:`installer.person.Person`."""
        if self._state is not None:
            self._state.view.say(text)

    def handle(self, event: Event) -> None:
        """See :class:`installer.person.Person`."""
        if self._state is not None:
            self._state.view.handle(event)

    def ended(self, report: Report) -> Decision | None:
        """Show how it ended, and wait for what comes next; None where nobody was asked, or they left."""
        if self._state is None or self._closing.is_set() or self._thread is None or not self._thread.is_alive():
            return None
        from installer.ending import Ended
        from installer.screens.state import Ending

        failed = report.ended is Ended.FAILED
        done = f"zeroth is installed. After its first start it answers at https://{self._name()}/."
        message = done if report.ended is Ended.FINISHED else report.reason
        self._state.ending = Ending(failed, message, report.hint, report.reservations)
        return self._state.decided.get()[0]

    def close(self) -> None:
        """Leave the consoles to others."""
        self._closing.set()
        self._tell(lambda app: app.exit())
        if self._thread is not None:
            self._thread.join(10)
        self._hushed.clear()
        self._at(None)

    def _name(self) -> str:
        name = self._state.draft.get(("hostname",)) if self._state else None
        return name if isinstance(name, str) else "the host"

    def _tell(self, what: Callable[[InstallerApp], object]) -> None:
        app = self._app
        if app is not None and app.is_running:
            with suppress(RuntimeError):
                app.call_from_thread(what, app)

    # On the screens' thread

    def _serve(self) -> None:
        from installer.screens.app import HANDED_OVER, InstallerApp
        from installer.screens.terminal import driver_on

        assert self._state is not None
        self._write(self._consoles, _INVITATION)
        at: Path | None = self._key_on(self._consoles)
        while at is not None and not self._closing.is_set():
            others = [console for console in self._consoles if console != at]
            self._write(others, f"The installation goes on at {at.name}. Enter takes it over to here.\n")
            self._hushed.clear()
            self._hushed.add(at)
            self._at(at)
            app = self._app = InstallerApp(self._state, driver=driver_on(at))
            watching = Thread(target=self._watch, args=(others, app), daemon=True)
            watching.start()
            result = asyncio.run(app.run_async(mouse=False))
            self._app = None
            watching.join()
            if result != HANDED_OVER:
                break
            self._write([at], "The installation goes on at another console. Enter takes it back.\n")
            at, self._next = self._next, None
            if at is None and not self._closing.is_set():
                # Whoever was there is gone.
                self._hushed.clear()
                self._at(None)
                self._write(self._consoles, _INVITATION)
                at = self._key_on(self._consoles)
        # Also when they broke: the installer must not wait for ever.
        if not self._closing.is_set():
            self._state.decide(Decision.LEAVE)

    def _watch(self, others: Sequence[Path], app: InstallerApp) -> None:
        """Hand over to the console on which Enter is pressed."""
        found = self._key_on(others, until=lambda: app.return_code is not None or self._closing.is_set())
        if found is not None:
            self._next = found
            with suppress(RuntimeError):
                app.call_from_thread(app.hand_over)

    def _key_on(self, consoles: Sequence[Path], until: Callable[[], bool] = lambda: False) -> Path | None:
        """The console on which Enter is pressed first; None when there will be none."""
        with ExitStack() as stack:
            handles: dict[int, Path] = {}
            for console in consoles:
                with suppress(OSError):
                    handle = os.open(console, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
                    stack.callback(os.close, handle)
                    handles[handle] = console
            desk = self._desk_handle(stack)
            while not until() and not self._closing.is_set():
                for handle in select.select([*handles, *desk], [], [], _POLL)[0]:
                    if handle in desk:
                        announced = os.read(handle, 256).decode(errors="replace").split("\n")[0]
                        return Path(announced)
                    try:
                        data = os.read(handle, 256)
                    except OSError:
                        data = b""
                    if b"\n" in data or b"\r" in data:
                        return handles[handle]
                    if not data:
                        del handles[handle]
        return None

    def _desk_handle(self, stack: ExitStack) -> list[int]:
        if self._desk is None:
            return []
        # For both, so that the pipe has no end while nobody announces anything.
        handle = os.open(self._desk, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        stack.callback(os.close, handle)
        return [handle]

    def _at(self, console: Path | None) -> None:
        # All of them: who had the screens for a moment only must learn of it too.
        self._places.append(f"{console or '-'}\n")
        if self._desk is not None:
            atomic_write(self._desk.with_suffix(".at"), "".join(self._places))

    @staticmethod
    def _write(consoles: Sequence[Path], text: str) -> None:
        for console in consoles:
            with suppress(OSError):
                handle = os.open(console, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
                try:
                    os.write(handle, text.format(console=console.name).encode())
                finally:
                    os.close(handle)


_INVITATION = """
zeroth: install at the screen
  Nothing was written to any disk. What no answer says is asked for.
  Press Enter here to go on at this console ({console}).
"""

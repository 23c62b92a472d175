"""The answer's own programs: fetched before anything is written, and run at their stages.

What a hook prints goes line by line into the event stream, and so into the log. Its text is never shown, and is given
to its interpreter as a file that only root may read: it may hold a secret.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from installer.chroot import Chroot
from zeroth.errors import ExitCode, UserError
from zeroth.progress import Step
from zeroth.spec.fetch.found import without_password
from zeroth.spec.fetch.turns import Request, fetch_first
from zeroth.spec.fetch.web import Trust
from zeroth.spec.model import Hook, HostSpec, Stage
from zeroth.spec.render import printable
from zeroth.system.script import Finished, run_script

__all__ = ["HOOKS", "HookRunner", "hook_title"]

HOOKS = Path("/run/zeroth/hooks")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PATIENCE = 60.0  # seconds for a server that does not answer at once
_HINTS = {126: "Its interpreter cannot be executed.", 127: "A program that it calls, or its interpreter, is missing."}


def hook_title(number: int, hook: Hook) -> str:
    """How a hook is called: by its place in the answer."""
    return f"Run hook {number} (%{hook.stage})"


def _fetch(url: str, authorities: str, say: Callable[[str], None]) -> bytes:
    return fetch_first(Request((url,), Trust(authorities)), patience=_PATIENCE, say=say).data


@dataclass
class HookRunner:
    """Runs the hooks of an answer.

    :ivar authorities: certificates in PEM that servers are known by, besides the usual ones.
    :ivar online: brings the network up; called before the first fetch.
    :ivar environment: variables that every hook gets; what is known grows as the installation goes on.
    :ivar folder: where texts lie while they run; in memory.
    :ivar redact: takes known secrets out of what they print.
    :ivar grace: seconds between asking a hook to end and killing it.
    """

    spec: HostSpec
    authorities: str = ""
    online: Callable[[], None] = lambda: None
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path = HOOKS
    fetch: Callable[[str, str, Callable[[str], None]], bytes] = _fetch
    redact: Callable[[str], str] = str
    grace: float = 5.0
    _fetched: dict[int, bytes] = field(default_factory=dict)

    def fetch_all(self, step: Step) -> tuple[str, ...]:
        """Fetch every text that the answer gives by its address, so that nothing is missing after the first write.

        :returns: reservations: what could not be had, where that is not fatal.
        :raises UserError: one cannot be had, or is not the one that the answer means.
        """
        wanted = [(number, hook) for number, hook in enumerate(self.spec.hooks, 1) if hook.url]
        if wanted:
            self.online()
        reservations = []
        for number, hook in wanted:
            try:
                self._fetched[number] = self._get(number, hook, step)
            except UserError as error:
                if hook.fatal:
                    raise
                reservations.append(f"hook {number} (%{hook.stage}) is not run: {error.message}")
                step.log(reservations[-1])
        return tuple(reservations)

    def run_stage(self, stage: Stage, step: Step) -> tuple[str, ...]:
        """Run all hooks of a stage that run in the installer, in the answer's order.

        :returns: reservations: failures that are not fatal.
        :raises UserError: a fatal one failed.
        """
        numbered = [(number, hook) for number, hook in enumerate(self.spec.hooks, 1) if hook.stage is stage]
        reservations: list[str] = []
        for number, hook in numbered:
            with step.step(hook_title(number, hook)) as running:
                reservations += self.run(number, running)
        return tuple(reservations)

    def run(self, number: int, step: Step, chroot: Chroot | None = None) -> tuple[str, ...]:
        """Run one hook.

        :param number: its place in the answer, from 1.
        :param chroot: run it in this system.
        :returns: a reservation, when it failed and that is not fatal.
        :raises UserError: it failed, and that is fatal.
        """
        hook = self.spec.hooks[number - 1]
        try:
            self._run(number, hook, step, chroot)
        except UserError as error:
            if hook.fatal:
                raise
            step.log(error.message)
            return (error.message.partition("\n")[0],)
        return ()

    def on_error(self, cause: str, step: Step) -> None:
        """Run the hooks of the stage ``onerror``. Whatever becomes of them, the first error stays the one to tell."""
        self.environment["ZEROTH_ERROR"] = cause.replace("\0", "")
        with suppress(Exception):
            self.run_stage(Stage.ONERROR, step)

    def _run(self, number: int, hook: Hook, step: Step, chroot: Chroot | None) -> None:
        name = f"hook {number} (%{hook.stage})"
        text = hook.script.encode() if hook.script is not None else self._fetched.get(number)
        if text is None:
            return  # That it could not be fetched was told.
        place = chroot.run if chroot else self.folder
        root = chroot.root if chroot else Path("/")
        if not os.path.lexists(root / hook.interpreter.lstrip("/")):
            where = "in the installed system" if chroot else "in the installer"
            raise UserError(f"{name} failed: there is no {hook.interpreter} {where}", code=ExitCode.MACHINE)
        path = place / f"hook-{number}"
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        step.log(f"{name}: {hook.interpreter}, at most {hook.timeout} s")
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o700), "wb") as file:
                file.write(text)
            inside = f"/{path.relative_to(root)}"
            argv = [*(chroot.words if chroot else ()), hook.interpreter, inside]
            finished = run_script(
                argv, env=self._environment(hook), timeout=hook.timeout, grace=self.grace,
                on_line=lambda line: step.log(self._shown(line)),
            )  # fmt: skip
        except OSError as error:
            raise UserError(f"{name} cannot be run: {error.strerror}", code=ExitCode.MACHINE) from None
        finally:
            path.unlink(missing_ok=True)
        _judge(name, hook, finished, tuple(map(self._shown, finished.tail)))

    def _shown(self, line: str) -> str:
        """Fit for terminals, logs and the journal."""
        return printable(self.redact(line).expandtabs())

    def _environment(self, hook: Hook) -> Mapping[str, str]:
        return {
            "PATH": _PATH, "HOME": "/root", "LC_ALL": "C.UTF-8", "ZEROTH_STAGE": hook.stage.value,
            "ZEROTH_HOSTNAME": self.spec.hostname, **self.environment,
        }  # fmt: skip

    def _get(self, number: int, hook: Hook, step: Step) -> bytes:
        assert hook.url is not None
        shown = without_password(hook.url)
        data = self.fetch(hook.url, self.authorities, step.log)
        found = hashlib.sha256(data).hexdigest()
        if found != hook.digest:
            raise UserError(
                f"hook {number} at {shown} is not the one that the answer means: its SHA-256 is {found}",
                "Was it changed? Look at it, then put its SHA-256 into the answer. Nothing was written to any disk.",
                code=ExitCode.MACHINE,
            )
        step.log(f"{shown}: {len(data)} bytes")
        return data


def _judge(name: str, hook: Hook, finished: Finished, tail: tuple[str, ...]) -> None:
    """:raises UserError: it failed; its last lines say why."""
    if not finished.late and finished.status in hook.ok:
        return
    if finished.late:
        how = f"did not end within {hook.timeout} s"
    elif finished.status < 0:
        how = f"was killed by signal {-finished.status}"
    else:
        how = f"failed with exit code {finished.status}"
    last = "".join(f"\n  {line}" for line in tail)
    message = f"{name} {how}" + (f":{last}" if last else "")
    raise UserError(message, _HINTS.get(finished.status, ""), code=ExitCode.MACHINE)

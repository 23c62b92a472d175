"""The installation from beginning to end: find the answer, discover, plan, show, apply, report."""

from __future__ import annotations

import errno
import os
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TextIO
from uuid import uuid4

from rich.console import Console

from installer.apply import Application, Places, check_before
from installer.ending import Ended, Report
from installer.hooks import HOOKS, HookRunner
from installer.hostkeys import HostKey
from installer.image import InstallImage, read_image, verify_image
from installer.links import raise_links
from installer.logs import keep_log
from installer.network_trial import LiveNetwork, Network, judge, try_network
from installer.online import OnlineFetch, go_online, wait_online
from installer.person import Person
from installer.plan import AlreadyApplied, InstallPlan, Outcome, Refused
from installer.planner import PlanRequest, plan_installation
from installer.preflight import warnings
from installer.recheck import check_again
from installer.remote import login_for, open_door
from installer.report import Reporter, told_plan
from installer.show import WIDTH, show_checks, show_outcome
from installer.upgrade import HostUpgrade, find_upgrade
from zeroth.deploy.layout import InstallId
from zeroth.deploy.upgrade_show import show_upgrade
from zeroth.errors import ExitCode, UserError
from zeroth.keys.keyring import trusted_keys
from zeroth.progress import Step, Stream
from zeroth.redaction import RedactedSink, Redactor
from zeroth.sinks import PlainSink, log_file
from zeroth.spec.answer import AnswerText
from zeroth.spec.arguments import NETWORK_TRY, PLAN, asks_at_screen, network_try_wanted, plan_wanted, ssh_wanted
from zeroth.spec.embedded import Embedded, embedded_in
from zeroth.spec.load import load_answer
from zeroth.spec.model import HostSpec, NotifySpec, RootLogin, RunMode, Stage
from zeroth.spec.secrets import secret_values
from zeroth.spec.sources import ANSWER_LABEL, MEDIUM, find_answer
from zeroth.spec.volumes import LiveVolumes
from zeroth.system.facts import Facts, Machine, NeighbourFacts
from zeroth.system.live import LiveMachine
from zeroth.system.lldp import neighbours
from zeroth.system.multipath import open_map
from zeroth.system.run import run

__all__ = ["LOG", "Session"]

LOG = Path("/run/zeroth/install.log")
_PATIENCE = 20.0
_REPORTS = 30.0  # seconds that the end of the installation waits for those who are told
_HURRY = 3.0
_TAIL = 100  # lines of the log that go with a failure
_REFUSALS = {errno.EIO, errno.ENXIO, errno.ENODEV, errno.EROFS, errno.EREMOTEIO, errno.ENOMEDIUM, errno.EUCLEAN}
_FAILING_DEVICE = (
    "A disk or the medium fails, or was taken out: the kernel says more (journalctl -k). Mend it and start again; an "
    "installation that was begun goes on, or begins again."
)
_NO_ANSWER = UserError(
    "no answer was found",
    f"Put the answer file (answer.ks, answer.yaml or answer.json) on a volume labelled {ANSWER_LABEL}, or name it on\n"
    "       the kernel command line: zeroth.answer=label:NAME/path, =medium:/path or =https://...\n"
    "       Then start the machine again, or run `zeroth installer run --answer FILE` here.\n"
    "       Nothing was written to any disk.",
)


_PLANNED = Report(Ended.NOTHING_TO_DO, f"the plan was all that was asked for ({PLAN})")


@dataclass
class Session:
    """One run of the installer.

    :param outputs: where people read along.
    :param answer_file: an answer given by hand; else it is looked for.
    :param machine: whose facts are planned with.
    :param image: finds the image.
    :param links: brings the network cards' links up before they are looked at.
    :param medium: where the medium is mounted.
    :param network: begins to bring the installer's own network up.
    :param heard: what the cards heard of their neighbours.
    :param trial: what the answer's network is tried with.
    :param cmdline: the kernel command line.
    :param hooks: where the texts of hooks lie while they run.
    :param door: lets people log in to the installer by ssh.
    :param person: who is asked where no answer is found, or where the kernel command line says so.
    """

    outputs: Sequence[TextIO]
    answer_file: Path | None = None
    machine: Machine = field(default_factory=LiveMachine)
    image: Callable[[], InstallImage] = read_image
    links: Callable[[], None] = raise_links
    places: Places = field(default_factory=Places)
    log: Path = LOG
    medium: Path = MEDIUM
    network: Callable[[], None] = go_online
    heard: Callable[[], Mapping[str, NeighbourFacts]] = neighbours
    trial: Network = field(default_factory=LiveNetwork)
    cmdline: Path = Path("/proc/cmdline")
    hooks: Path = HOOKS
    door: Callable[[RootLogin, Callable[[str], None]], None] = open_door
    person: Person | None = None
    redact: Redactor = field(default_factory=Redactor)
    _hooks: HookRunner | None = None
    _host_keys: tuple[HostKey, ...] = ()
    _reporter: Reporter = field(default_factory=Reporter)
    _spec: HostSpec | None = None
    _applied: Application | None = None
    _facts: Facts = field(default_factory=Facts)

    def run(self) -> Report:
        """Install. Whatever goes wrong is told and reported, never raised."""
        with log_file(self.log) as log:
            sinks = [log, *(PlainSink(output) for output in self.outputs)]
            stream = Stream(RedactedSink(sink, self.redact) for sink in sinks)
            try:
                report = self._guarded(stream)
            except BaseException:
                # Interrupted: said, but not waited for.
                self._tell_failure("it was interrupted", "")
                self._reporter.close(_HURRY)
                raise
        report = replace(report, reason=self.redact(report.reason))
        if not self._reporter.idle:
            self._say(f"Waiting up to {_REPORTS:g} s for the last reports to be delivered.")
        undelivered = self._reporter.close(_REPORTS)
        report = replace(report, reservations=(*report.reservations, *undelivered))
        for reservation in report.reservations:
            self._say(f"Note: {reservation}")
        self._keep_log()
        self._say(report.line)
        return report

    def _guarded(self, stream: Stream) -> Report:
        hint = ""
        try:
            with stream.step("Install zeroth") as step:
                report = self._install(step, stream)
        except UserError as error:
            hint = error.hint
            self._say(f"error: {error}" + (f"\nhint:  {error.hint}" if error.hint else ""))
            report = Report(Ended.FAILED, _one_line(error.message), hint=error.hint, failure=error.code)
        except Exception as error:  # noqa: BLE001 - a defect of ours must not leave a dead screen
            if reason := _failing_device(error):
                hint = _FAILING_DEVICE
                self._say(f"error: {reason}\nhint:  {hint}")
                report = Report(Ended.FAILED, reason, hint=hint)
            else:
                self._say(traceback.format_exc())
                reason = f"a defect of the installer: {_one_line(str(error) or type(error).__name__)}"
                report = Report(Ended.FAILED, reason, failure=ExitCode.BUG)
        match report.ended:
            case Ended.FINISHED:
                # Minutes have passed since the machine was looked at: by now every switch has said who it is.
                self._reporter.learn(self._facts.hearing(self.heard()))
                self._reporter.succeeded(self._host_keys, report.reservations)
            case Ended.NOTHING_TO_DO:
                self._reporter.nothing_to_do(report.reason, report.reservations)
            case Ended.FAILED:
                self._tell_failure(report.reason, hint)
                self._on_error(report, stream)
        if self._spec is None:
            return report
        return replace(report, end_action=self._spec.end_action, on_failure=self._spec.on_failure)

    def _install(self, step: Step, stream: Stream) -> Report:
        with step.step("Find the answer") as finding:
            embedded = embedded_in(self.medium)
            found = self._find_answer(embedded, finding)
        answer = self._asked(found, embedded, stream)
        with step.step("Read the answer"):
            self._spec = spec = embedded.with_keys(load_answer(answer))
            self.redact.learn({*secret_values(spec), embedded.token})
        plan_only, addresses = plan_wanted(self._command_line())
        self._begin_reports(told_plan(spec, addresses), embedded.authorities, stream)
        hooks = self._hooks = HookRunner(
            spec, embedded.authorities, self._online, folder=self.hooks, redact=self.redact
        )
        hooks.environment["ZEROTH_LOG"] = str(self.log)
        told = [] if plan_only else [*hooks.fetch_all(step), *hooks.run_stage(Stage.PRE, step)]
        with step.step("Look at the machine"):
            self.links()
            image = self.image()
            if spec.mode is RunMode.UPGRADE:
                upgrade = find_upgrade(self.machine.facts(), spec, image, self.places)
        if spec.mode is RunMode.UPGRADE:
            return replace(self._upgrade(upgrade, step, plan_only=plan_only), reservations=tuple(told))
        with step.step("Plan"):
            request = PlanRequest(spec, answer.digest(*embedded.ssh_keys), image, InstallId(uuid4()))
            outcome = self._plan(request)
        self._show(outcome)
        self._reporter.planned(outcome.as_json())
        if isinstance(outcome, AlreadyApplied):
            when = outcome.time[:10]
            reason = f"this answer was applied to this machine on {when} ({outcome.disk.path})"
            return Report(Ended.NOTHING_TO_DO, reason, reservations=tuple(told))
        if isinstance(outcome, Refused):
            # Each was shown with its hint.
            reason = "; ".join(_one_line(problem.message) for problem in outcome.problems)
            return Report(Ended.FAILED, reason, failure=ExitCode.INPUT)
        if plan_only:
            return _PLANNED
        told += self._try_network(outcome, spec, step)
        with step.step("Check the image"):
            verify_image(image)
            check_before(self.places)
        self._join_paths(outcome, step)
        hooks.environment["ZEROTH_DISK"] = outcome.disk.path
        told += hooks.run_stage(Stage.PRE_INSTALL, step)
        check_again(outcome, self.machine, step)
        if self.person:
            self.person.writing(outcome)
        self._applied = application = Application(outcome, spec, self.places, hooks)
        with step.step("Write to the disk", total=len(outcome.actions)) as writing:
            reservations = application.run(writing)
        reservations = (*outcome.reservations, *told, *reservations)
        self._host_keys = application.host_keys
        return Report(Ended.FINISHED, reservations=reservations)

    def _join_paths(self, plan: InstallPlan, step: Step) -> None:
        """A disk over several paths is used through its map from here on."""
        for disk in plan.disks:
            if disk.paths:
                with step.step(f"Join {' and '.join(disk.paths)} to {disk.path}"):
                    open_map(disk, [part.number for part in disk.partitions])

    def _try_network(self, plan: InstallPlan, spec: HostSpec, step: Step) -> tuple[str, ...]:
        if not plan.try_network:
            return ()
        if not network_try_wanted(self._command_line()):
            return (f"the management network was not tried ({NETWORK_TRY}=no)",)
        with step.step("Try the network") as trying:
            others = [nic for nic in self._facts.nics if nic not in plan.nics]
            checks = try_network(spec.management, plan.nics, others, self.trial, trying.log)
            self._print(lambda console: show_checks(console, checks))
            judge(checks)
        return warnings(checks)

    def _tell_failure(self, reason: str, hint: str) -> None:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL:]
        self._reporter.failed(self.redact(reason), self.redact(hint), lines)

    def _on_error(self, report: Report, stream: Stream) -> None:
        if self._hooks is None or not any(hook.stage is Stage.ONERROR for hook in self._hooks.spec.hooks):
            return
        with stream.step("After the failure") as step:
            self._hooks.on_error(self.redact(report.reason), step)

    def _begin_reports(self, spec: HostSpec, authorities: str, stream: Stream) -> None:
        if spec.notify == NotifySpec():
            return
        try:
            self.network()
        except (UserError, OSError) as error:
            self._say(f"The network cannot be brought up ({_one_line(str(error))}): nobody may be told.")
        self._reporter = Reporter(spec, authorities)
        self._reporter.begin(self.machine.facts())
        stream.add(RedactedSink(self._reporter, self.redact))

    def _online(self) -> None:
        self.network()
        wait_online("a hook")

    def _upgrade(self, upgrade: HostUpgrade, step: Step, *, plan_only: bool) -> Report:
        """The medium's version goes into the other slot of the host on the disk."""
        with step.step("Check the image"):
            verify_image(upgrade.image)
        with upgrade.planned(plan_only=plan_only) as plan:
            if isinstance(plan, str):
                return Report(Ended.NOTHING_TO_DO, plan)
            self._print(lambda console: show_upgrade(console, plan))
            self._reporter.planned(plan.as_json())
            if plan_only:
                return _PLANNED
            with step.step(f"Upgrade to {plan.header.version}") as writing:
                upgrade.apply(plan, writing)
        return Report(Ended.FINISHED)

    def _find_answer(self, embedded: Embedded, step: Step) -> AnswerText | None:
        if self.answer_file is not None:
            return AnswerText.from_file(self.answer_file)
        # Devices that were announced get their names.
        run(["udevadm", "settle", "--timeout=30"], ok=(0, 1))
        answer = find_answer(
            LiveVolumes(),
            fetch=OnlineFetch(embedded, self.machine, step.log),
            medium=self.medium,
            embedded=embedded,
            keys=trusted_keys(),
        )
        if answer is not None:
            step.log(f"{answer.name}: {answer.origin}")
        return answer

    def _command_line(self) -> str:
        return self.cmdline.read_text(encoding="utf-8", errors="replace")

    def _open_door(self, embedded: Embedded, found: AnswerText | None) -> None:
        """Let people log in to the installer, if there is a key or a password for it; failing that is no failure."""
        try:
            login = login_for(
                ssh_wanted(self._command_line()), embedded.ssh_keys, found, asking=self.person is not None
            )
            if login:
                self.door(login, self._say)
        except (UserError, OSError) as error:
            self._say(f"Nobody can log in to the installer: {_one_line(str(error))}")

    def _asked(self, found: AnswerText | None, embedded: Embedded, stream: Stream) -> AnswerText:
        """The answer that was found; or what the person says, who may find it filled in already."""
        asks = self.answer_file is None and asks_at_screen(self._command_line())
        if found is not None and not asks:
            self.person = None
            self._open_door(embedded, found)
            return found
        if self.person is None:
            raise _NO_ANSWER
        self.links()
        self._open_door(embedded, found)
        answer = self.person.ask(found, self.machine.facts(), self.image(), embedded.ssh_keys)
        stream.add(RedactedSink(self.person, self.redact))
        return answer

    def _plan(self, request: PlanRequest) -> Outcome:
        """Plan; when the disk is not there yet, give slow controllers and USB bridges some time."""
        end = time.monotonic() + _PATIENCE
        while True:
            self._facts = self.machine.facts()
            outcome = plan_installation(self._facts, request)
            waiting = isinstance(outcome, Refused) and not any(verdict.taken for verdict in outcome.verdicts)
            if not waiting or time.monotonic() > end:
                return outcome
            time.sleep(2)

    def _show(self, outcome: Outcome) -> None:
        self._print(lambda console: show_outcome(console, outcome))

    def _print(self, show: Callable[[Console], None]) -> None:
        with self.log.open("a", encoding="utf-8") as log:
            for output in (*self.outputs, log):
                show(Console(file=output, width=WIDTH, color_system=None, force_terminal=False))

    def _say(self, text: str) -> None:
        text = self.redact(text)
        with self.log.open("a", encoding="utf-8") as log:
            for output in (*self.outputs, log):
                output.write(text + "\n")
                output.flush()
        if self.person:
            self.person.say(text)

    def _keep_log(self) -> None:
        """Copy the log onto the target's log partition, if this run got as far as to make one."""
        if self._applied is None or not self._applied.log_made:
            return
        plan = self._applied.plan
        try:
            keep_log(self.log, plan, self.places)
        except (UserError, OSError) as error:
            where = plan.disk.path
            self._say(f"The log could not be kept on {where}: {_one_line(str(error))}. It is in {self.log}.")


def _failing_device(error: Exception) -> str:
    """What a device refused; empty when the error is another, and so ours."""
    if not isinstance(error, OSError) or error.errno is None:
        return ""
    name = str(error.filename or "")
    gone = error.errno == errno.ENOENT and name.startswith("/dev/")
    return f"{name or 'a device'}: {os.strerror(error.errno)}" if gone or error.errno in _REFUSALS else ""


def _one_line(text: str) -> str:
    return " ".join(text.split("\n", 1)[0].split())

"""Telling others how the installation goes: STARTED, PLANNED, each step, and how it ended.

Nothing here waits or fails: each place that is told has a courier of its own (:mod:`zeroth.notify.courier`), and what
could not be delivered is a reservation at the end.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from uuid import uuid4

from pydantic import ValidationError

from installer.hostkeys import HostKey
from zeroth import __version__
from zeroth.errors import UserError
from zeroth.notify.courier import Courier, Message
from zeroth.notify.syslog import SyslogSender, syslog_body
from zeroth.notify.webhook import webhook_sender
from zeroth.progress import Event, EventKind
from zeroth.spec.arguments import PLAN
from zeroth.spec.fetch.found import without_password
from zeroth.spec.model import HostSpec, Webhook
from zeroth.system.facts import Facts

__all__ = ["SCHEMA", "Reporter", "told_plan"]

SCHEMA = 1
"""Version of the messages' form; a field may be added without a new one."""
_STATES = {
    EventKind.START: "started", EventKind.PROGRESS: "running", EventKind.DONE: "done", EventKind.FAIL: "failed",
    EventKind.SKIP: "skipped",
}  # fmt: skip
_PAUSE = 1.0


class Reporter:
    """A sink of events that tells them to the webhooks and syslog servers of an answer; without one, to nobody.

    :param authorities: certificates in PEM that servers may be known by, besides the usual ones.
    :param pause: seconds before a delivery that failed is tried again; more before each further try.
    """

    def __init__(self, spec: HostSpec | None = None, authorities: str = "", *, pause: float = _PAUSE) -> None:
        self.run = str(uuid4())
        self._hostname = spec.hostname if spec else ""
        self._machine: dict[str, object] = {}
        self._facts: Facts | None = None
        self._numbers = count(1)
        self._tenths: dict[tuple[str, ...], int] = {}
        self._ended = False
        self._all: list[Courier] = []
        self._steps: list[Courier] = []
        self._syslog: list[Courier] = []
        for webhook in spec.notify.webhooks if spec else ():
            send = webhook_sender(webhook, self.run, authorities)
            courier = Courier(without_password(webhook.url), send, pause=pause)
            self._all.append(courier)
            if webhook.progress:
                self._steps.append(courier)
        for target in spec.notify.syslog if spec else ():
            sender = SyslogSender(target, authorities)
            self._syslog.append(Courier(sender.name, sender, pause=pause))

    @property
    def idle(self) -> bool:
        """Whether everything was delivered."""
        return all(courier.idle for courier in (*self._all, *self._syslog))

    def begin(self, facts: Facts) -> None:
        """Say that the installation has begun, and on which machine."""
        self._facts = facts
        self._machine = {
            "uuid": facts.dmi.identity, "serial": facts.dmi.serial,
            "product": f"{facts.dmi.vendor} {facts.dmi.product}".strip(), "macs": [nic.mac for nic in facts.nics],
        }  # fmt: skip
        self._post(self._all, "STARTED", {})

    def planned(self, plan: Mapping[str, object]) -> None:
        """Say what will be done, or why it is refused, before anything is written.

        :param plan: as ``zeroth plan --json`` prints it.
        """
        self._post(self._all, "PLANNED", {"plan": plan})

    def learn(self, facts: Facts) -> None:
        """Take newer facts, for the end."""
        self._facts = facts

    def handle(self, event: Event) -> None:
        """Tell of a step: of its progress, each tenth."""
        if event.kind is EventKind.PROGRESS:
            tenth = int((event.fraction or 0) * 10)
            if tenth <= self._tenths.get(event.path, 0):
                return
            self._tenths[event.path] = tenth
        droppable = event.kind in (EventKind.PROGRESS, EventKind.LOG)
        for courier in self._syslog:
            body = syslog_body(event, self._hostname)
            courier.put(Message(0, event.kind.upper(), body, droppable))
        if event.kind in _STATES:
            self._post(self._steps, "STEP", {"step": _step(event)}, droppable=droppable)

    def succeeded(self, keys: Sequence[HostKey], reservations: Sequence[str]) -> None:
        """Say that the host is installed: what it is made of, and by what keys it will be known."""
        facts = self._facts.model_dump(mode="json") if self._facts else None
        known = [key.as_json() for key in keys]
        self._end("SUCCEEDED", {"ssh_host_keys": known, "reservations": list(reservations), "facts": facts})

    def nothing_to_do(self, reason: str, reservations: Sequence[str] = ()) -> None:
        """Say that the machine has this installation already; or that the plan was all that was asked for."""
        self._end("NOTHING_TO_DO", {"reason": reason, "reservations": list(reservations)})

    def failed(self, cause: str, hint: str, log: Sequence[str]) -> None:
        """Say that it failed.

        :param log: the last lines of the log.
        """
        self._end("FAILED", {"cause": cause, "hint": hint, "log": list(log)})

    def close(self, patience: float) -> tuple[str, ...]:
        """Deliver what waits, for at most so many seconds in all.

        :returns: who was not told everything, and why.
        """
        end = time.monotonic() + patience
        couriers = (*self._all, *self._syslog)
        # All hurry at once, then each is waited for.
        for courier in couriers:
            courier.hurry(patience)
        found = [courier.close(max(0.0, end - time.monotonic())) for courier in couriers]
        return tuple(reason for reason in found if reason)

    def _end(self, kind: str, details: Mapping[str, object]) -> None:
        if not self._ended:
            self._ended = True
            self._post(self._all, kind, details)

    def _post(
        self, couriers: Sequence[Courier], kind: str, details: Mapping[str, object], *, droppable: bool = False
    ) -> None:
        if not couriers:
            return
        number = next(self._numbers)
        whole = {
            "schema": SCHEMA,
            "event": kind,
            "run": self.run,
            "number": number,
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "version": __version__,
            "hostname": self._hostname,
            "machine": self._machine,
            **details,
        }
        body = json.dumps(whole, ensure_ascii=False).encode(errors="replace")
        for courier in couriers:
            courier.put(Message(number, kind, body, droppable))


def told_plan(spec: HostSpec, addresses: Sequence[str]) -> HostSpec:
    """The answer, with more addresses that are told how it goes, but not of each step.

    :raises UserError: one is no address.
    """
    if not addresses:
        return spec
    try:
        more = [Webhook(url=address, progress=False) for address in addresses]
    except ValidationError as error:
        raise UserError(
            f"{PLAN}= names no address that a plan could be sent to: {error.errors()[0]['msg']}",
            f"Write {PLAN}=https://SERVER/PATH on the kernel command line, or {PLAN} alone.",
        ) from None
    notify = spec.notify.model_copy(update={"webhooks": (*spec.notify.webhooks, *more)})
    return spec.model_copy(update={"notify": notify})


def _step(event: Event) -> dict[str, object]:
    percent = None if event.fraction is None else round(event.fraction * 100)
    found = {
        "path": list(event.path), "state": _STATES[event.kind], "percent": percent, "seconds": event.seconds,
        "eta": event.eta, "message": event.message,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value not in (None, "")}

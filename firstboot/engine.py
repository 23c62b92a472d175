"""The transaction: all steps in order, each journaled, from wherever the last try ended; and what later boots do."""

from __future__ import annotations

import time
from contextlib import suppress
from ipaddress import IPv4Address

from firstboot.console import Consoles, failed_banner, ready_banner, ready_line, show_banner
from firstboot.context import Context, Step
from firstboot.journal import Journal, StepState, digest, now
from firstboot.steps import STEPS
from firstboot.steps.certificate import ensure_certificate
from firstboot.steps.storage import STORAGE, storage_missing
from firstboot.steps.time import hand_over_time_servers
from zeroth.drivers.network.guard import address6_of, wait_for_address
from zeroth.drivers.network.model import Link
from zeroth.drivers.network.planner import management_link
from zeroth.errors import ExitCode, UserError
from zeroth.progress import Stream
from zeroth.spec.model import StaticAddress
from zeroth.system.certificate import Names
from zeroth.system.run import CommandFailed

__all__ = ["first_boot", "names", "refresh", "start"]


def names(steps: tuple[Step, ...] = STEPS) -> tuple[str, ...]:
    """The steps' names, in order."""
    return tuple(step.name for step in steps)


def start(context: Context, stream: Stream, consoles: Consoles, steps: tuple[Step, ...] = STEPS) -> None:
    """What the unit does at each boot: the first boot, until it is finished; afterwards :func:`refresh`.

    :raises UserError: when a step failed; it is journaled, and on the consoles.
    """
    journal = Journal(context.paths.journal, names(steps))
    if journal.record.finished:
        refresh(context, journal, consoles, booting=True)
    else:
        first_boot(context, journal, stream, consoles, steps)


def first_boot(
    context: Context, journal: Journal, stream: Stream, consoles: Consoles, steps: tuple[Step, ...] = STEPS
) -> None:
    """Do what is not done yet.

    :raises UserError: when a step failed. What was done stays done; the next try goes on there.
    """
    journal.begin()
    with stream.step("First boot", total=len(steps)) as whole:
        for step in steps:
            entry, wanted = journal.entry(step.name), _input(context, step)
            if entry.state is StepState.DONE and not step.every_try and entry.digest == wanted:
                whole.skip(step.title, "done before")
                continue
            # Minutes may pass until there is a login prompt: whoever stands before the machine sees what it does.
            consoles(f"zeroth: first boot: {step.title}\n")
            with whole.step(step.title) as progress:
                context.say = progress.log
                try:
                    _do(context, journal, step, wanted)
                except Exception as error:
                    consoles(f"zeroth: first boot failed: {step.name}: {_one_line(error)}\n")
                    _show_failure(context, step, error)
                    raise
    address = context.address
    show_banner(context.paths, context.system, _ready(context, address))
    # The lines come before the mark: who waits for them must not wait for ever when the power fails in between.
    consoles(
        f"{ready_line(context.spec.hostname, address)}\nzeroth: first boot finished: https://{address}/\n",
    )
    journal.finish(address)


def refresh(context: Context, journal: Journal, consoles: Consoles, *, booting: bool) -> None:
    """Follow a change of the management address: certificate, time servers, what the consoles say.

    Cheap when nothing changed: it reads, and writes nothing.

    :param booting: wait for DHCP, and say on the consoles that the host is there.
    :raises UserError: when the certificate cannot be renewed.
    """
    hostname = _hostname(context)
    if booting and storage_missing(context):
        journal.set(STORAGE.name, note=STORAGE.apply(context))
    found = _address_now(context, booting=booting)
    if found is None:
        text = f"zeroth host {hostname} has no management address: {_why(context)}\n"
        show_banner(context.paths, context.system, f"\n  {text}\n")
        if booting:
            consoles(text)
        return
    link, address = found
    address6 = address6_of(link, context.spec.management)
    names = Names(hostname, (address, *([address6.ip] if address6 else [])))
    if ensure_certificate(context.paths, context.system, names, context.clock()):
        try:
            context.system.run(["systemctl", "try-reload-or-restart", "--no-block", "zeroth-agent.service"])
        except CommandFailed as error:
            context.say(error.message)
    hand_over_time_servers(context, link)
    changed = show_banner(context.paths, context.system, _ready(context, str(address), hostname))
    journal.set_address(str(address))
    if booting or changed:
        consoles(ready_line(hostname, str(address)) + "\n")


def _show_failure(context: Context, step: Step, error: Exception) -> None:
    # What went wrong may be that nothing can be written: the first error is the one to tell.
    with suppress(OSError, UserError):
        show_banner(context.paths, context.system, failed_banner(context.spec.hostname, step.name, error))


def _do(context: Context, journal: Journal, step: Step, wanted: str) -> None:
    tries = journal.entry(step.name).tries + 1
    begun = time.monotonic()
    try:
        clean: dict[str, object] = dict.fromkeys(("ended", "error", "hint", "note"), "")
        journal.set(step.name, state=StepState.RUNNING, started=now(), tries=tries, **clean)
        note = step.apply(context)
    except Exception as error:
        shown = _from_os(error) if isinstance(error, OSError) else error
        with suppress(OSError):  # the disk may be full
            journal.set(
                step.name,
                state=StepState.FAILED,
                ended=now(),
                seconds=round(time.monotonic() - begun, 1),
                error=str(shown),
                hint=shown.hint if isinstance(shown, UserError) else "This is a bug: journalctl -u zeroth-firstboot",
            )
        if shown is error:
            raise
        raise shown from error
    if note:
        context.say(note)
    seconds = round(time.monotonic() - begun, 1)
    journal.set(step.name, state=StepState.DONE, digest=wanted, ended=now(), seconds=seconds, note=note)


def _from_os(error: OSError) -> UserError:
    """The machine refused a file operation: a full or read-only disk, mostly."""
    return UserError(
        f"{error.strerror or error}", "Is the disk full, or damaged (df -h, dmesg)?", where=error.filename or "",
        code=ExitCode.MACHINE,
    )  # fmt: skip


def _ready(context: Context, address: str, hostname: str = "") -> str:
    certificate = context.paths.certificate.read_bytes() if context.paths.certificate.exists() else b""
    return ready_banner(hostname or context.spec.hostname, address, certificate)


def _hostname(context: Context) -> str:
    """The name as it is now: the API may have changed it since the answer was applied."""
    path = context.paths.of("etc/hostname")
    return (path.read_text().strip() if path.exists() else "") or context.spec.hostname


def _address_now(context: Context, *, booting: bool) -> tuple[Link, IPv4Address] | None:
    management = context.spec.management
    link = _link_now(context)
    if link is not None and link.setup == "configured" and link.addresses:
        dhcp = not isinstance(management.address, StaticAddress)
        addresses = [entry for entry in link.addresses if entry.dynamic or not dhcp] or list(link.addresses)
        return link, IPv4Address(addresses[0].address.partition("/")[0])
    if not booting:
        return None
    try:
        link, address = wait_for_address(context.network, management, context.wait)
    except UserError:
        return None
    return link, address.ip


def _link_now(context: Context) -> Link | None:
    name = management_link(context.spec.management)
    return next((link for link in context.network.links() if link.name == name), None)


def _why(context: Context) -> str:
    link = _link_now(context)
    if link is None:
        return f"there is no {management_link(context.spec.management)} (systemctl status openvswitch-switch)"
    return f"networkd calls {link.name} {link.setup or 'not managed'} (networkctl status {link.name})"


def _input(context: Context, step: Step) -> str:
    try:
        return digest(step.inputs(context))
    except UserError:
        # What the step works from is damaged or not there: let the step say so.
        return ""


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())

"""The transaction: all steps in order, each journaled, from wherever the last try ended; and what later boots do."""

from __future__ import annotations

import time
from contextlib import suppress
from ipaddress import IPv4Interface, IPv6Interface

from firstboot.console import Consoles, failed_banner, ready_banner, ready_line, show_banner
from firstboot.context import Context, Step
from firstboot.journal import Journal, StepState, digest, now
from firstboot.steps import STEPS
from firstboot.steps.certificate import ensure_certificate
from firstboot.steps.storage import STORAGE, storage_missing
from firstboot.steps.time import hand_over_time_servers
from zeroth.drivers.network.guard import Addresses, reached_by, wait_for_addresses
from zeroth.drivers.network.model import Link
from zeroth.drivers.network.planner import management_link
from zeroth.errors import ExitCode, UserError
from zeroth.progress import Stream
from zeroth.spec.model import ManagementNetwork, NoAddress
from zeroth.system.address import url_host
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
    addresses = context.management.addresses
    show_banner(context.paths, context.system, _ready(context, addresses))
    # The lines come before the mark: who waits for them must not wait for ever when the power fails in between.
    consoles(
        f"{ready_line(context.spec.hostname, context.addresses[0])}\n"
        + "".join(f"zeroth: first boot finished: https://{url_host(it)}/\n" for it in context.addresses),
    )
    journal.finish(*_texts(addresses))


def refresh(context: Context, journal: Journal, consoles: Consoles, *, booting: bool) -> None:
    """Follow a change of the management address: certificate, time servers, what the consoles say.

    Cheap when nothing changed: it reads, and writes nothing.

    :param booting: wait for DHCP, and say on the consoles that the host is there.
    :raises UserError: when the certificate cannot be renewed.
    """
    hostname = _hostname(context)
    if booting and storage_missing(context):
        journal.set(STORAGE.name, note=STORAGE.apply(context))
    found = _addresses_now(context, booting=booting)
    if found is None:
        text = f"zeroth host {hostname} has no management address: {_why(context)}\n"
        show_banner(context.paths, context.system, f"\n  {text}\n")
        if booting:
            consoles(text)
        return
    link, addresses = found
    if ensure_certificate(context.paths, context.system, Names(hostname, addresses.ips), context.clock()):
        try:
            context.system.run(["systemctl", "try-reload-or-restart", "--no-block", "zeroth-agent.service"])
        except CommandFailed as error:
            context.say(error.message)
    hand_over_time_servers(context, link)
    changed = show_banner(context.paths, context.system, _ready(context, addresses, hostname))
    journal.set_addresses(*_texts(addresses))
    if booting or changed:
        consoles(ready_line(hostname, str(addresses.ips[0])) + "\n")


def _texts(addresses: Addresses) -> tuple[str, str]:
    """For the journal: of IPv4 and of IPv6."""
    four, six = (str(it.ip) if it else "" for it in (addresses.four, addresses.six))
    return four, six


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


def _ready(context: Context, addresses: Addresses, hostname: str = "") -> str:
    certificate = context.paths.certificate.read_bytes() if context.paths.certificate.exists() else b""
    return ready_banner(hostname or context.spec.hostname, tuple(map(str, addresses.ips)), certificate)


def _hostname(context: Context) -> str:
    """The name as it is now: the API may have changed it since the answer was applied."""
    path = context.paths.of("etc/hostname")
    return (path.read_text().strip() if path.exists() else "") or context.spec.hostname


def _addresses_now(context: Context, *, booting: bool) -> tuple[Link, Addresses] | None:
    management = context.spec.management
    found = _found(_link_now(context), management)
    asked = [it for it in (management.address, management.address6) if not isinstance(it, NoAddress)]
    # At boot the one family may take longer than the other.
    if not booting or (found and len(found[1].ips) >= len(asked)):
        return found
    try:
        return wait_for_addresses(context.network, management, context.wait, again=True)
    except UserError:
        return _found(_link_now(context), management)


def _found(link: Link | None, management: ManagementNetwork) -> tuple[Link, Addresses] | None:
    if link is None:
        return None
    addresses = reached_by(link, management) or (_others(link) if link.setup == "configured" else None)
    return (link, addresses) if addresses else None


def _others(link: Link) -> Addresses | None:
    """What the link has besides, when it is not what the answer asks for: somebody changed it since."""
    four = next((IPv4Interface(entry.address) for entry in link.addresses), None)
    usable = (entry for entry in link.addresses6 if not (entry.tentative or entry.duplicate))
    six = next((IPv6Interface(entry.address) for entry in usable), None)
    return Addresses(four, six) if four or six else None


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

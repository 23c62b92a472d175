"""Change the management network, and take the change back when it cuts the host off.

What was there is saved on disk before the first change, so that the undo survives a power cut in the middle: the next
try starts from the same saved state and not from something half made.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from zeroth.drivers.network.links import raise_links
from zeroth.drivers.network.model import (
    Action,
    ChangeSwitch,
    Link,
    Observed,
    ReloadNetworkd,
    State,
    WriteFile,
    state_from_json,
    to_json,
)
from zeroth.drivers.network.planner import desired_state, management_link, plan
from zeroth.drivers.network.select import choose_nics
from zeroth.errors import ExitCode, UserError
from zeroth.spec.model import ManagementNetwork, NoAddress, Static6Address, StaticAddress
from zeroth.system.files import atomic_write

__all__ = [
    "NetworkDoor", "Outcome", "Wait", "address6_of", "describe", "reconcile", "wait_for_address", "wait_for_address6",
]  # fmt: skip


class NetworkDoor(Protocol):
    """What :class:`~.machine.Machine` does; tests hand in a model of one."""

    def observe(self) -> Observed:
        """Read everything."""

    def links(self) -> tuple[Link, ...]:
        """Read the links only: cheap enough to do again and again."""

    def apply(self, action: Action) -> None:
        """Do one action."""


@dataclass(frozen=True)
class Wait:
    """How long to wait for the address, in seconds, and the clock to wait by."""

    dhcp: float = 60.0
    static: float = 20.0
    interval: float = 0.25
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    raise_links: Callable[[list[str]], None] = raise_links


@dataclass(frozen=True)
class Outcome:
    """The management network as it is now.

    :ivar nics: the card that carries it, or those of its bond, in the answer's order.
    :ivar link: the link that has the address, and that address.
    :ivar address6: its IPv6 address, where one is wanted and came in time.
    :ivar actions: what was done; empty when nothing had to be.
    """

    nics: tuple[Link, ...]
    link: Link
    address: IPv4Interface
    actions: tuple[Action, ...] = ()
    address6: IPv6Interface | None = None


def reconcile(
    machine: NetworkDoor,
    management: ManagementNetwork,
    undo_file: Path,
    *,
    wait: Wait = Wait(),  # noqa: B008 - a frozen value
    say: Callable[[str], None] = lambda text: None,
) -> Outcome:
    """Make the management network so, wait for its address, and go back to what was when none comes.

    :param undo_file: where the state to go back to is kept while the change is on trial.
    :param say: is told what is done, for people.
    :raises UserError: the machine has no fitting NIC, refused the change, or got no address (and was set back).
    """
    observed = machine.observe()
    observed = _with_carriers(machine, observed, management, wait)
    nics = choose_nics(observed, management)
    wanted = desired_state(management, nics)
    saved = _saved(undo_file) or observed.ours()
    actions = plan(observed, wanted)
    if not actions and not undo_file.exists():
        link, address = wait_for_address(machine, management, wait)
        return Outcome(nics, link, address, address6=wait_for_address6(machine, management, wait))
    atomic_write(undo_file, to_json(saved), mode=0o600)
    try:
        for action in actions:
            say(describe(action))
            machine.apply(action)
        link, address = wait_for_address(machine, management, wait)
    except BaseException as error:
        if isinstance(error, Exception):
            _go_back(machine, saved, undo_file, error, say)
        # Stopped from outside (killed, power cut): the saved state stays, and the next try goes on from here.
        raise
    undo_file.unlink()
    return Outcome(nics, link, address, actions, wait_for_address6(machine, management, wait))


def describe(action: Action) -> str:
    """One line for people."""
    match action:
        case WriteFile():
            return f"write {action.name}"
        case ChangeSwitch():
            return "change the switch: " + ", ".join(
                f"{change.do} {change.bridge}{_port_name(change)}" for change in action.changes
            )
        case ReloadNetworkd():
            return "let systemd-networkd apply it" + (f" to {', '.join(action.links)}" if action.links else "")
        case _:
            return f"remove {action.name}"


def _port_name(change: object) -> str:
    port = getattr(change, "port", "")
    name = port if isinstance(port, str) else port.name
    return f"/{name}" if name else ""


def _with_carriers(machine: NetworkDoor, observed: Observed, management: ManagementNetwork, wait: Wait) -> Observed:
    """When the link decides which NIC is meant, all cards must be up to tell whether they have one."""
    down = [link.name for link in observed.links if link.physical and not link.carrier]
    if management.nic is not None or management.bond is not None or not down:
        return observed
    try:
        choose_nics(observed, management)
    except UserError:
        pass
    else:
        if len([link for link in observed.links if link.physical]) == 1 or observed.bridge(management.bridge):
            return observed
    wait.raise_links(down)
    return machine.observe()


def _saved(undo_file: Path) -> State | None:
    # The folder is shared with the agent, which must not be able to tell root what to go back to.
    try:
        descriptor = os.open(undo_file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor) as file:
        if os.fstat(descriptor).st_uid != os.geteuid():
            return None
        try:
            return state_from_json(file.read())
        except (ValidationError, UnicodeDecodeError):
            return None


def wait_for_address(machine: NetworkDoor, management: ManagementNetwork, wait: Wait) -> tuple[Link, IPv4Interface]:
    """Wait until the management link has its address; returns both.

    :raises UserError: when it has none in time; the message says what was seen.
    """
    static = management.address if isinstance(management.address, StaticAddress) else None
    seconds = wait.static if static else wait.dhcp
    until = wait.clock() + seconds
    name = management_link(management)
    while True:
        link = next((link for link in machine.links() if link.name == name), None)
        address = _address_of(link, static)
        if link is not None and address is not None:
            return link, address
        if wait.clock() >= until:
            raise _no_address(machine.observe(), management, seconds)
        wait.sleep(wait.interval)


def wait_for_address6(machine: NetworkDoor, management: ManagementNetwork, wait: Wait) -> IPv6Interface | None:
    """Wait for the IPv6 address of the management link, where one is wanted; None when none came in time.

    It does not decide whether a change is taken back: the host is reached by IPv4 meanwhile, and a router may come
    later.
    """
    if isinstance(management.address6, NoAddress):
        return None
    name, until = management_link(management), wait.clock() + wait.dhcp
    while True:
        link = next((link for link in machine.links() if link.name == name), None)
        address = address6_of(link, management) if link else None
        if address is not None or wait.clock() >= until:
            return address
        wait.sleep(wait.interval)


def address6_of(link: Link, management: ManagementNetwork) -> IPv6Interface | None:
    """The IPv6 address by which the host is reached, of those that the link has; None when it has not got it yet."""
    addresses = [(IPv6Interface(entry.address), entry.dynamic) for entry in link.addresses6]
    match management.address6:
        case NoAddress():
            return None
        case Static6Address(address=wanted):
            return next((address for address, _ in addresses if address.ip == wanted.ip), None)
        case _:
            return next((address for address, dynamic in addresses if dynamic), None)


def _address_of(link: Link | None, static: StaticAddress | None) -> IPv4Interface | None:
    # "configured" is networkd's word for: addresses and routes of the file are in the kernel.
    if link is None or link.setup != "configured":
        return None
    addresses = [(IPv4Interface(entry.address), entry.dynamic) for entry in link.addresses]
    if static:
        return static.address if static.address in [address for address, _ in addresses] else None
    return next((address for address, dynamic in addresses if dynamic), None)


def _no_address(observed: Observed, management: ManagementNetwork, seconds: float) -> UserError:
    name = management_link(management)
    link = observed.link(name)
    bridge = observed.bridge(management.bridge)
    seen = []
    for port in bridge.ports if bridge else ():
        if port.error:
            seen.append(f"the switch says of {port.name}: {port.error}")
        cards = () if port.error else tuple(filter(None, map(observed.link, port.interfaces)))
        seen += [
            f"{nic.name} ({nic.mac}) has {'a link' if nic.carrier else 'NO link: check the cable'}"
            for nic in cards
            if nic.physical
        ]
        if port.bond and port.bond.lacp:
            seen.append(f"{port.name} speaks LACP with the switch: ovs-appctl lacp/show {port.name}")
    if link is None:
        seen.append(f"{name} does not exist")
    else:
        seen.append(f"systemd-networkd calls {name} {link.setup or 'not managed'}")
        if not isinstance(management.address, StaticAddress):
            seen.append("no DHCP server answered")
    tag = f", VLAN {management.vlan}" if management.vlan else ""
    return UserError(
        f"no management address on {name}{tag} after {seconds:g} s: {'; '.join(seen)}",
        "Check the cable, the switch port's VLAN and the DHCP server, or give a fixed address; "
        f"details: networkctl status {name}",
        code=ExitCode.MACHINE,
    )


def _go_back(
    machine: NetworkDoor, saved: State, undo_file: Path, error: Exception, say: Callable[[str], None]
) -> None:
    say("the change is taken back")
    try:
        for action in plan(machine.observe(), saved):
            machine.apply(action)
    except UserError as undo_error:
        # The first error is the one to show; the saved state is kept for the next try.
        error.add_note(f"and it could not be taken back: {undo_error}")
        say(f"it could not be taken back: {undo_error}")
    else:
        undo_file.unlink(missing_ok=True)

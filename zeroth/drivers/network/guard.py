"""Change the management network, and take the change back when it cuts the host off.

What was there is saved on disk before the first change, so that the undo survives a power cut in the middle: the next
try starts from the same saved state and not from something half made.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from zeroth.drivers.network.links import raise_links
from zeroth.drivers.network.model import (
    Action,
    Address,
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
from zeroth.spec.model import DhcpAddress, ManagementNetwork, NoAddress, Static6Address, StaticAddress
from zeroth.system.files import atomic_write

__all__ = [
    "Addresses",
    "NetworkDoor",
    "Outcome",
    "Wait",
    "describe",
    "missing6",
    "reached_by",
    "reconcile",
    "wait_for_addresses",
]


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
    """How long to wait for the address, in seconds, and the clock to wait by.

    :ivar beside: how much longer than IPv4 a host that was reached before waits for IPv6.
    """

    dhcp: float = 60.0
    static: float = 20.0
    beside: float = 10.0
    interval: float = 0.25
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    raise_links: Callable[[list[str]], None] = raise_links


@dataclass(frozen=True)
class Addresses:
    """The management addresses: of one family at least.

    :ivar four: None where the host has no IPv4; ``six`` likewise, be it that none was asked for or that none came.
    """

    four: IPv4Interface | None = None
    six: IPv6Interface | None = None

    @property
    def ips(self) -> tuple[IPv4Address | IPv6Address, ...]:
        """Without their prefix lengths, the one to be told first before the other."""
        return tuple(address.ip for address in (self.four, self.six) if address is not None)

    def __str__(self) -> str:
        return " and ".join(str(address) for address in (self.four, self.six) if address is not None)


@dataclass(frozen=True)
class Outcome:
    """The management network as it is now.

    :ivar nics: the card that carries it, or those of its bond, in the answer's order.
    :ivar link: the link that has the addresses.
    :ivar actions: what was done; empty when nothing had to be.
    """

    nics: tuple[Link, ...]
    link: Link
    addresses: Addresses
    actions: tuple[Action, ...] = ()


def reconcile(
    machine: NetworkDoor,
    management: ManagementNetwork,
    undo_file: Path,
    *,
    wait: Wait = Wait(),  # noqa: B008 - a frozen value
    say: Callable[[str], None] = lambda text: None,
) -> Outcome:
    """Make the management network so, wait for its addresses, and go back to what was when the host has none.

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
        return Outcome(nics, *wait_for_addresses(machine, management, wait))
    atomic_write(undo_file, to_json(saved), mode=0o600)
    try:
        for action in actions:
            say(describe(action))
            machine.apply(action)
        link, addresses = wait_for_addresses(machine, management, wait)
    except BaseException as error:
        if isinstance(error, Exception):
            _go_back(machine, saved, undo_file, error, say)
        # Stopped from outside (killed, power cut): the saved state stays, and the next try goes on from here.
        raise
    undo_file.unlink()
    return Outcome(nics, link, addresses, actions)


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


def wait_for_addresses(
    machine: NetworkDoor, management: ManagementNetwork, wait: Wait, *, again: bool = False
) -> tuple[Link, Addresses]:
    """Wait until the management link has an address of each family that is asked for.

    IPv6 beside IPv4 does not decide whether a change is taken back: the host is reached by IPv4 meanwhile, and a
    router may come later. It is waited for as long, and then done without.

    :param again: the host was reached before, and follows an address that comes later: IPv6 is not waited for long.
    :raises UserError: when it is not :func:`reached_by` any in time; the message says what was seen.
    """
    dynamic = not all(isinstance(it, _FIXED) for it in (management.address, management.address6))
    seconds = wait.dhcp if dynamic else wait.static
    until = wait.clock() + seconds
    name = management_link(management)
    since: float | None = None
    while True:
        link = next((link for link in machine.links() if link.name == name), None)
        addresses = reached_by(link, management) if link else None
        if again and addresses and since is None:
            since = wait.clock()
            until = min(until, since + wait.beside)
        late = wait.clock() >= until
        if link and addresses and (late or addresses.six or isinstance(management.address6, NoAddress)):
            return link, addresses
        if late:
            raise _no_address(machine.observe(), management, seconds)
        wait.sleep(wait.interval)


def reached_by(link: Link, management: ManagementNetwork) -> Addresses | None:
    """What the link has of the addresses that are asked for, when networkd is done with it.

    :returns: None without an IPv4 address where one is asked for, and without an IPv6 one where that alone is.
    """
    four, six = _address_of(link, management), _address6_of(link, management)
    # "configured" is networkd's word for: addresses and routes of the file are in the kernel, but of what comes from
    # the network one address is enough for it. With a fixed address of IPv6 that is a duplicate, or DHCPv6 that
    # nobody answers, it never gets there, whatever IPv4 has.
    lacks_six = four and six is None and not isinstance(management.address6, NoAddress)
    if link.setup != "configured" and not (lacks_six and link.setup == "configuring"):
        return None
    needed = six if isinstance(management.address, NoAddress) else four
    return Addresses(four, six) if needed else None


_FIXED = (NoAddress, StaticAddress, Static6Address)


def _address_of(link: Link, management: ManagementNetwork) -> IPv4Interface | None:
    addresses = [(IPv4Interface(entry.address), entry.dynamic) for entry in link.addresses]
    match management.address:
        case NoAddress():
            return None
        case StaticAddress(address=wanted):
            return wanted if any(address == wanted for address, _ in addresses) else None
        case _:
            return next((address for address, dynamic in addresses if dynamic), None)


def _address6_of(link: Link, management: ManagementNetwork) -> IPv6Interface | None:
    if isinstance(management.address6, NoAddress):
        return None
    usable = [entry for entry in link.addresses6 if not (entry.tentative or entry.duplicate)]
    if isinstance(management.address6, Static6Address):
        wanted = management.address6.address
        return wanted if any(IPv6Interface(entry.address) == wanted for entry in usable) else None
    # A router may give an address for ever, which then looks like a fixed one.
    found = sorted(usable, key=lambda entry: not entry.dynamic)
    return IPv6Interface(found[0].address) if found else None


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
    missing = "management address"
    if link is None:
        seen.append(f"{name} does not exist")
    else:
        seen.append(f"systemd-networkd calls {name} {link.setup or 'not managed'}")
        four = _address_of(link, management) is None and not isinstance(management.address, NoAddress)
        if four and isinstance(management.address, DhcpAddress):
            seen.append("no DHCP server answered")
        if not four and not isinstance(management.address6, NoAddress):
            missing = "management address of IPv6"
        seen += missing6(link, management)
    tag = f", VLAN {management.vlan}" if management.vlan else ""
    return UserError(
        f"no {missing} on {name}{tag} after {seconds:g} s: {'; '.join(seen)}",
        "Check the cable, the switch port's VLAN and who gives addresses there (a DHCP server, a router), or give a "
        f"fixed address; details: networkctl status {name}",
        code=ExitCode.MACHINE,
    )


def missing6(link: Link, management: ManagementNetwork) -> list[str]:
    """Why the link has not the IPv6 address that is asked for; empty when it has."""
    if isinstance(management.address6, NoAddress) or _address6_of(link, management):
        return []
    states = [_state(entry) for entry in link.addresses6]
    known = f" (it has {', '.join(states)})" if states else ""
    match management.address6.method:
        case "slaac":
            why = (
                f"the router {link.gateway6} advertises no prefix" if link.gateway6 else "no router advertised itself"
            )
            return [f"{why}, or none with which an address can be made{known}"]
        case "dhcp":
            return [f"no DHCPv6 server gave an address{known}"]
        case _:
            return [f"the IPv6 address is not in use{known}"]


def _state(address: Address) -> str:
    if address.duplicate:
        return f"{address.address}: a duplicate address, somebody else has it"
    return f"{address.address}{', not yet known to be free' if address.tentative else ''}"


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

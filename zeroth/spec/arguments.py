"""What the kernel command line says about the answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from zeroth.errors import UserError
from zeroth.spec.fetch.found import is_address
from zeroth.spec.fetch.pins import Pin, parse_pins

__all__ = [
    "ANSWER",
    "HINT",
    "NETWORK_TRY",
    "PLAN",
    "Wanted",
    "asks_at_screen",
    "network_try_wanted",
    "plan_wanted",
    "ssh_wanted",
    "wanted_by",
]

ANSWER = "zeroth.answer"
_PIN = "zeroth.answer_pin"
_SIGNED = "zeroth.require_signed"
_NTP = "zeroth.ntp"
NETWORK_TRY = "zeroth.network_try"
PLAN = "zeroth.plan"
_ASK = "zeroth.ask"
_SSH, _SSH_KEY, _SSH_PASSWORD = "zeroth.ssh", "zeroth.ssh_key", "zeroth.ssh_password"
HINT = "Give zeroth.answer=label:NAME/path, =medium:/path, =https://... (or http, tftp, nfs), =dhcp or =dns"
_YES, _NO = ("", "1", "yes", "true", "on"), ("0", "no", "false", "off")


@dataclass(frozen=True)
class Wanted:
    """What is asked for.

    :ivar places: where the answer is; more than one only where all are addresses on the network.
    :ivar pins: keys that its servers may have.
    :ivar signed: only a signed answer is taken.
    :ivar time_servers: asked for the time before a certificate's dates are trusted.
    """

    places: tuple[str, ...] = ()
    pins: tuple[Pin, ...] = ()
    signed: bool = False
    time_servers: tuple[str, ...] = ()


def wanted_by(cmdline: str) -> Wanted:
    """Read a kernel command line; quotes as the kernel knows them.

    :raises UserError: what it says is malformed, or contradicts itself.
    """
    return Wanted(
        _places(_values(cmdline, ANSWER)),
        tuple(pin for value in _values(cmdline, _PIN) for pin in parse_pins(value)),
        _switch(_values(cmdline, _SIGNED)),
        tuple(server for value in _values(cmdline, _NTP) for server in value.split(",") if server),
    )


def network_try_wanted(cmdline: str) -> bool:
    """Whether the management network is tried before the disk is written to: unless the command line says no.

    :raises UserError: it says neither yes nor no.
    """
    values = _values(cmdline, NETWORK_TRY)
    _check_switch(NETWORK_TRY, values, f"Write {NETWORK_TRY}=no, or leave it out.")
    return not any(value.lower() in _NO for value in values)


def plan_wanted(cmdline: str) -> tuple[bool, tuple[str, ...]]:
    """Whether a plan is all that is wanted, and the addresses that get it.

    :raises UserError: it says neither yes nor no, and is no web address.
    """
    values = _values(cmdline, PLAN)
    addresses = tuple(value for value in values if value.startswith(("https://", "http://")))
    switches = [value for value in values if value not in addresses]
    _check_switch(PLAN, switches, f"Write {PLAN} alone, {PLAN}=https://SERVER/PATH to have it sent there, or nothing.")
    return bool(addresses) or any(value.lower() in _YES for value in switches), addresses


def _values(cmdline: str, name: str) -> list[str]:
    # A double quote groups, and stands anywhere in a word.
    words = [word.replace('"', "").partition("=") for word in re.findall(r'(?:[^\s"]|"[^"]*"?)+', cmdline)]
    return list(dict.fromkeys(value for given, _, value in words if given == name))


def asks_at_screen(cmdline: str) -> bool:
    """Whether the person at the machine shall be asked, whatever answer there is.

    :raises UserError: it says neither yes nor no.
    """
    return _switch(_values(cmdline, _ASK), _ASK)


def ssh_wanted(cmdline: str) -> tuple[bool, tuple[str, ...], str | None]:
    """Whether one shall be able to log in to the installer; with which public keys, and the hash of which password.

    :raises UserError: it says neither yes nor no, or gives two passwords.
    """
    keys, hashes = _values(cmdline, _SSH_KEY), _values(cmdline, _SSH_PASSWORD)
    if len(hashes) > 1:
        raise UserError(f"{_SSH_PASSWORD}= is given {len(hashes)} times on the kernel command line", "Give it once.")
    wanted = _switch(_values(cmdline, _SSH), _SSH)
    return wanted or bool(keys or hashes), tuple(keys), hashes[0] if hashes else None


def _places(found: Sequence[str]) -> tuple[str, ...]:
    if "" in found:
        raise UserError(f"{ANSWER}= is empty on the kernel command line", HINT)
    if len(found) > 1 and not all(map(is_address, found)):
        raise UserError(
            f"{ANSWER}= is given {len(found)} times on the kernel command line",
            "Give it once; only addresses on the network (https://...) may be several, which are tried in order.",
        )
    return tuple(found)


def _switch(found: Sequence[str], name: str = _SIGNED) -> bool:
    """Whether it is set. Once set it stays: a word added to the command line does not take it back."""
    _check_switch(name, found, f"Write {name} alone, or leave it out.")
    return any(value.lower() in _YES for value in found)


def _check_switch(name: str, found: Sequence[str], hint: str) -> None:
    for value in found:
        if value.lower() not in (*_YES, *_NO):
            raise UserError(f"{name}={value} is neither yes nor no", hint)

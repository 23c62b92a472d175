"""What the kernel command line says about the answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from zeroth.errors import UserError
from zeroth.spec.fetch.found import is_address
from zeroth.spec.fetch.pins import Pin, parse_pins

__all__ = ["ANSWER", "HINT", "Wanted", "wanted_by"]

ANSWER = "zeroth.answer"
_PIN = "zeroth.answer_pin"
_SIGNED = "zeroth.require_signed"
_NTP = "zeroth.ntp"
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
    # A double quote groups, and stands anywhere in a word.
    words = [word.replace('"', "").partition("=") for word in re.findall(r'(?:[^\s"]|"[^"]*"?)+', cmdline)]

    def values(name: str) -> list[str]:
        return list(dict.fromkeys(value for given, _, value in words if given == name))

    return Wanted(
        _places(values(ANSWER)),
        tuple(pin for value in values(_PIN) for pin in parse_pins(value)),
        _switch(values(_SIGNED)),
        tuple(server for value in values(_NTP) for server in value.split(",") if server),
    )


def _places(found: Sequence[str]) -> tuple[str, ...]:
    if "" in found:
        raise UserError(f"{ANSWER}= is empty on the kernel command line", HINT)
    if len(found) > 1 and not all(map(is_address, found)):
        raise UserError(
            f"{ANSWER}= is given {len(found)} times on the kernel command line",
            "Give it once; only addresses on the network (https://...) may be several, which are tried in order.",
        )
    return tuple(found)


def _switch(found: Sequence[str]) -> bool:
    """Whether it is set. Once set it stays: a word added to the command line does not take it back."""
    for value in found:
        if value.lower() not in (*_YES, *_NO):
            raise UserError(f"{_SIGNED}={value} is neither yes nor no", f"Write {_SIGNED} alone, or leave it out.")
    return any(value.lower() in _YES for value in found)

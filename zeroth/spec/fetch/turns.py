"""Several addresses, tried in turn, and again for a while: networks and servers take their time to come up."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import tenacity

from zeroth.errors import ExitCode, UserError
from zeroth.spec.fetch.found import Found, Unreachable, without_password
from zeroth.spec.fetch.nfs import fetch_nfs
from zeroth.spec.fetch.tftp import fetch_tftp
from zeroth.spec.fetch.web import Trust, fetch_web

__all__ = ["Request", "fetch_first", "fetch_one"]

PATIENCE = 180.0
"""Seconds during which a failure that may go away is tried again."""
_LONGEST_PAUSE = 15.0


@dataclass(frozen=True)
class Request:
    """What is asked for, and how.

    :ivar places: addresses, in the order in which they are tried.
    :ivar headers: sent to web servers.
    :ivar signature: fetch what lies beside the answer as ``.minisig`` too.
    """

    places: Sequence[str]
    trust: Trust = field(default_factory=Trust)
    headers: Mapping[str, str] = field(default_factory=dict)
    signature: bool = False


def fetch_one(place: str, request: Request) -> Found:
    """One try of one address.

    :raises Unreachable: it may succeed later.
    :raises UserError: it will not.
    """
    match urlsplit(place).scheme:
        case "tftp":
            return fetch_tftp(place, signature=request.signature)
        case "nfs":
            return fetch_nfs(place, signature=request.signature)
    return fetch_web(place, request.trust, headers=request.headers, signature=request.signature)


def fetch_first(
    request: Request,
    *,
    patience: float = PATIENCE,
    say: Callable[[str], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
    fetch: Callable[[str, Request], Found] = fetch_one,
) -> Found:
    """The answer of the first address that gives one.

    An address whose failure is final (there is no such file, it has the wrong key) is not tried again; the others are,
    until the patience is at an end.

    :param patience: seconds.
    :param say: told of each failure.
    :raises UserError: there is none; the reason is named for every address.
    """
    left = list(dict.fromkeys(request.places))
    failures: dict[str, UserError] = {}

    def one_round() -> Found:
        for place in list(left):
            try:
                return fetch(place, request)
            except UserError as error:
                failures[place] = error
                if not isinstance(error, Unreachable):
                    left.remove(place)
                say(error.message)
        raise tenacity.TryAgain if left else _none(failures)

    again = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(tenacity.TryAgain),
        wait=tenacity.wait_exponential(multiplier=1, max=_LONGEST_PAUSE),
        stop=tenacity.stop_after_delay(patience),
        sleep=sleep,
    )
    try:
        return again(one_round)
    except tenacity.RetryError:
        raise _none(failures) from None


def _none(failures: Mapping[str, UserError]) -> UserError:
    found = list(failures.values())
    if len(found) == 1:
        return found[0]
    places = ", ".join(map(without_password, failures))
    reasons = "".join(f"\n  {error.message}" for error in found)
    hints = dict.fromkeys(error.hint for error in found if error.hint)
    return UserError(f"none of {places} gave an answer:{reasons}", " ".join(hints), code=ExitCode.MACHINE)

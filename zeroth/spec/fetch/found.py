"""An answer as it was found, before its signature is checked and its text is read; and why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from zeroth.errors import ExitCode, UserError

__all__ = ["NETWORK_SCHEMES", "Found", "Unreachable", "failed", "is_address", "unreachable", "without_password"]

NETWORK_SCHEMES = ("https", "http", "tftp", "nfs")


@dataclass(frozen=True)
class Found:
    """An answer's bytes.

    :ivar name: its file name, whose ending tells the language.
    :ivar origin: where it came from, for people.
    :ivar signature: what lay beside it as ``.minisig``; empty where there is none, or nobody looked.
    """

    data: bytes
    name: str
    origin: str
    signature: str = ""


class Unreachable(UserError):
    """A failure that may go away by itself: the next try may succeed."""


def is_address(place: str) -> bool:
    """Whether a place is one that the network is needed for."""
    return place.partition("://")[0] in NETWORK_SCHEMES and "://" in place


def failed(shown: str, reason: str, hint: str = "", *, verb: str = "fetch") -> UserError:
    """An address that will not give an answer, however often it is tried.

    :param verb: what cannot be done with it.
    """
    return UserError(f"cannot {verb} {shown}: {reason}", hint or _HINT, code=ExitCode.MACHINE)


def unreachable(shown: str, reason: str, hint: str = "", *, verb: str = "fetch") -> Unreachable:
    """An address that gave none this time; ``verb`` as for :func:`failed`."""
    return Unreachable(f"cannot {verb} {shown}: {reason}", hint or _HINT, code=ExitCode.MACHINE)


def without_password(url: str) -> str:
    """An address as it may be shown: without user, password and query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


_HINT = "Check the address, and that this machine's network reaches the server."

"""What the agent and the login helper say to each other.

One request and one reply a connection, on a unix stream socket. A frame is a 4-byte big-endian length and that many
bytes of JSON. Both sides refuse frames above :data:`MAX_FRAME`, so neither can make the other use memory.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = [
    "HEADER",
    "MAX_FRAME",
    "SOCKET",
    "BadFrame",
    "Reply",
    "Request",
    "Verdict",
    "body_length",
]

SOCKET: Final = "/run/zeroth/auth.sock"
MAX_FRAME: Final = 4096
"""Bytes of JSON in a frame; a password of 512 characters fits whatever they are."""
MAX_USER: Final = 256
MAX_PASSWORD: Final = 512
"""PAM_MAX_RESP_SIZE of Linux-PAM: longer answers are cut or refused by PAM itself."""
MAX_ORIGIN: Final = 64
HEADER: Final = struct.Struct(">I")


class BadFrame(ValueError):
    """The other side does not speak this protocol."""


class Verdict(StrEnum):
    """The outcome of one attempt."""

    OK = "ok"
    DENIED = "denied"
    """Unknown user, wrong password, locked account or not an administrator: the caller is not told which."""
    LATER = "later"
    """Too many failures: not even tried."""
    ERROR = "error"
    """PAM itself does not work; the reason is in the helper's journal."""


@dataclass(frozen=True, repr=False)
class Request:
    """One attempt to log in.

    :ivar origin: where it comes from (an address as text), for limits and the journal; may be empty.
    """

    user: str
    password: str
    origin: str = ""

    def __repr__(self) -> str:
        return f"Request({self.user!r}, '***', {self.origin!r})"

    def encode(self) -> bytes:
        """The whole frame. :raises BadFrame: when a field is too long."""
        return _frame({"user": self.user, "password": self.password, "origin": self.origin})

    @classmethod
    def decode(cls, body: bytes) -> Request:
        """Read a frame's body. :raises BadFrame: when it is anything but a well-formed request."""
        data = _parse(body)
        user = _text(data, "user", MAX_USER)
        password = _text(data, "password", MAX_PASSWORD)
        origin = _text(data, "origin", MAX_ORIGIN)
        if not user or not user.isprintable():
            raise BadFrame("the user name is empty or has control characters")
        if "\0" in password or not (origin.isprintable() or not origin):
            raise BadFrame("control characters")
        return cls(user, password, origin)


@dataclass(frozen=True)
class Reply:
    """The helper's answer.

    :ivar retry_after: seconds to wait before the next attempt; only with :attr:`Verdict.LATER`.
    """

    verdict: Verdict
    retry_after: float = 0.0

    def encode(self) -> bytes:
        """The whole frame."""
        return _frame({"verdict": self.verdict.value, "retry_after": self.retry_after})

    @classmethod
    def decode(cls, body: bytes) -> Reply:
        """Read a frame's body. :raises BadFrame: when it is anything but a well-formed reply."""
        data = _parse(body)
        wait = data.get("retry_after", 0.0)
        if isinstance(wait, bool) or not isinstance(wait, int | float):
            raise BadFrame("retry_after is not a number")
        try:
            return cls(Verdict(str(data.get("verdict"))), float(wait))
        except ValueError as error:
            raise BadFrame("unknown verdict") from error


def body_length(header: bytes) -> int:
    """The length of the body that follows a header. :raises BadFrame: when too long or the header is short."""
    if len(header) != HEADER.size:
        raise BadFrame("the connection ended early")
    length: int = HEADER.unpack(header)[0]
    if length > MAX_FRAME:
        raise BadFrame("the frame is too long")
    return length


def _frame(data: dict[str, object]) -> bytes:
    body = json.dumps(data, ensure_ascii=False).encode("utf-8", "surrogatepass")
    if len(body) > MAX_FRAME:
        raise BadFrame("the frame is too long")
    return HEADER.pack(len(body)) + body


def _parse(body: bytes) -> dict[str, object]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        # Without the cause: its text would quote the body.
        raise BadFrame(f"not JSON ({type(error).__name__})") from None
    if not isinstance(data, dict):
        raise BadFrame("not a JSON object")
    return data


def _text(data: dict[str, object], key: str, limit: int) -> str:
    value = data.get(key)
    if not isinstance(value, str):
        raise BadFrame(f"{key} is not a text")
    if len(value) > limit:
        raise BadFrame(f"{key} is longer than {limit} characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadFrame(f"{key} is not valid Unicode") from None
    return value

"""A moment that packages are taken as of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from zeroth.errors import UserError

__all__ = ["Snapshot", "parse_snapshot"]


@dataclass(frozen=True)
class Snapshot:
    """The archive as it was at one moment.

    :param moment: in UTC, whole seconds.
    """

    moment: datetime

    @property
    def stamp(self) -> str:
        """Its name in the addresses of snapshot archives."""
        return self.moment.strftime("%Y%m%dT%H%M%SZ")

    def __str__(self) -> str:
        return self.moment.isoformat()


def parse_snapshot(text: str) -> Snapshot:
    """A moment: a day (its beginning in UTC), a time in ISO 8601, or a snapshot's name such as 20260131T000000Z.

    :raises UserError: for anything else, and for a moment that has not come.
    """
    try:
        moment = datetime.fromisoformat(text)
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        raise UserError(
            f"{text!r} is not a date", "Write it as 2026-01-31, 2026-01-31T12:00:00+00:00 or 20260131T120000Z."
        ) from None
    if moment > datetime.now(UTC):
        raise UserError(f"there is no snapshot of {moment.isoformat()} yet", "Name a day that has begun, in UTC.")
    return Snapshot(moment)

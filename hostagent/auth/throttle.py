"""How long an attempt to log in must wait, given the failures before it.

Three counts are kept: for a user from one origin (grows fast, so guessing from one place ends), for a user from
everywhere, and for all attempts together (both grow late and stay short, so that an attacker cannot lock the
administrator out). A count halves with every half-life that passes and a success clears the first one.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

__all__ = ["LIMITS", "Backoff", "Throttle"]

_MAX_KEYS: Final = 4096


@dataclass(frozen=True)
class Backoff:
    """A delay that doubles with each failure.

    :ivar free: failures that cost nothing.
    :ivar first: seconds after the first failure beyond those.
    :ivar longest: seconds at most.
    :ivar half_life: seconds in which the count of failures halves.
    """

    free: float
    first: float
    longest: float
    half_life: float

    def delay(self, failures: float) -> float:
        """Seconds that must lie between the last failure and the next attempt."""
        beyond = failures - self.free
        if beyond <= 0:
            return 0.0
        # Bounded before the power, so that no count overflows.
        return min(self.longest, self.first * math.exp2(min(beyond - 1, 60.0)))


@dataclass(frozen=True)
class Limits:
    """The three delays in force."""

    here: Backoff
    user: Backoff
    total: Backoff


LIMITS: Final = Limits(
    here=Backoff(free=2, first=1.0, longest=120.0, half_life=300.0),
    user=Backoff(free=10, first=0.5, longest=4.0, half_life=60.0),
    total=Backoff(free=50, first=0.25, longest=2.0, half_life=30.0),
)


@dataclass
class _Count:
    failures: float = 0.0
    last: float = 0.0

    def now(self, at: float, half_life: float) -> float:
        return self.failures * math.exp2(-max(0.0, at - self.last) / half_life)


@dataclass
class Throttle:
    """The counts. Times are seconds of one monotonic clock. Not thread-safe: the caller locks."""

    limits: Limits = LIMITS
    _counts: OrderedDict[tuple[str, ...], _Count] = field(default_factory=OrderedDict)

    def begin(self, user: str, origin: str, at: float) -> float:
        """Ask to try a password now.

        :returns: 0.0 when the attempt may go ahead; it then counts as failed until :meth:`succeeded` is called, so
            that attempts side by side cannot outrun the count. Else the seconds to wait; nothing is counted.
        """
        due = at
        for key, backoff in self._keys(user, origin):
            count = self._counts.get(key)
            if count is not None:
                due = max(due, count.last + backoff.delay(count.now(at, backoff.half_life)))
        if due > at:
            return due - at
        for key, backoff in self._keys(user, origin):
            count = self._counts.pop(key, None) or _Count(0.0, at)
            self._counts[key] = _Count(count.now(at, backoff.half_life) + 1.0, at)
        while len(self._counts) > _MAX_KEYS:
            self._counts.popitem(last=False)
        return 0.0

    def succeeded(self, user: str, origin: str) -> None:
        """Forget this user's failures from this origin; of the wider counts, take back this attempt only."""
        self._counts.pop(("here", user, origin), None)
        for key, _backoff in self._keys(user, origin):
            if count := self._counts.get(key):
                count.failures = max(0.0, count.failures - 1.0)

    def idle(self, at: float) -> bool:
        """Whether nothing worth remembering is left; drops what is not."""
        lives = {"here": self.limits.here, "user": self.limits.user, "total": self.limits.total}
        for key in [key for key, count in self._counts.items() if count.now(at, lives[key[0]].half_life) < 0.5]:
            del self._counts[key]
        return not self._counts

    def _keys(self, user: str, origin: str) -> tuple[tuple[tuple[str, ...], Backoff], ...]:
        return (
            (("here", user, origin), self.limits.here),
            (("user", user), self.limits.user),
            (("total",), self.limits.total),
        )

"""How long failures make the next attempt wait."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from hostagent.auth.throttle import LIMITS, Backoff, Throttle


def test_the_first_mistakes_cost_nothing_then_the_wait_doubles() -> None:
    throttle = Throttle()
    waits = []
    at = 0.0
    for _ in range(7):
        wait = throttle.begin("root", "192.0.2.1", at)
        waits.append(wait)
        if wait:
            # Not counted until it may go ahead.
            assert throttle.begin("root", "192.0.2.1", at) == wait
            at += wait
            assert throttle.begin("root", "192.0.2.1", at) == 0.0
    assert waits[:3] == [0.0, 0.0, 0.0]
    assert 0.9 < waits[3] <= 1.0
    for shorter, longer in pairwise(waits[3:]):
        assert 1.8 * shorter < longer <= 2.0 * shorter


def test_a_success_clears_its_own_origin() -> None:
    throttle = Throttle()
    for at in (0.0, 1.0, 2.0, 20.0):
        assert throttle.begin("root", "here", at) == 0.0
    throttle.succeeded("root", "here")
    assert throttle.begin("root", "here", 20.0) == 0.0


def test_guessing_elsewhere_does_not_lock_the_administrator_out() -> None:
    throttle = Throttle()
    at = 0.0
    for guess in range(3000):
        at += throttle.begin("root", f"198.51.100.{guess % 250}", at) or 0.01
    assert throttle.begin("root", "192.0.2.1", at) <= LIMITS.user.longest


def test_attempts_side_by_side_do_not_outrun_the_count() -> None:
    throttle = Throttle()
    allowed = sum(throttle.begin("root", "here", 0.0) == 0.0 for _ in range(100))
    assert allowed == LIMITS.here.free + 1


def test_failures_are_forgotten_in_time() -> None:
    throttle = Throttle()
    for at in range(3):
        throttle.begin("root", "here", float(at))
    assert not throttle.idle(3.0)
    assert throttle.idle(3.0 + 20 * LIMITS.here.half_life)
    assert throttle.begin("root", "here", 3.0 + 20 * LIMITS.here.half_life) == 0.0


def test_memory_is_bounded() -> None:
    throttle = Throttle()
    for number in range(20_000):
        throttle.begin(f"user{number}", "here", float(number * 10))
    assert len(throttle._counts) <= 4096


@given(st.floats(0, 1e9), st.floats(0, 1e6), st.floats(0.001, 1e6))
def test_the_delay_is_bounded_and_grows(failures: float, more: float, longest: float) -> None:
    backoff = Backoff(free=2, first=0.001, longest=longest, half_life=1)
    assert 0.0 <= backoff.delay(failures) <= backoff.delay(failures + more) <= longest

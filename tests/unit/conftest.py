"""What all unit tests share."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# A busy machine is no failure: no test asserts how long something took. Fewer examples keep `make check` short.
# Continuous integration tries the same examples each time: what chance finds is for the developer who runs the tests.
settings.register_profile(
    "patient", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
)  # fmt: skip
settings.load_profile("patient")

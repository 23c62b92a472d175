"""What all unit tests share."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A busy machine is no failure: no test asserts how long something took. Fewer examples keep `make check` short.
settings.register_profile("patient", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

"""The steps of the first boot, in their order."""

from __future__ import annotations

from firstboot.context import Step
from firstboot.steps.basics import HOSTNAME, KEYBOARD, TIMEZONE
from firstboot.steps.certificate import CERTIFICATE
from firstboot.steps.gaps import GAPS
from firstboot.steps.identity import IDENTITY
from firstboot.steps.login import LOGIN, SECRETS
from firstboot.steps.network import NETWORK
from firstboot.steps.seed import SEED
from firstboot.steps.services import SERVICES
from firstboot.steps.storage import STORAGE
from firstboot.steps.time import TIME

__all__ = ["STEPS"]

STEPS: tuple[Step, ...] = (
    IDENTITY,
    HOSTNAME,
    TIMEZONE,
    KEYBOARD,
    LOGIN,
    NETWORK,
    CERTIFICATE,
    TIME,
    STORAGE,
    SEED,
    SERVICES,
    GAPS,
    SECRETS,
)
"""A login comes before the network, so that a host without network can be put right at its console; secrets leave the
stored answer when nothing needs them any more."""

"""Power: the machine's BMC, waking it, watching over it, and how its processors save."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, ValidationInfo, model_validator

from zeroth.spec.fields import Fingerprint, ServerName
from zeroth.spec.model.base import STORED, Model, Secret, Switch

__all__ = ["BmcProtocol", "BmcSpec", "Governor", "PowerSpec"]


class BmcProtocol(StrEnum):
    """How the BMC is spoken to."""

    REDFISH = "redfish"
    IPMI = "ipmi"


class BmcSpec(Model):
    """The machine's management controller, through which the pool can turn it on and off.

    :ivar certificate: SHA-256 of the BMC's certificate; for Redfish whose certificate no known authority signed.
    """

    protocol: BmcProtocol = BmcProtocol.REDFISH
    address: ServerName
    port: Annotated[int, Field(strict=True, ge=1, le=65535)] | None = None
    username: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^\S+$")]
    password: Secret | None = None
    certificate: Fingerprint | None = None

    @model_validator(mode="after")
    def _makes_sense(self, info: ValidationInfo) -> Self:
        if info.context != STORED and self.password is None:
            raise ValueError("the BMC needs a password")
        if self.certificate and self.protocol is BmcProtocol.IPMI:
            raise ValueError("IPMI has no certificate")
        return self


class Governor(StrEnum):
    """Who decides how fast processors run (Xen's cpufreq governors)."""

    ONDEMAND = "ondemand"
    PERFORMANCE = "performance"
    POWERSAVE = "powersave"


class PowerSpec(Model):
    """Power of the host.

    :ivar wake_on_lan: the management NIC wakes the machine.
    :ivar watchdog: seconds without a sign of life of domain 0 after which Xen resets the machine; None: no watchdog.
    :ivar governor: None leaves Xen's own.
    :ivar max_cstate: the deepest sleep state of idle processors; None: no limit.
    """

    bmc: BmcSpec | None = None
    wake_on_lan: Switch = False
    watchdog: Annotated[int, Field(strict=True, ge=10, le=3600)] | None = None
    governor: Governor | None = None
    max_cstate: Annotated[int, Field(strict=True, ge=0, le=9)] | None = None

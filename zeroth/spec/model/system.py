"""Domain 0, its services, hooks, and who is told how the installation goes."""

import hashlib
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from zeroth.spec.fields import (
    Fingerprint,
    Interpreter,
    LinuxWord,
    Script,
    SerialSpeed,
    ServerName,
    Sha256,
    UnitName,
    Url,
    XenWord,
)
from zeroth.spec.model.base import STORED, Model, Secret, Switch
from zeroth.system.size import MIB, Size

__all__ = [
    "Dom0Spec", "EndAction", "Hook", "NotifySpec", "OnFailure", "RunMode", "ServicesSpec", "Stage", "SyslogProtocol",
    "SyslogTarget", "Webhook",
]  # fmt: skip


class EndAction(StrEnum):
    """What the installer does when it succeeded."""

    REBOOT = "reboot"
    POWEROFF = "poweroff"
    HALT = "halt"
    """Say that it is done, wait for somebody to press Enter on a console, then reboot."""


class OnFailure(StrEnum):
    """What the installer does when it failed. It never tries again by itself."""

    SHELL = "shell"
    POWEROFF = "poweroff"


class RunMode(StrEnum):
    """What the installer is there for."""

    INSTALL = "install"
    UPGRADE = "upgrade"
    """The host that is on the disk gets the medium's version in its other slot; settings stay those of the host."""


class Dom0Spec(Model):
    """How Xen treats domain 0.

    :ivar memory: fixed (Xen gets ``dom0_mem=N,max:N``).
    :ivar vcpus: None leaves Xen's default (all CPUs).
    :ivar xen_append: words added to Xen's command line.
    :ivar linux_append: words added to the dom0 kernel's command line.
    :ivar serial: speed of the first serial port as a console besides the screen; None for none.
    """

    memory: Size = Size(1536 * MIB)
    vcpus: Annotated[int, Field(strict=True, ge=1, le=512)] | None = None
    xen_append: tuple[XenWord, ...] = ()
    linux_append: tuple[LinuxWord, ...] = ()
    serial: SerialSpeed | None = 115200

    @field_validator("memory")
    @classmethod
    def _enough(cls, memory: Size) -> Size:
        if memory < 768 * MIB:
            raise ValueError(f"dom0 needs at least 768 MiB, not {memory}")
        if memory > 1024 * 1024 * MIB:
            raise ValueError(f"{memory} is more than any machine has: 1 TiB is the most")
        if memory % MIB:
            raise ValueError(f"dom0's memory must be whole MiB, not {memory}")
        return memory


class ServicesSpec(Model):
    """systemd units that the host starts at boot, or does not."""

    enable: Annotated[tuple[UnitName, ...], Field(max_length=64)] = ()
    disable: Annotated[tuple[UnitName, ...], Field(max_length=64)] = ()

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        both = set(self.enable) & set(self.disable)
        if both:
            raise ValueError(f"{min(both)} shall be both enabled and disabled")
        return self


class Stage(StrEnum):
    """When a hook runs."""

    PRE = "pre"
    """As soon as the answer is read; no disk has been looked at for writing."""
    PRE_INSTALL = "pre-install"
    """When the plan stands, before the first write."""
    POST = "post"
    """When everything is written, before the disk is made bootable."""
    ONERROR = "onerror"
    """When the installation failed."""


class Hook(Model):
    """A program that the installer runs.

    :ivar script: its text; or else ``url``, from where it is fetched, and ``sha256``, which it must have.
    :ivar timeout: seconds, after which it is ended and counts as failed.
    :ivar ok: exit codes that mean success.
    :ivar must_succeed: of ``post``: its failure fails the installation; else it is reported, and the installation goes
        on. Of ``pre`` and ``pre-install`` it always does: nothing is written yet.
    :ivar nochroot: of ``post``: it runs in the installer, not in the installed system.
    """

    stage: Stage
    script: Script | None = None
    url: Url | None = None
    sha256: Sha256 | None = None
    interpreter: Interpreter = "/bin/sh"
    timeout: Annotated[int, Field(strict=True, ge=1, le=86400)] = 600
    ok: Annotated[tuple[Annotated[int, Field(strict=True, ge=0, le=255)], ...], Field(min_length=1, max_length=32)] = (
        0,
    )
    must_succeed: Switch = False
    nochroot: Switch = False

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if bool(self.script) == bool(self.url):
            raise ValueError("a hook has either a script or the url of one")
        if bool(self.url) != bool(self.sha256):
            raise ValueError("a hook's url and the sha256 of what is there go together")
        if self.nochroot and self.stage is not Stage.POST:
            raise ValueError(f"nochroot is for the stage post: in {self.stage} there is no installed system yet")
        if self.must_succeed and self.stage is Stage.ONERROR:
            raise ValueError("a hook of onerror runs when the installation has failed: it cannot fail it")
        return self

    @property
    def digest(self) -> str:
        """The SHA-256 of its text, in hexadecimal."""
        if self.script is None:
            return self.sha256 or ""
        return hashlib.sha256(self.script.encode()).hexdigest()

    @property
    def fatal(self) -> bool:
        """Whether its failure fails the installation."""
        return self.must_succeed or self.stage in (Stage.PRE, Stage.PRE_INSTALL)


class Webhook(Model):
    """An address that is told by HTTP POST.

    :ivar secret: signs what is sent (HMAC-SHA-256).
    :ivar token: sent as bearer token.
    :ivar certificate: SHA-256 of the server's certificate, where no known authority signed it.
    :ivar progress: it also gets the steps, not only beginning, success and failure.
    """

    url: Url
    secret: Secret | None = None
    token: Secret | None = None
    certificate: Fingerprint | None = None
    progress: Switch = True

    @model_validator(mode="after")
    def _makes_sense(self, info: ValidationInfo) -> Self:
        if info.context != STORED and not self.url.startswith("https://") and (self.token or self.certificate):
            raise ValueError("a token or a certificate needs an address with https")
        return self


class SyslogProtocol(StrEnum):
    """How syslog is sent (RFC 5426, RFC 6587, RFC 5425)."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"


class SyslogTarget(Model):
    """A syslog server.

    :ivar port: None: 514, or 6514 with TLS.
    """

    server: ServerName
    protocol: SyslogProtocol = SyslogProtocol.UDP
    port: Annotated[int, Field(strict=True, ge=1, le=65535)] | None = None


class NotifySpec(Model):
    """Who is told how the installation goes."""

    webhooks: Annotated[tuple[Webhook, ...], Field(max_length=8)] = ()
    syslog: Annotated[tuple[SyslogTarget, ...], Field(max_length=8)] = ()

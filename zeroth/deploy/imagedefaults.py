"""What an image's builder set for the boot entries of hosts: the section ``customisation`` of its manifest."""

from __future__ import annotations

from typing import Self

from pydantic import ConfigDict, ValidationError

from zeroth.errors import UserError
from zeroth.spec.fields import LinuxWord, XenWord
from zeroth.spec.model.base import Model
from zeroth.system.product import NAME

__all__ = ["ImageDefaults"]


class _Boot(Model):
    model_config = ConfigDict(frozen=True, extra="ignore")

    xen: tuple[XenWord, ...] = ()
    dom0: tuple[LinuxWord, ...] = ()


class ImageDefaults(Model):
    """Name and boot arguments of an image.

    :ivar product: what it is called in boot menus.
    :ivar boot: words on the command lines of Xen and of domain 0, before those of the answer.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    product: str = NAME
    boot: _Boot = _Boot()

    @classmethod
    def of(cls, manifest: object) -> Self:
        """From a manifest that was read.

        :raises UserError: it holds what no boot entry can have.
        """
        section = manifest.get("customisation", {}) if isinstance(manifest, dict) else {}
        try:
            return cls.model_validate(section)
        except ValidationError as errors:
            first = errors.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise UserError(
                f"the image's manifest: customisation.{place}: {first['msg']}", "Build it again."
            ) from None

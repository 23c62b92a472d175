"""Virtual functions of network cards, by policy."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from zeroth.spec.fields import NicName
from zeroth.spec.model.base import Model, Switch

__all__ = ["LinkState", "SriovPolicy", "VfPurpose", "VfSettings", "VlanProtocol"]

_MOST = 256
_Index = Annotated[int, Field(strict=True, ge=0, lt=_MOST)]
_Rate = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]


def _count(value: object) -> object:
    if value == "max" or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST):
        return value
    raise ValueError(f"{value!r} is neither max nor a number of functions from 0 to {_MOST}")


class VfPurpose(StrEnum):
    """Who uses the virtual functions."""

    GUESTS = "guests"
    """Kept from domain 0's drivers, ready to be handed to guests."""
    HOST = "host"


class LinkState(StrEnum):
    """What a virtual function sees as its link; ``auto`` follows the physical port."""

    AUTO = "auto"
    ENABLE = "enable"
    DISABLE = "disable"


class VlanProtocol(StrEnum):
    """The tag's kind; 802.1ad puts it outside the guest's own tag, where the card can do that."""

    C_TAG = "802.1Q"
    S_TAG = "802.1ad"


class VfSettings(Model):
    """Settings of some of a card's virtual functions; what is not given is left as the driver has it.

    :ivar first: the first function that these are for, from 0; None: for all of them.
    :ivar last: the last one, inclusive; the first alone when it is not given.
    :ivar vlan: 0 takes the tag away.
    :ivar qos: priority in the tag.
    :ivar min_rate: Mbit/s, as is ``max_rate``.
    """

    first: _Index | None = None
    last: _Index | None = None
    vlan: Annotated[int, Field(strict=True, ge=0, le=4094)] | None = None
    vlan_protocol: VlanProtocol = VlanProtocol.C_TAG
    qos: Annotated[int, Field(strict=True, ge=0, le=7)] | None = None
    spoof_check: Switch | None = None
    trust: Switch | None = None
    link_state: LinkState | None = None
    min_rate: _Rate | None = None
    max_rate: _Rate | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.last is not None and (self.first is None or self.last < self.first):
            raise ValueError("the last function does not come after the first")
        if self.qos and not self.vlan:
            raise ValueError("qos stands in the VLAN tag: give vlan as well")
        if self.vlan_protocol is not VlanProtocol.C_TAG and not self.vlan:
            raise ValueError("a kind of tag without a tag: give vlan as well")
        if self.min_rate and self.max_rate and self.min_rate > self.max_rate:
            raise ValueError(f"the least rate {self.min_rate} is above the most {self.max_rate}")
        return self

    @property
    def functions(self) -> range | None:
        """The functions that these settings are for; None for all."""
        if self.first is None:
            return None
        return range(self.first, (self.first if self.last is None else self.last) + 1)


class SriovPolicy(Model):
    """What becomes of the virtual functions of one card.

    :ivar nic: the physical function: a MAC address or a kernel name.
    :ivar functions: how many, or ``max`` for all that the card has.
    :ivar settings: for all functions or for some; two that say something of the same function are an error.
    """

    nic: NicName
    functions: Annotated[int | Literal["max"], BeforeValidator(_count)]
    purpose: VfPurpose = VfPurpose.GUESTS
    settings: Annotated[tuple[VfSettings, ...], Field(max_length=_MOST)] = ()

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        seen: set[int] = set()
        ranges = [found for found in (it.functions for it in self.settings) if found is not None]
        if len(self.settings) - len(ranges) > 1:
            raise ValueError("settings for all functions are given twice")
        for found in ranges:
            if isinstance(self.functions, int) and found.stop > self.functions:
                raise ValueError(
                    f"function {found.stop - 1} is set up, but there are only {self.functions}, counted from 0"
                )
            if twice := seen & set(found):
                raise ValueError(f"function {min(twice)} is set up twice")
            seen.update(found)
        return self

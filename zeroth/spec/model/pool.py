"""The resource pool that the host belongs to."""

from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, model_validator

from zeroth.spec.fields import Fingerprint, ServerName, VisibleText
from zeroth.spec.model.base import STORED, Model, Secret

__all__ = ["PoolCreate", "PoolJoin", "PoolSpec"]


class PoolCreate(Model):
    """A pool of its own, of which the host is the first member."""

    action: Literal["create"] = "create"
    name: Annotated[VisibleText, Field(min_length=1)]
    description: VisibleText = ""


class PoolJoin(Model):
    """Membership in a pool that there is.

    :ivar address: of any of its members; more than one are tried in order.
    :ivar token: a join token, as the pool gives them out; good once.
    :ivar certificate: SHA-256 of the pool's certificate: the host tells its token to nobody else.
    :ivar timeout: seconds during which the pool may be unreachable before the host gives up and stands alone.
    """

    action: Literal["join"] = "join"
    address: Annotated[tuple[ServerName, ...], Field(min_length=1, max_length=16)]
    port: Annotated[int, Field(strict=True, ge=1, le=65535)] = 443
    token: Secret | None = None
    certificate: Fingerprint
    timeout: Annotated[int, Field(strict=True, ge=0, le=86400)] = 600

    @model_validator(mode="after")
    def _makes_sense(self, info: ValidationInfo) -> Self:
        if info.context != STORED and self.token is None:
            raise ValueError("joining a pool needs a token")
        return self


PoolSpec = Annotated[PoolCreate | PoolJoin, Field(discriminator="action")]

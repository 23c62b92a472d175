"""The host's own UUIDs, made once: XenAPI knows the host and its control domain by them."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, ValidationError

from zeroth.errors import ExitCode, UserError

__all__ = ["Identity", "load_identity", "new_identity"]


class Identity(BaseModel):
    """Random, not taken from the firmware: boards with the same UUID, or none, are common.

    :ivar host: XenAPI's host.
    :ivar control_domain: XenAPI's VM that is dom0.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    host: UUID
    control_domain: UUID


def new_identity() -> Identity:
    """A fresh one."""
    return Identity(host=uuid4(), control_domain=uuid4())


def load_identity(path: Path) -> Identity:
    """Read the stored one.

    :raises UserError: when there is none, or it is damaged.
    """
    try:
        return Identity.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise UserError("this host has no identity yet", where=str(path), code=ExitCode.MACHINE) from None
    except ValidationError:
        raise UserError(
            "the host's identity is damaged",
            'It must hold {"host": UUID, "control_domain": UUID}; the agent\'s records of host and dom0 have them.',
            where=str(path),
            code=ExitCode.MACHINE,
        ) from None

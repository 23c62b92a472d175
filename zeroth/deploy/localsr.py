"""What the installer tells first boot of the local storage repository: what it lies on, and whether it is there.

It lies beside the answer in the slot's store. First boot writes down there what it found or made.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from zeroth.errors import ExitCode, UserError
from zeroth.system.files import atomic_write

__all__ = ["GROUP", "RECORD", "LocalSrRecord", "read_record", "record_text", "write_record"]

GROUP = "zeroth-sr"
"""The name of the volume group of a new one."""
RECORD = "local-sr.json"


class LocalSrRecord(BaseModel):
    """The local storage repository.

    :ivar uuid: its UUID; of one that is kept without a UUID of its own the one that it gets.
    :ivar devices: what it lies on: ``PARTUUID=...``, or the path of a node.
    :ivar kept: it is that of an earlier installation. It is taken over, and never made anew.
    :ivar group: the name of its volume group; empty until first boot has found or made it.
    :ivar group_uuid: of its volume group, as LVM writes it; empty while that is not known.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    uuid: str
    devices: tuple[str, ...]
    kept: bool = False
    group: str = ""
    group_uuid: str = ""


def read_record(path: Path) -> LocalSrRecord | None:
    """Read it; None where there shall be no local storage repository, or an older version installed the host.

    :raises UserError: when it cannot be understood.
    """
    try:
        return LocalSrRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise UserError(
            f"the note of the local storage repository cannot be understood: {error.errors()[0]['msg']}",
            "Restore it from the other slot's store.",
            where=str(path),
            code=ExitCode.MACHINE,
        ) from None


def record_text(record: LocalSrRecord) -> str:
    """The record as it stands in its file."""
    return record.model_dump_json(indent=2) + "\n"


def write_record(path: Path, record: LocalSrRecord) -> None:
    """Write it, all or nothing."""
    atomic_write(path, record_text(record), mode=0o644)

"""The answer as the installer left it on the host, and the removal of its secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from zeroth.errors import ExitCode, UserError
from zeroth.spec.model import STORED, HostSpec, without_secrets

__all__ = ["load_spec", "scrubbed"]

_LIMIT = 1 << 20


def load_spec(path: Path) -> HostSpec:
    """Read the stored answer, before or after its secrets were removed.

    :raises UserError: when there is none or it cannot be understood.
    """
    data = _read(path)
    try:
        return HostSpec.model_validate(data, context=STORED)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"the stored answer is wrong at {place}: {first['msg']}",
            "Correct the file, then: systemctl restart zeroth-firstboot.service",
            where=str(path),
            code=ExitCode.MACHINE,
        ) from None


def scrubbed(path: Path) -> str:
    """The stored answer without its secrets, as JSON; equal to the file's text when there is none in it."""
    text = path.read_text()
    data = _read(path)
    clean = without_secrets(data)
    if not isinstance(clean.get("root", {}), dict) or clean == data:
        return text
    return json.dumps(clean, indent=2, ensure_ascii=False) + "\n"


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            raw = file.read(_LIMIT + 1)
        data = json.loads(raw) if len(raw) <= _LIMIT else None
    except FileNotFoundError:
        raise UserError(
            "this is not an installed zeroth host: it has no answer to work from",
            "First boot runs on a host that the installer made.",
            where=str(path),
            code=ExitCode.MACHINE,
        ) from None
    except PermissionError:
        raise UserError("only root may read the stored answer", where=str(path), code=ExitCode.MACHINE) from None
    except ValueError as error:
        raise UserError(f"the stored answer is no JSON: {error}", where=str(path), code=ExitCode.MACHINE) from None
    if not isinstance(data, dict):
        raise UserError("the stored answer is no HostSpec", where=str(path), code=ExitCode.MACHINE)
    return data

"""What one store holds that another does not: what a host loses that goes back to a store of earlier."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from zeroth.errors import ExitCode, UserError

__all__ = ["lost_objects"]

_Objects = Mapping[tuple[str, str], Mapping[str, Any]]
_SHOWN = ("VM", "SR", "VDI", "network", "pool", "host")
"""Classes that people make and change; the others hang on these."""


def lost_objects(kept: Path, given_up: Path) -> list[str]:
    """What is lost when ``kept`` is gone on with instead of ``given_up``, a phrase each.

    Both are store files; they may be in use, are only read, and may have different schema versions.

    :raises UserError: when one cannot be read.
    """
    old, new = _read(kept), _read(given_up)
    found = []
    for key, record in sorted(new.items()):
        name = f"{key[0]} {record.get('name_label') or key[1]}"
        if key not in old:
            found.append(f"{name}: made since")
        elif changed := _changed(old[key], record):
            found.append(f"{name}: settings changed since ({', '.join(changed)})")
    found += [
        f"{cls} {record.get('name_label') or ref}: deleted since, comes back in the list"
        for (cls, ref), record in sorted(old.items())
        if (cls, ref) not in new
    ]
    return found


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Names of settings that both know and that differ."""
    return sorted(name for name in old.keys() & new.keys() if old[name] != new[name])


def _read(path: Path) -> _Objects:
    if not path.is_file():
        raise UserError("there is no store", where=str(path), code=ExitCode.MACHINE)
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            places = ", ".join("?" * len(_SHOWN))
            rows = database.execute(f"SELECT class, ref, fields FROM object WHERE class IN ({places})", _SHOWN)  # noqa: S608 - only question marks
            return {(cls, ref): json.loads(fields) for cls, ref, fields in rows}
    except (sqlite3.Error, ValueError) as error:
        raise UserError(f"the store cannot be read: {error}", where=str(path), code=ExitCode.MACHINE) from None

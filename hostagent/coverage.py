"""Writes down which messages of the XenAPI this host answers: ``python -m hostagent.coverage FILE``.

The page is made from the data model and the handlers, so it cannot say anything else than what the agent does.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from hostagent.catalog import PARTS
from hostagent.xenapi.dispatch import Route, routes
from hostagent.xenapi.model import CLASSES, ClassTable, implicit_messages
from zeroth.system.files import atomic_write

__all__ = ["page"]

_HEAD = """# XenAPI coverage

Made by `python -m hostagent.coverage docs/reference/xenapi-coverage.md` from the code; do not edit.

*Implicit* messages follow from a class's fields: `get_all`, `get_all_records`, `get_record`, `get_by_uuid`,
`get_by_name_label`, a getter for each field, and for writable fields `set_`, `add_to_`, `remove_from_`, `add_`,
`remove_`. All of them are answered; a class of which this host has no objects answers with empty lists.
*Explicit* messages do something. Those that are not answered yet return `NOT_IMPLEMENTED`, those that the API has
removed return `MESSAGE_REMOVED`, and neither is in `system.listMethods`. `Async.` forms exist for all explicit
messages except those of session, task and event. Classes that are not listed here are unknown:
`MESSAGE_METHOD_UNKNOWN`.
"""


def page() -> str:
    """The page, in Markdown."""
    found = routes(PARTS)
    lines = [_HEAD, "| class | fields | implicit | explicit | answered |", "|---|--:|--:|--:|--:|"]
    for table in CLASSES.values():
        answered = len(list(_named(table, found, answered=True)))
        implicit = len(implicit_messages(table))
        lines.append(
            f"| [{table.name}](#{table.name.lower()}) | {len(table.fields)} | {implicit} "
            f"| {len(table.explicit)} | {answered} |"
        )
    for table in CLASSES.values():
        lines += ["", f"## {table.name}", ""]
        lines += _section(table, found)
    return "\n".join(lines) + "\n"


def _section(table: ClassTable, found: Mapping[str, Route]) -> list[str]:
    removed = [name for name, message in table.explicit.items() if message.removed]
    parts = [
        _list("Answered", _named(table, found, answered=True)),
        _list("Not yet", (name for name in _named(table, found, answered=False) if name not in removed)),
        _list("Removed", removed),
        _list("Implicit, with rules of their own", _overridden(table)),
    ]
    return ["\n\n".join(part for part in parts if part) or "Implicit messages only."]


def _named(table: ClassTable, found: Mapping[str, Route], *, answered: bool) -> Iterable[str]:
    for name, message in table.explicit.items():
        if (found[message.name].handler is not None) is answered:
            yield name


def _overridden(table: ClassTable) -> Iterable[str]:
    answered = {answer.message.name for part in PARTS for answer in part}
    for name, message in implicit_messages(table).items():
        if name not in table.explicit and message.name in answered:
            yield name


def _list(title: str, names: Iterable[str]) -> str:
    words = ", ".join(f"`{name}`" for name in sorted(names))
    return f"**{title}:** {words}" if words else ""


if __name__ == "__main__":
    atomic_write(Path(sys.argv[1]), page())

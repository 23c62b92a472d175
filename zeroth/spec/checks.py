"""What only a machine can say about an answer: whether it knows the time zone and the keyboard layout.

The model takes any well-formed name, so that a host's own settings can be read anywhere; these checks are made where
an answer is linted or installed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from zoneinfo import available_timezones

from zeroth.spec.document import Document
from zeroth.spec.problems import Problem, Severity, closest

__all__ = ["Known", "checked", "known_here"]

_KEYMAP_FOLDERS = ("/usr/share/keymaps", "/usr/share/kbd/keymaps", "/usr/lib/kbd/keymaps")
_XKB_LIST = "/usr/share/X11/xkb/rules/base.lst"


@dataclass(frozen=True)
class Known:
    """The names that a machine knows; an empty set where it has no list of them."""

    time_zones: frozenset[str]
    keyboards: frozenset[str]


@cache
def known_here() -> Known:
    """What this machine knows, looked up once."""
    zones = frozenset(zone for zone in available_timezones() if not zone.startswith(("posix/", "right/")))
    return Known(zones, frozenset(_keyboards()))


def checked(document: Document, known: Known) -> list[Problem]:
    """Compare with what is known; warn where there is nothing to compare with, and about a plain password."""
    problems: list[Problem] = []
    for field, thing, names in (
        ("timezone", "time zone", known.time_zones),
        ("keyboard", "keyboard layout", known.keyboards),
    ):
        name = document.text_at(field)
        if name:
            problems.extend(_one(field, thing, name, names, document))
    for path, where in document.marks.items():
        if path == ("root", "password") or (path[:1] == ("users",) and path[2:] == ("password",)):
            message = "the answer holds a password in plain text"
            hint = "Give its hash instead; `mkpasswd` prints one."
            problems.append(Problem(message, hint, where, Severity.WARNING, str(path[0])))
    return problems


def _one(field: str, thing: str, name: str, known: frozenset[str], document: Document) -> list[Problem]:
    where = document.place((field,))
    if not known:
        message = f"this machine has no list of {thing}s, so {name!r} was not looked up"
        return [Problem(message, "", where, Severity.WARNING, field)]
    if name in known:
        return []
    # A mistyped city with the right continent, or the city alone.
    by_city = {zone.rpartition("/")[2]: zone for zone in sorted(known)}
    city = closest(name.rpartition("/")[2].replace(" ", "_"), by_city)
    guess = closest(name, known) or by_city.get(city, "")
    hint = f"Did you mean {guess}?" if guess else ""
    return [Problem(f"unknown {thing} {name!r}", hint, where, field=field)]


def _keyboards() -> set[str]:
    found = {path.name.partition(".")[0] for folder in _KEYMAP_FOLDERS for path in Path(folder).rglob("*.map.gz")}
    found |= {path.name.partition(".")[0] for folder in _KEYMAP_FOLDERS for path in Path(folder).rglob("*.kmap.gz")}
    try:
        rules = Path(_XKB_LIST).read_text(encoding="utf-8")
    except OSError:
        return found
    layouts = re.search(r"^! layout\n(.*?)(?:^!|\Z)", rules, re.MULTILINE | re.DOTALL)
    return found | {line.split()[0] for line in (layouts[1] if layouts else "").splitlines() if line.strip()}

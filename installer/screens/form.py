"""Pages as data: which settings each asks for, and how what is typed becomes a setting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from installer.screens.draft import Draft
from zeroth.spec.document import Path

__all__ = ["Field", "Kind", "Page", "paths_of", "said", "store", "store_all"]


class Kind(StrEnum):
    """How a setting is asked for."""

    TEXT = "text"
    SECRET = "secret"  # noqa: S105 - not a password
    NUMBER = "number"
    LIST = "list"
    """Several, with spaces or commas between them."""
    LINES = "lines"
    """Several that hold spaces, with semicolons between them."""
    SWITCH = "switch"
    CHOICE = "choice"


@dataclass(frozen=True)
class Field:
    """One setting.

    :ivar path: the setting; one that begins with ``@`` is a choice of the screens alone.
    :ivar default: what holds when nothing is said, shown in its place.
    :ivar help: one or two short lines, shown while the field is in use.
    :ivar choices: values and their names.
    :ivar when: whether there is anything to ask; what is not asked is taken back.
    :ivar known: names to complete from.
    """

    path: Path
    label: str
    kind: Kind = Kind.TEXT
    default: str = ""
    help: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    when: Callable[[Draft], bool] = lambda _: True
    known: Callable[[Draft], Sequence[str]] | None = None

    @property
    def key(self) -> str:
        """Its name within the page."""
        return "-".join(map(str, self.path)).replace("@", "aside-")


@dataclass(frozen=True)
class Page:
    """A screenful of settings.

    :ivar key: its name; ``disk`` has a page of its own kind.
    :ivar intro: at most two lines.
    :ivar more: further paths whose problems are told here.
    :ivar advanced: it is reached from the menu, not on the way.
    :ivar check: what only what is typed can tell: the key of a field and what is wrong, or nothing.
    """

    key: str
    title: str
    intro: str
    fields: tuple[Field, ...]
    more: tuple[Path, ...] = ()
    advanced: bool = False
    check: Callable[[Mapping[str, str]], tuple[str, str] | None] = lambda _: None


def paths_of(page: Page) -> tuple[Path, ...]:
    """The settings that a page is about."""
    return (*(field.path for field in page.fields if not str(field.path[0]).startswith("@")), *page.more)


def said(field: Field, draft: Draft) -> str:
    """What the draft says, as it is typed; of a secret nothing."""
    if str(field.path[0]).startswith("@"):
        return draft.aside.get(str(field.path[0]), "")
    value = draft.get(field.path)
    match field.kind:
        case Kind.SECRET:
            return ""
        case Kind.SWITCH:
            return "" if value is None else ("yes" if value else "no")
        case Kind.LIST | Kind.LINES:
            items = value if isinstance(value, list) else []
            return (" " if field.kind is Kind.LIST else "; ").join(map(str, items))
    return "" if value is None else str(value)


def store(field: Field, text: str, draft: Draft) -> None:
    """Put what was typed into the draft. What is left empty is not said, but for a secret, which is kept."""
    text = text.strip()
    if str(field.path[0]).startswith("@"):
        if field.kind is not Kind.SECRET:
            draft.aside[str(field.path[0])] = text
        return
    match field.kind:
        case Kind.SECRET:
            if text:
                draft.put(field.path, text)
        case Kind.NUMBER:
            # Not a number: HostSpec says so.
            draft.put(field.path, int(text) if text.isdecimal() and text.isascii() else text)
        case Kind.LIST:
            draft.put(field.path, text.replace(",", " ").split())
        case Kind.LINES:
            draft.put(field.path, [line.strip() for line in text.split(";") if line.strip()])
        case Kind.SWITCH:
            # The default is not said; a switch that is off is said where on is the default.
            draft.put(field.path, None if text in ("", field.default or "no") else text == "yes")
        case Kind.CHOICE:
            draft.put(field.path, None if text == field.default else text)
        case _:
            draft.put(field.path, text)


def store_all(page: Page, typed: Mapping[str, str], draft: Draft) -> None:
    """Put all of a page into the draft; what is not asked, given what is chosen above it, is taken back.

    :param typed: by the fields' keys.
    """
    for field in page.fields:
        if field.when(draft):
            if field.key in typed:
                store(field, typed[field.key], draft)
        elif not str(field.path[0]).startswith("@"):
            draft.drop(field.path)

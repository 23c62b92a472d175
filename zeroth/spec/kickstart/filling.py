"""What our command classes have in common. Reader's process only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pykickstart.options import KSOptionParser

from zeroth.spec.document import Path
from zeroth.spec.kickstart.draft import Draft
from zeroth.spec.kickstart.entries import Command, Kind, Option
from zeroth.spec.kickstart.words import Line, Word, split_list

__all__ = ["Filling", "Parsed", "base_of", "fill_options", "whole"]

Parsed = Any
"""What pykickstart returns from ``parse``: the command itself, a data object or a namespace; it has no types."""


class Filling:
    """What all our commands have in common: no abbreviated options, and a way into the draft."""

    def _getParser(self) -> KSOptionParser:  # noqa: N802 - pykickstart's name
        parser = super()._getParser()  # type: ignore[misc]  # mixed into a pykickstart command
        parser.allow_abbrev = False
        return parser

    def fill(self, draft: Draft, line: Line, parsed: Parsed) -> None:
        """Put what one line said into the draft; ``parsed`` is what pykickstart made of the line."""
        raise NotImplementedError


def whole(draft: Draft, line: Line, text: str, option: str) -> int | None:
    """The number that an option gives; a problem and None when it is none."""
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return int(text)
    draft.error(line, f"{option}: {text!r} is not a whole number", "", line.value(option))
    return None


def base_of(draft: Draft, command: Command) -> Path:
    """Where a line's fields go: the command's base, or a new item of its list."""
    parts = tuple(command.base.removesuffix("[]").split(".")) if command.base else ()
    return draft.next(*parts) if command.base.endswith("[]") else parts


def fill_options(draft: Draft, line: Line, command: Command, base: Path) -> None:
    """Put the value of each option that names a field into the draft."""
    for option in command.options:
        if option.field and line.given(option.name):
            word = line.value(option.name)
            value = _value(draft, line, option, word)
            if value is not None:
                draft.put((*base, *option.field.split(".")), value, line, word)


def _value(draft: Draft, line: Line, option: Option, word: Word) -> object:
    """The field's value; None when there is a problem, which is noted."""
    text = word.text
    match option.kind:
        case Kind.ON | Kind.OFF:
            return option.kind is Kind.ON
        case Kind.NUMBER:
            return text if text == "max" else whole(draft, line, text, option.name)
        case Kind.YES_NO:
            if text not in _YES_NO:
                draft.error(line, f"{option.name} is yes or no", "", word)
            return _YES_NO.get(text)
        case Kind.DISK:
            return _device(text)
        case Kind.LIST:
            return split_list(text)
        case Kind.DISKS:
            return [_device(part) for part in split_list(text)]
        case Kind.NUMBERS:
            numbers = [whole(draft, line, part, option.name) for part in split_list(text)]
            return None if None in numbers else numbers
        case Kind.PAIRS:
            pairs = [part.partition("=")[::2] for part in split_list(text)]
            return [{"name": name, "address": address} for name, address in pairs]
    return text


_YES_NO: Mapping[str, bool] = {"yes": True, "no": False}


def _device(text: str) -> str:
    """Kickstart names devices without /dev."""
    spelt_out = set(text) & set("=&<>") or text in _DISK_WORDS or text.startswith("/")
    return text if spelt_out else f"/dev/{text}"


_DISK_WORDS = ("only", "smallest", "largest", "ssd", "hdd", "missing")

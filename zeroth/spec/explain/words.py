"""Small words that the explanation is put together from."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["Rows", "counted", "listed", "sentences"]

Rows = list[tuple[str, str]]
"""A topic, and what holds for it."""


def listed(things: Iterable[object], last: str = "and") -> str:
    """``a, b and c``."""
    words = [str(thing) for thing in things]
    return f" {last} ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def counted(number: int, noun: str) -> str:
    """``one key``, ``3 keys``."""
    return f"one {noun}" if number == 1 else f"{number} {noun}s"


def sentences(*parts: str) -> str:
    """Parts that say something, with semicolons between them."""
    return "; ".join(part for part in parts if part)

"""Sizes as a type: bytes inside, people's units outside."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema

__all__ = ["GIB", "MIB", "Size"]

_UNITS = {
    "": 1, "B": 1,
    "K": 1 << 10, "KIB": 1 << 10, "KB": 10**3,
    "M": 1 << 20, "MIB": 1 << 20, "MB": 10**6,
    "G": 1 << 30, "GIB": 1 << 30, "GB": 10**9,
    "T": 1 << 40, "TIB": 1 << 40, "TB": 10**12,
}  # fmt: skip
# The largest first.
_PRINTED = (("TiB", 1 << 40), ("TB", 10**12), ("GiB", 1 << 30), ("GB", 10**9), ("MiB", 1 << 20), ("MB", 10**6),
            ("KiB", 1 << 10), ("KB", 10**3))  # fmt: skip
_PATTERN = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")


class Size(int):
    """A number of bytes that reads and prints with units.

    ``Size.parse("4 GiB")``; K, M, G, T alone are binary, as in Xen's and LVM's own options; KB, MB, ... are decimal.
    In a pydantic model it accepts an int (bytes) or a string with a unit, and is written as an exact string.
    """

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a size.

        :raises ValueError: when the text is no size, or no whole number of bytes.
        """
        match = _PATTERN.fullmatch(text)
        factor = _UNITS.get(match[2].upper()) if match else None
        if match is None or factor is None:
            raise ValueError(f"{text!r} is not a size: write a number and a unit, as in 512M, 4 GiB or 2TB")
        try:
            value = Decimal(match[1]) * factor
        except InvalidOperation:  # pragma: no cover - the pattern admits only numbers
            raise ValueError(f"{text!r} is not a size") from None
        if value != int(value):
            raise ValueError(f"{text!r} is not a whole number of bytes")
        return cls(int(value))

    def __str__(self) -> str:
        """The exact form with the smallest number: ``4 GiB``, ``1536 MiB``, ``400 GB``, ``1001 B``."""
        for unit, factor in _PRINTED:
            if self and self % factor == 0:
                return f"{int(self) // factor} {unit}"
        return f"{int(self)} B"

    def __repr__(self) -> str:
        return f"Size({int(self)})"

    def approx(self) -> str:
        """For people, rounded to one decimal: ``27.9 GiB``."""
        for unit, factor in (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
            if self >= factor:
                return f"{int(self) / factor:.1f} {unit}"
        return f"{int(self)} B"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Validate from int or string, serialise as a string."""

        def build(value: int | str) -> Size:
            return cls.parse(value) if isinstance(value, str) else cls(value)

        return core_schema.no_info_after_validator_function(
            build,
            core_schema.union_schema([core_schema.int_schema(ge=0, strict=True), core_schema.str_schema()]),
            serialization=core_schema.plain_serializer_function_ser_schema(
                str, return_schema=core_schema.str_schema()
            ),
        )


MIB = Size(1 << 20)
GIB = Size(1 << 30)

"""What the answer asks for and first boot does not do: said, not passed over."""

from __future__ import annotations

from firstboot.context import Context, Step
from zeroth.spec.gaps import gaps

__all__ = ["GAPS"]


def _apply(context: Context) -> str:
    return "\n".join(_found(context))


def _found(context: Context) -> list[str]:
    return [str(gap) for gap in gaps(context.spec)]


GAPS = Step("gaps", "What this version does not do", _found, _apply)

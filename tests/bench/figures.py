"""Tables of figures, for people and as JSON."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

__all__ = ["Figures", "as_json", "print_figures"]

Cell = str | int | float | None


@dataclass(frozen=True)
class Figures:
    """One table.

    :ivar columns: name of each column, with its unit.
    :ivar note: what the reader has to know.
    :ivar digits: of numbers that are not whole, after the point.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    digits: int = 1


def as_json(figures: Figures) -> dict[str, object]:
    """The table as one object: rows are objects by column."""
    rows = [dict(zip(figures.columns, row, strict=True)) for row in figures.rows]
    return {"name": figures.name, "title": figures.title, "note": figures.note, "rows": rows}


def print_figures(figures: Figures, console: Console) -> None:
    """Print the table."""
    table = Table(title=figures.title, title_justify="left", caption=figures.note or None, caption_justify="left")
    for number, column in enumerate(figures.columns):
        table.add_column(column, justify="right" if number else "left")
    for row in figures.rows:
        table.add_row(*(_text(cell, figures.digits) for cell in row))
    console.print(table)


def _text(cell: Cell, digits: int) -> str:
    if cell is None:
        return ""
    return f"{cell:.{digits}f}" if isinstance(cell, float) else str(cell)

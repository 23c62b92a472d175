"""The plan of an upgrade for people."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from zeroth.deploy.upgrade import UpgradePlan
from zeroth.system.size import Size

__all__ = ["show_upgrade"]


def show_upgrade(console: Console, plan: UpgradePlan) -> None:
    """Print what will be written and what is lost."""
    header = plan.header
    table = Table("", "slot", "version", "what", box=None, pad_edge=False)
    table.add_row("from", plan.host.slot, plan.host.version, "stays as it is, and is what the machine goes back to")
    sizes = f"{Size(header.root.size).approx()} image, {Size(header.size - header.root.size).approx()} boot files"
    table.add_row("to", plan.slot, header.version, f"{sizes}, profile {header.profile}, to {plan.host.target}")
    console.print(table)
    if plan.replaces:
        console.print(
            f"Lost: {plan.replaces} in slot {plan.slot}, and the host's state as it was with it.", markup=False
        )
    for note in plan.notes:
        console.print(f"Note: {note}.", markup=False)

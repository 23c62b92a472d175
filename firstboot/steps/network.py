"""The management network: the driver does it, and takes it back when it does not work."""

from __future__ import annotations

from firstboot.context import Context, Step
from zeroth.drivers.network.guard import reconcile

__all__ = ["NETWORK"]


def _apply(context: Context) -> str:
    # A card whose driver still loads its firmware is not there yet.
    context.system.run(["udevadm", "settle", "--timeout=60"])
    outcome = reconcile(
        context.network, context.spec.management, context.paths.network_undo, wait=context.wait, say=context.say
    )
    context.outcome = outcome
    cards = ", ".join(f"{nic.name} ({nic.mac})" for nic in outcome.nics)
    bond = context.spec.management.bond
    over = f"{bond.name} of the cards {cards}" if bond else f"card {cards}"
    context.say(f"{outcome.address} on {outcome.link.name}, {over}")
    wanted = context.spec.management.mtu
    if wanted and outcome.link.mtu != wanted:
        return f"{outcome.link.name} has an MTU of {outcome.link.mtu}, not {wanted}: does every card take as much?"
    return ""


NETWORK = Step(
    "network",
    "Management network",
    lambda context: context.spec.management.model_dump(mode="json"),
    _apply,
    every_try=True,
)

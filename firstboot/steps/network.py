"""The management network: the driver does it, and takes it back when it does not work."""

from __future__ import annotations

from firstboot.context import Context, Step
from zeroth.drivers.network.guard import missing6, reconcile

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
    context.say(f"{outcome.addresses} on {outcome.link.name}, {over}")
    name, wanted = outcome.link.name, context.spec.management.mtu
    notes = [f"{name} has no IPv6 address yet: {why}" for why in missing6(outcome.link, context.spec.management)]
    if wanted and outcome.link.mtu != wanted:
        notes.append(f"{name} has an MTU of {outcome.link.mtu}, not {wanted}: does every card take as much?")
    return "; ".join(notes)


NETWORK = Step(
    "network",
    "Management network",
    lambda context: context.spec.management.model_dump(mode="json"),
    _apply,
    every_try=True,
)

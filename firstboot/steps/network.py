"""The management network: the driver does it, and takes it back when it does not work."""

from __future__ import annotations

from firstboot.context import Context, Step
from zeroth.drivers.network.guard import reconcile
from zeroth.spec.model import NoAddress

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
    addresses = f"{outcome.address} and {outcome.address6}" if outcome.address6 else f"{outcome.address}"
    context.say(f"{addresses} on {outcome.link.name}, {over}")
    notes = []
    wanted = context.spec.management.mtu
    if wanted and outcome.link.mtu != wanted:
        notes.append(
            f"{outcome.link.name} has an MTU of {outcome.link.mtu}, not {wanted}: does every card take as much?"
        )
    if not isinstance(context.spec.management.address6, NoAddress) and outcome.address6 is None:
        notes.append(f"{outcome.link.name} has no IPv6 address yet: does a router advertise the network?")
    return "; ".join(notes)


NETWORK = Step(
    "network",
    "Management network",
    lambda context: context.spec.management.model_dump(mode="json"),
    _apply,
    every_try=True,
)

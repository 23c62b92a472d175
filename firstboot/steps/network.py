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
    context.say(f"{outcome.address} on {outcome.link.name}, card {outcome.nic.name} ({outcome.nic.mac})")
    return ""


NETWORK = Step(
    "network",
    "Management network",
    lambda context: context.spec.management.model_dump(mode="json"),
    _apply,
    every_try=True,
)

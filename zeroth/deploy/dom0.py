"""What a host's settings give domain 0 where the arguments it was started with are signed, the same for all hosts."""

from __future__ import annotations

from zeroth.deploy.signedboot import DOM0_MEMORY, MOST_DOM0_MEMORY
from zeroth.spec.model import Dom0Spec
from zeroth.system.run import run
from zeroth.system.size import MIB

__all__ = ["fit_commands", "fit_dom0"]

_DOM0 = "Domain-0"


def fit_commands(dom0: Dom0Spec) -> list[list[str]]:
    """The commands that give domain 0 its memory and processors: only what differs from what it started with.

    More memory than its kernel made tables for it cannot take; it then gets as much as it can.
    """
    memory = min(dom0.memory, MOST_DOM0_MEMORY)
    commands = []
    if memory != DOM0_MEMORY:
        commands.append(["xl", "mem-set", _DOM0, f"{memory // MIB}m"])
    if dom0.vcpus is not None:
        commands.append(["xl", "vcpu-set", _DOM0, str(dom0.vcpus)])
    return commands


def fit_dom0(dom0: Dom0Spec) -> list[list[str]]:
    """Run them, and return them.

    :raises CommandFailed: when Xen refuses.
    """
    commands = fit_commands(dom0)
    for command in commands:
        run(command, timeout=120)
    return commands

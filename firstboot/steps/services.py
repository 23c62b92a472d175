"""The services of a host: enabled for every boot and started."""

from __future__ import annotations

from firstboot.context import Context, Step
from zeroth.errors import ExitCode, UserError

__all__ = ["SERVICES", "UNITS"]

UNITS = ("ssh.service", "chrony.service", "zeroth-auth.socket", "zeroth-agent.service")


def _apply(context: Context) -> str:
    # Enabling makes systemd read all units again, which takes its time: only what the image has not enabled yet.
    states = context.system.run(["systemctl", "is-enabled", *UNITS], ok=range(5)).stdout.split()
    missing = [unit for unit, state in zip(UNITS, states, strict=False) if state == "not-found"]
    if missing or len(states) != len(UNITS):
        raise UserError(
            f"this image lacks {', '.join(missing) or 'a service of the host'}",
            "The image is incomplete: install again from another medium.",
            code=ExitCode.MACHINE,
        )
    disabled = [unit for unit, state in zip(UNITS, states, strict=True) if state == "disabled"]
    if disabled:
        context.system.run(["systemctl", "enable", "--quiet", *disabled])
    # Without waiting: the agent starts after first boot, so waiting for it here would never end.
    context.system.run(["systemctl", "start", "--no-block", *UNITS])
    return ""


SERVICES = Step("services", "Services", lambda context: UNITS, _apply)

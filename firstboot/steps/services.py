"""The services of a host: enabled for every boot and started."""

from __future__ import annotations

from firstboot.context import Context, Step

__all__ = ["SERVICES", "UNITS"]

UNITS = ("ssh.service", "chrony.service", "zeroth-auth.socket", "zeroth-agent.service")


def _apply(context: Context) -> str:
    for unit in UNITS:
        context.system.run(["systemctl", "enable", "--quiet", unit])
    # Without waiting: the agent starts after first boot, so waiting for it here would never end.
    context.system.run(["systemctl", "start", "--no-block", *UNITS])
    return ""


SERVICES = Step("services", "Services", lambda context: UNITS, _apply)

"""Time servers that DHCP named, handed to chrony (which knows its own besides)."""

from __future__ import annotations

from firstboot.context import Context, Step
from zeroth.drivers.network.model import Link
from zeroth.system.run import CommandFailed

__all__ = ["TIME", "hand_over_time_servers"]


def hand_over_time_servers(context: Context, link: Link) -> str:
    """Write the link's time servers where chrony looks for such; returns a reservation, or an empty string."""
    path = context.paths.of(f"run/chrony-dhcp/{link.name}.sources")
    text = "".join(f"server {server} iburst\n" for server in link.ntp)
    if (path.read_text() if path.exists() else "") == text:
        return ""
    context.system.write(path, text)
    try:
        context.system.run(["chronyc", "reload", "sources"])
    except CommandFailed as error:
        return f"chrony was not told of its time servers: {error.completed.stderr.strip() or error.message}"
    return ""


TIME = Step(
    "time",
    "Time servers",
    lambda context: context.management.link.ntp,
    lambda context: hand_over_time_servers(context, context.management.link),
)

"""Telling systemd how the agent is: ready, alive, stopping (sd_notify(3))."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping

__all__ = ["notify", "watchdog", "watchdog_seconds"]


def notify(*lines: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Send assignments such as ``READY=1``.

    :returns: whether somebody listens; a silent systemd is no reason to fail.
    """
    path = environment.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return False
    address = "\0" + path[1:] if path.startswith("@") else path
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto("\n".join(lines).encode(), address)
    except OSError:
        return False
    return True


def watchdog_seconds(environment: Mapping[str, str] = os.environ) -> float:
    """How often a sign of life is due: half of what systemd allows; 0 when it wants none."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    try:
        return int(environment.get("WATCHDOG_USEC", "0")) / 2_000_000
    except ValueError:
        return 0.0


async def watchdog(seconds: float) -> None:
    """Send signs of life from the event loop: when the loop hangs, they stop."""
    while seconds > 0:
        notify("WATCHDOG=1")
        await asyncio.sleep(seconds)

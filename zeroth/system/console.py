"""A line on every console of the machine."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["on_consoles"]


def on_consoles(text: str, *, sysfs: Path = Path("/sys/class/tty/console/active"), dev: Path = Path("/dev")) -> None:
    """Write text to each console of the kernel: the screen as well as the serial line.

    A console that does not take it (nobody holds the line's other end) is left out, not waited for.
    """
    try:
        names = sysfs.read_text().split()
    except OSError:
        return
    for name in names:
        try:
            device = os.open(dev / name, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError:
            continue
        try:
            os.write(device, f"\n{text}".replace("\n", "\r\n").encode())
        except OSError:
            continue
        finally:
            os.close(device)

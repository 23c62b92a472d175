"""Free TCP ports on the loopback address."""

from __future__ import annotations

import socket
import threading

__all__ = ["free_ports"]

_given: set[int] = set()
_lock = threading.Lock()


def free_ports(count: int) -> list[int]:
    """So many ports that nobody listens on, never the same twice in one process.

    QEMU takes a port a moment later; one that somebody else took meanwhile makes QEMU say so and fail.
    """
    with _lock:
        found: list[int] = []
        sockets: list[socket.socket] = []
        while len(found) < count:
            probe = socket.socket()
            sockets.append(probe)
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
            if port not in _given:
                _given.add(port)
                found.append(port)
        for probe in sockets:
            probe.close()
        return found

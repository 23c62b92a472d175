"""A small client of QEMU's machine protocol (QMP): one JSON object a line over a Unix socket.

Source: QEMU's docs/interop/qmp-spec.rst.
"""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

__all__ = ["Qmp", "QmpError"]


class QmpError(Exception):
    """QEMU refused a command, or is gone."""


class Qmp:
    """A connection to one QEMU; commands wait for their answer, events are collected meanwhile.

    :param path: the socket that QEMU listens on.
    :param seconds: how long to wait for the socket and for each answer.
    """

    def __init__(self, path: Path, seconds: float = 30.0) -> None:
        self.events: list[dict[str, Any]] = []
        self._seconds = seconds
        self._buffer = b""
        self._socket = _connect(path, seconds)
        self._next()
        self.execute("qmp_capabilities")

    def execute(self, command: str, **arguments: object) -> Any:  # noqa: ANN401 - JSON
        """Run one command (dashes written as underscores in argument names) and return its answer.

        :raises QmpError: when QEMU refuses, or does not answer in time.
        """
        words = {key.replace("_", "-"): value for key, value in arguments.items() if value is not None}
        request = json.dumps({"execute": command, "arguments": words}).encode() + b"\n"
        try:
            self._socket.sendall(request)
            while True:
                answer = self._next()
                if "event" in answer:
                    self.events.append(answer)
                elif "error" in answer:
                    raise QmpError(f"{command}: {answer['error'].get('desc', answer['error'])}")
                elif "return" in answer:
                    return answer["return"]
        except OSError as error:
            raise QmpError(f"{command}: {error or type(error).__name__}") from error

    def drain(self) -> list[dict[str, Any]]:
        """Every event until now, also those that QEMU sent as it ended."""
        self._socket.settimeout(0.05)
        try:
            while True:
                answer = self._next()
                if "event" in answer:
                    self.events.append(answer)
        except (OSError, QmpError):
            pass
        finally:
            self._socket.settimeout(self._seconds)
        return self.events

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _next(self) -> dict[str, Any]:
        while b"\n" not in self._buffer:
            chunk = self._socket.recv(1 << 16)
            if not chunk:
                raise QmpError("QEMU hung up")
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _connect(path: Path, seconds: float) -> socket.socket:
    end = time.monotonic() + seconds
    while True:
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        link.settimeout(seconds)
        try:
            link.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError) as error:
            link.close()
            if time.monotonic() > end:
                raise QmpError(f"QEMU did not open {path} within {seconds:g} s") from error
            time.sleep(0.05)
        else:
            return link

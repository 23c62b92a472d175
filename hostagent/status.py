"""How the agent is: a JSON document to whoever connects to its status socket, for ``zeroth host status``."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hostagent.store import Store
from hostagent.xenapi.services import Hypervisor
from zeroth import __version__
from zeroth.errors import ExitCode, UserError

__all__ = ["STATUS_SOCKET", "StatusSource", "problems", "read_status", "serve_status"]

STATUS_SOCKET: Final = Path("/run/zeroth-agent/status.sock")
_LONGEST: Final = 1 << 20
_TIMEOUT_SECONDS: Final = 10.0


@dataclass(frozen=True)
class StatusSource:
    """What the status is made from."""

    store: Store
    hypervisor: Hypervisor
    https_port: Callable[[], int]
    started: float = 0.0

    def document(self) -> dict[str, Any]:
        """The status now. Sizes in bytes, times in seconds."""
        host = self.store.get("host", self.store.only("host"))
        link = self.hypervisor.state
        vms = [vm for vm in self.store.all("VM").values() if not vm["is_control_domain"] and not vm["is_a_template"]]
        states = Counter(vm["power_state"] for vm in vms)
        metrics = self.store.all("host_metrics").get(host["metrics"], {"memory_total": 0, "memory_free": 0})
        return {
            "version": __version__,
            "host": {
                "uuid": host["uuid"],
                "name": host["name_label"],
                "hostname": host["hostname"],
                "address": host["address"],
                "enabled": host["enabled"],
                "xen": host["software_version"].get("xen", ""),
                "linux": host["software_version"].get("linux", ""),
                "memory_total": metrics["memory_total"],
                "memory_free": metrics["memory_free"],
            },
            "hypervisor": {"up": link.up, "reason": link.reason, "since": link.since.isoformat(timespec="seconds")},
            "vms": {"total": len(vms), **{state.lower(): count for state, count in sorted(states.items())}},
            "sessions": len(self.store.all("session")),
            "tasks": sum(task["status"] == "pending" for task in self.store.all("task").values()),
            "store": {"generation": self.store.generation},
            "agent": {
                "https_port": self.https_port(),
                "memory": _resident(),
                "uptime": round(time.monotonic() - self.started, 1),
                "pid": os.getpid(),
            },
        }


def problems(status: Mapping[str, Any]) -> list[str]:
    """What is wrong, a sentence each; empty when all is well."""
    found = []
    if not status["hypervisor"]["up"]:
        found.append(
            f"libvirt's Xen driver does not answer: {status['hypervisor']['reason']} "
            "(virtual machines cannot be managed; see journalctl -u libvirtd)"
        )
    if not status["host"]["enabled"]:
        found.append("the host is disabled: it starts no virtual machines")
    return found


@asynccontextmanager
async def serve_status(source: StatusSource, path: Path) -> AsyncIterator[None]:
    """Answer on the status socket while the block runs: each connection gets the document, then its end."""

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(json.dumps(source.document()).encode() + b"\n")
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            await writer.drain()
        writer.close()

    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    server = await asyncio.start_unix_server(answer, str(path))
    # Nothing in it is secret from those who administer the host.
    path.chmod(0o660)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)


def read_status(path: Path = STATUS_SOCKET) -> dict[str, Any]:
    """Ask a running agent.

    :raises UserError: when none runs here, or one may not ask it.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(_TIMEOUT_SECONDS)
            sock.connect(str(path))
            text = b""
            while len(text) < _LONGEST and (part := sock.recv(1 << 16)):
                text += part
        document = json.loads(text)
    except PermissionError:
        raise UserError("you may not ask the host agent", "Run this as root.", code=ExitCode.MACHINE) from None
    except (FileNotFoundError, ConnectionRefusedError):
        raise UserError(
            "the host agent is not running on this machine",
            "See `systemctl status zeroth-agent` and `journalctl -u zeroth-agent`.",
            code=ExitCode.MACHINE,
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(
            f"the host agent does not answer properly: {error}",
            "See `journalctl -u zeroth-agent`.",
            code=ExitCode.MACHINE,
        ) from None
    assert isinstance(document, dict)
    return document


def _resident() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except (OSError, ValueError, IndexError):
        return 0

"""Whether a slot on trial is well: Xen, its tools, the agent, the network, the storage."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from zeroth.deploy.slotstate import STATE
from zeroth.drivers.network.links import observe_links
from zeroth.drivers.network.planner import management_link
from zeroth.errors import UserError
from zeroth.spec.stored import load_spec
from zeroth.system.run import CommandFailed, run

__all__ = ["Check", "failing", "host_checks"]

_CERTIFICATE = Path("/etc/zeroth/tls/host.pem")
_HOSTSPEC = Path("/var/lib/zeroth/hostspec.json")
_PATIENCE = 30.0
_MOUNTS = (str(STATE), "/var", "/var/lib/zeroth", "/var/log", "/etc")


@dataclass(frozen=True)
class Check:
    """One thing that has to work.

    :ivar look: returns what is wrong, or nothing; may raise.
    """

    name: str
    look: Callable[[], str]


def host_checks(root: Path = Path("/")) -> tuple[Check, ...]:
    """The checks of a host, in the order in which their failures explain each other."""
    return (
        Check("Xen", lambda: xen(root)),
        Check("toolstack", toolstack),
        Check("storage", lambda: storage((root / "proc/self/mounts").read_text())),
        Check("network", network),
        Check("agent", agent),
    )


def failing(checks: tuple[Check, ...]) -> list[str]:
    """What is wrong, a line for each check that fails."""
    found = []
    for check in checks:
        try:
            wrong = check.look()
        except UserError as error:
            wrong = error.message.splitlines()[0]
        except Exception as error:  # noqa: BLE001 - whatever a check stumbles over is what is wrong
            wrong = f"{type(error).__name__}: {error}"
        if wrong:
            found.append(f"{check.name}: {wrong}")
    return found


def xen(root: Path) -> str:
    """Domain 0 of the Xen that the image's tools belong to."""
    if "control_d" not in _text(root / "proc/xen/capabilities"):
        return "Linux does not run as domain 0 of Xen"
    version = root / "sys/hypervisor/version"
    number = f"{_text(version / 'major')}.{_text(version / 'minor')}"
    if not (root / "usr/lib" / f"xen-{number}").is_dir():
        return f"Xen {number} runs, and the image has the tools of another version"
    return ""


def toolstack() -> str:
    """libvirt reaches Xen and finds domain 0."""
    try:
        run(["virsh", "--quiet", "--connect", "xen:///system", "domid", "Domain-0"], timeout=_PATIENCE)
    except CommandFailed as error:
        return f"libvirt does not reach Xen ({(error.completed.stderr.strip() or error.message).splitlines()[0]})"
    return ""


def storage(mounts: str) -> str:
    """What a host writes to is mounted, and can be written.

    :param mounts: the text of /proc/self/mounts.
    """
    rows = [line.split() for line in mounts.splitlines()]
    options = {row[1]: row[3].split(",") for row in rows if len(row) > 3}
    for place in _MOUNTS:
        if place not in options:
            return f"{place} is not mounted"
        if "rw" not in options[place]:
            return f"{place} can only be read"
    return ""


def network() -> str:
    """The management network has an address."""
    name = management_link(load_spec(_HOSTSPEC).management)
    link = next((link for link in observe_links() if link.name == name), None)
    if link is None:
        return f"there is no {name}"
    if link.setup != "configured" or not link.addresses:
        return f"{name} has no address (systemd-networkd calls it {link.setup or 'not managed'})"
    return ""


def agent(port: int = 443) -> str:
    """The agent answers the API, with the host's certificate."""
    context = ssl.create_default_context(cafile=_CERTIFICATE)
    # The name in the certificate is the host's, and not that of the loopback address.
    context.check_hostname = False
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=_PATIENCE, context=context)
    call = {"jsonrpc": "2.0", "id": 1, "method": "pool.get_all", "params": ["OpaqueRef:NULL"]}
    try:
        connection.request("POST", "/jsonrpc", json.dumps(call), {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read(1 << 16))
    except (OSError, ValueError, http.client.HTTPException) as error:
        return f"it does not answer on port {port}: {error or type(error).__name__}"
    finally:
        connection.close()
    # Without a session it refuses; only who reads the store can.
    if not isinstance(answer, dict) or "SESSION_INVALID" not in json.dumps(answer):
        return f"it answers something else than the API does: {json.dumps(answer)[:120]}"
    return ""


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""

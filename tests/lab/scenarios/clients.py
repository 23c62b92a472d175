"""Programs of other people talk to the host, over its own certificate."""

from __future__ import annotations

import json
import secrets
import sys
from pathlib import Path

from tests.lab.answers import HOSTNAME, PASSWORD
from tests.lab.checks import agent_memory, check_crashes, check_units
from tests.lab.golden import resume
from tests.lab.guest.place import KERNEL, RAMDISK, put_guest
from tests.lab.host import Host
from tests.lab.needs import node_modules
from tests.lab.paths import LAB
from tests.lab.scenario import scenario
from tests.lab.stage import Stage, expect
from tests.lab.web import certificate
from zeroth.system.run import run

GROWTH_MIB = 15
"""What eighteen guests' lives may add to the agent's memory: caches that fill, not a leak for each guest."""

# Runs a command in a mount namespace of its own in which the file $1 is /etc/hosts.
_BIND = 'mount --bind "$1" /etc/hosts; shift; exec "$@"'
_WITH_HOSTS = ("unshare", "--mount", "--propagation", "private", "sh", "-c", _BIND, "sh")


@scenario(minutes=6, main=True, after=("iso-bios",))
def clients(stage: Stage) -> None:
    """PyPI's XenAPI and npm's xen-api log in over verified TLS and start a PV VM that runs and ends by itself."""
    host = resume(stage)
    with stage.step("put a guest into the host"):
        put_guest(host, stage.folder)
    with stage.step("XenAPI"):
        _play(stage, host, [sys.executable, str(LAB / "clients" / "xenapi_client.py")])
    with stage.step("xen-api"):
        modules = node_modules()
        script = Path(modules).parent / "xen_api_client.mjs"
        script.write_bytes((LAB / "clients" / "xen_api_client.mjs").read_bytes())
        _play(stage, host, ["node", str(script)])
    host.ssh("timeout 60 sh -c 'until test $(xl list | wc -l) -eq 2; do sleep 1; done'")


@scenario(minutes=15, after=("iso-bios",))
def guests(stage: Stage) -> None:
    """Twenty guests come and go, one after the other: nothing crashes, nothing is left, the agent does not grow."""
    host = resume(stage)
    put_guest(host, stage.folder)
    client = [sys.executable, str(LAB / "clients" / "xenapi_client.py"), "--life", "1", "--rounds"]
    with stage.step("the first two"):
        _play(stage, host, [*client, "2"])
    before = agent_memory(host)
    with stage.step("the others"):
        _play(stage, host, [*client, "18"])
    host.ssh("timeout 60 sh -c 'until test $(xl list | wc -l) -eq 2; do sleep 1; done'")
    after = agent_memory(host)
    stage.log(f"the agent used {before} MiB after two guests and {after} MiB after twenty")
    expect(after - before <= GROWTH_MIB, f"the agent grew from {before} to {after} MiB in eighteen guests' lives")
    check_units(host)
    check_crashes(host)


def _play(stage: Stage, host: Host, command: list[str]) -> None:
    """Run one client; look into its VM's console and at Xen's own list while it waits for the VM's end."""
    nonce = secrets.token_hex(8)
    folder = stage.folder
    files = {
        "ca.pem": certificate(host),
        "password": PASSWORD,
        "hosts": f"127.0.0.1 localhost {HOSTNAME}\n",
    }
    for name, content in files.items():
        (folder / name).write_text(content)
    steps: list[str] = []

    def follow(line: str) -> None:
        said = _said(line)
        if said is None:
            stage.log(line)
            return
        steps.append(str(said["step"]))
        if said["step"] == "started":
            _check_running(host, str(said["uuid"]), str(said["name"]), nonce)

    url = f"https://{HOSTNAME}:{host.forwards[443]}"
    arguments = [
        "--url", url, "--user", "root", "--password-file", str(folder / "password"), "--ca", str(folder / "ca.pem"),
        "--kernel", KERNEL, "--ramdisk", RAMDISK, "--nonce", nonce,
    ]  # fmt: skip
    run([*_WITH_HOSTS, str(folder / "hosts"), *command, *arguments], on_line=follow)
    expect(set(steps) >= {"connected", "refused-wrong-ca", "started", "halted"}, f"the client did only {steps}")


def _said(line: str) -> dict[str, object] | None:
    """What a client told in this line; None when the line is of another kind (a library's warning)."""
    try:
        said = json.loads(line)
    except ValueError:
        return None
    return said if isinstance(said, dict) and "step" in said else None


def _check_running(host: Host, uuid: str, name: str, nonce: str) -> None:
    rows = host.ssh("xl list").splitlines()[2:]
    expect(len(rows) == 1, f"xl list should show one VM: {rows}")
    seen = host.ssh(f"xl vm-list | grep -F {uuid}", ok=(0, 1)).strip()
    expect(seen, f"xl does not know the VM {name} by the uuid {uuid}: {rows}")
    # xenconsoled reads every guest's console, from its first word, and keeps what it read.
    log = f"/var/log/xen/console/guest-{uuid}.log"
    said = host.ssh(f"timeout 120 sh -c 'until grep -aqs nonce={nonce} {log}; do sleep 1; done'; cat {log}")
    expect(f"nonce={nonce}" in said, f"the console of {name} does not hold this run's nonce {nonce}:\n{said[-1500:]}")
    expect("zeroth-guest: cmdline:" in said, f"the guest's own program did not speak:\n{said[-1500:]}")

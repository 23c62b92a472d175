"""What every installed host must be, whichever way it came to be."""

from __future__ import annotations

import json

from tests.lab.answers import HOSTNAME, PASSWORD, TARGET
from tests.lab.host import Host
from tests.lab.stage import expect
from tests.lab.web import certificate, log_in, logged_in

__all__ = ["PARTITIONS", "agent_memory", "check_crashes", "check_host", "check_running", "check_units", "check_xen"]

AGENT_PID = "systemctl show -P MainPID zeroth-agent.service"
"""A command that prints the agent's process id, 0 when it does not run."""
PARTITIONS = ("zeroth-bios", "zeroth-esp", "zeroth-a", "zeroth-b", "zeroth-state", "zeroth-log", "zeroth-sr")


def check_host(host: Host) -> None:
    """Everything below; the end state of every path that installs a host."""
    check_disk(host)
    check_running(host)


def check_running(host: Host) -> None:
    """All of it but the disk."""
    check_units(host)
    check_xen(host)
    check_first_boot(host)
    check_network(host)
    check_secrets(host)
    check_agent(host)
    check_crashes(host)


def check_xen(host: Host) -> None:
    """Xen 4.20 runs below this Linux, and its tools reach it."""
    info = dict(line.split(":", 1) for line in host.ssh("xl info").splitlines() if ":" in line)
    said = {key.strip(): value.strip() for key, value in info.items()}
    version = f"{said.get('xen_major')}.{said.get('xen_minor')}"
    expect(version == "4.20", f"xl info says Xen {version}, not 4.20")
    domains = host.ssh("xl list").splitlines()
    expect(domains[1].startswith("Domain-0"), f"xl list does not begin with Domain-0: {domains}")


def check_disk(host: Host) -> None:
    """The layout of the contract; mounts and boot entries by partition id, never by order."""
    known = json.loads(host.ssh("lsblk --json --paths --nodeps --output NAME,SERIAL"))["blockdevices"]
    own = next(disk["name"] for disk in known if disk["serial"] == TARGET)
    rows = json.loads(host.ssh(f"lsblk --json --paths --output NAME,TYPE,PARTLABEL,PARTUUID {own}"))["blockdevices"]
    # Of a disk over several paths the partitions are those of the map above it.
    above = [child for child in rows[0]["children"] if child["type"] == "mpath"]
    parts = [part for part in (above or rows)[0]["children"] if part["type"] == "part"]
    labels = tuple(part["partlabel"] for part in parts)
    expect(labels == PARTITIONS, f"the disk has the partitions {labels}, not {PARTITIONS}")
    words = host.ssh("cat /proc/cmdline").split()
    for name, label in (("zeroth.root", "zeroth-a"), ("zeroth.state", "zeroth-state"), ("zeroth.log", "zeroth-log")):
        wanted = next(part["partuuid"] for part in parts if part["partlabel"] == label)
        expect(f"{name}=PARTUUID={wanted}" in words, f"the kernel was not told {name}=PARTUUID={wanted}: {words}")
    for place, label in (("/run/zeroth/state", "zeroth-state"), ("/var/log", "zeroth-log")):
        source = host.ssh(f"findmnt -no SOURCE {place}").strip()
        wanted = next(part["name"] for part in parts if part["partlabel"] == label)
        expect(source == wanted, f"{place} is {source}, not {wanted}")
    expect("zeroth.mode=host" in words, f"the kernel was not told zeroth.mode=host: {words}")
    expect(host.ssh("findmnt -no FSTYPE /").strip() in ("squashfs", "overlay"), "the root is not the image")
    host.ssh("test -s /var/log/zeroth/install.log -a -s /run/zeroth/state/install/applied.json")


def check_first_boot(host: Host) -> None:
    """Every step is done, and the host has the name it was given."""
    status = json.loads(host.ssh("zeroth firstboot status --json"))
    late = [step for step in status["steps"] if step["state"] != "done"]
    expect(status["finished"] and status["steps"] and not late, f"first boot is not done: {late or status}")
    notes = {step["name"]: step["note"] for step in status["steps"]}
    expect(notes["storage"] == "", f"there is no local storage: {notes['storage']}")
    expect(host.ssh("hostname").strip() == HOSTNAME.split(".")[0] or host.ssh("hostname").strip() == HOSTNAME,
           f"the host is called {host.ssh('hostname').strip()}, not {HOSTNAME}")  # fmt: skip
    host.ssh("test $(wc -c </etc/machine-id) -eq 33")


def check_network(host: Host) -> None:
    """The management address is on the Open vSwitch bridge (or its tagged port), which has the NIC as a port."""
    ports = host.ssh("ovs-vsctl list-ports xenbr0").split()
    expect(ports, "the bridge xenbr0 has no port")
    links = json.loads(host.ssh("ip -json address show"))
    # The card of a disk over iSCSI has its own; the scenario looks at that.
    others = host.ssh("cat /run/zeroth/iscsi 2>/dev/null", ok=(0, 1)).split()
    holders = [
        link["ifname"] for link in links
        if link["ifname"] != "lo" and link.get("address") not in others
        and any(address["family"] == "inet" for address in link["addr_info"])
    ]  # fmt: skip
    # A tagged port is a bridge of its own to Open vSwitch.
    wanted = "mgmt0" if "mgmt0" in host.ssh("ovs-vsctl list-br").split() else "xenbr0"
    expect(holders == [wanted], f"addresses are on {holders}, not on {wanted} alone")


def check_secrets(host: Host) -> None:
    """The root password of the answer stands nowhere on the host in clear."""
    found = host.ssh(f"grep -rlF -- '{PASSWORD}' /etc /var /run/zeroth/state 2>/dev/null", ok=(0, 1, 2)).split()
    expect(not found, f"the root password stands in clear in {found}")
    mode = host.ssh("stat -c %a /var/lib/zeroth/hostspec.json").strip()
    expect(mode == "600", f"hostspec.json has mode {mode}")


def check_agent(host: Host) -> None:
    """The agent answers with a certificate of this host's name, and lets root in with the password alone."""
    authority = certificate(host)
    logged_in(host, authority, PASSWORD)
    expect(
        log_in(host, authority, "wrong").get("ErrorDescription", [""])[0] == "SESSION_AUTHENTICATION_FAILED",
        "a wrong password was not refused as it should be",
    )


def check_units(host: Host) -> None:
    """No systemd unit failed."""
    state = host.ssh("timeout 300 systemctl is-system-running --wait", seconds=330, ok=(0, 1)).strip()
    failed = host.ssh("systemctl --failed --plain --no-legend").strip()
    details = host.ssh(f"journalctl -b --no-pager -n 30 -u {failed.split()[0]}") if failed else ""
    expect(not failed, f"failed units:\n{failed}\n{details}")
    expect(state == "running", f"systemd says {state}")


def check_crashes(host: Host) -> None:
    """No program crashed, and the kernel did not complain."""
    said = host.ssh("journalctl -k -b --no-pager -g 'segfault|general protection|Oops|BUG:|hung task'", ok=(0, 1))
    lines = [line for line in said.splitlines() if not line.startswith("--")]
    expect(not lines, "the kernel tells of crashes:\n" + "\n".join(lines[:20]))


def agent_memory(host: Host) -> int:
    """MiB of memory that the agent's process holds."""
    kib = host.ssh(f"awk '/^VmRSS/ {{print $2}}' /proc/$({AGENT_PID})/status")
    return int(kib) // 1024

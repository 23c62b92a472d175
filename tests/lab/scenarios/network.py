"""The answer's management network is tried before the disk is touched: what is refused, and what goes on."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.lab.answers import answer
from tests.lab.checks import check_host
from tests.lab.host import Host
from tests.lab.install import BOOT_PROBLEMS, FAILED, FINISHED, INSTALL_SECONDS, boot, installer_machine, new_target
from tests.lab.machine import Firmware
from tests.lab.scenario import scenario
from tests.lab.scenarios.refusals import refused, rescue_shell
from tests.lab.stage import Stage, expect
from tests.lab.switch import LACP_SYSTEM, switch

VLAN = 20
FIRST, SECOND = "52:54:00:5e:40:01", "52:54:00:5e:40:02"
# The address that QEMU's network forwards to, and its router.
STATIC = {"method": "static", "address": "10.0.2.15/24", "gateway": "10.0.2.2"}
# What the installer does with an answer's network, without an answer.
_TRY = """
from installer.network_trial import LiveNetwork, try_network
from installer.online import go_online
from zeroth.spec.model import ManagementNetwork
from zeroth.system.live import LiveMachine
go_online()
nics = sorted(LiveMachine().facts().nics, key=lambda nic: nic.mac)
names = [nic.name for nic in nics]
for mode in ("lacp", "active-backup"):
    bond = {"mode": mode, "nics": names} | ({"fallback": False} if mode == "lacp" else {})
    wanted = ManagementNetwork.model_validate({"vlan": 20, "bond": bond})
    for check in try_network(wanted, nics, [], LiveNetwork()):
        print(f"tried-{mode} {check.name}: {check.result}: {check.message}", flush=True)
    print(f"tri" f"ed-{mode}-end", flush=True)
"""


@scenario(minutes=9)
def network_tried(stage: Stage) -> None:
    """A network that does not work is refused before the first write, with what was seen; the right one installs."""
    target = new_target(stage, Firmware.BIOS)
    with stage.step("a gateway that does not answer"):
        files = answer(management={"address": {**STATIC, "gateway": "10.0.2.99"}})
        reason = r"failed: the management network does not work: the gateway 10\.0\.2\.99 does not answer on \w+"
        refused(stage, installer_machine(stage, target, files), reason, name="gateway")
    with switch([FIRST], tag=VLAN) as net:
        with stage.step("the wrong VLAN"):
            files = answer(management={"vlan": VLAN + 1})
            machine = replace(installer_machine(stage, target, files), switch=net)
            refused(stage, machine, rf"no DHCP server answered on VLAN {VLAN + 1} of \w+ within 45 s", name="wrong")
            expect(net.heard >= {0, VLAN + 1}, f"what the switch heard of tags: {net.heard}")
        with stage.step("the right VLAN"):
            files = answer(management={"vlan": VLAN, "address": STATIC})
            host = stage.start(replace(installer_machine(stage, target, files), switch=net), "right")
            stage.log(host.wait_for(r"address: nobody else has 10\.0\.2\.15", INSTALL_SECONDS, never=FAILED))
            stage.log(host.wait_for(r"gateway: 10\.0\.2\.2 answers", 60, never=FAILED))
            host.wait_for(FINISHED, INSTALL_SECONDS, never=f"{FAILED}|{BOOT_PROBLEMS}")


@scenario(minutes=6)
def network_bond(stage: Stage) -> None:
    """A bond of two cards on a tagged network is tried with LACP and without, and the cards are given back."""
    target = new_target(stage, Firmware.BIOS)
    with switch([FIRST, SECOND], tag=VLAN, lacp=True) as net:
        host = rescue_shell(stage, replace(installer_machine(stage, target), switch=net))
        _type(host, _TRY, "/tmp/try.py")
        host.serial.send("cd /; python3 -P /tmp/try.py\n")
        for words in (rf"tried-lacp LACP: pass: {LACP_SYSTEM} answers on \w+, \w+", "tried-lacp DHCP: pass: 10",
                      "tried-lacp gateway: pass", "tried-active-backup DHCP: pass",
                      "tried-active-backup gateway: pass"):  # fmt: skip
            stage.log(host.wait_for(words, 300, never="Traceback|: fail: "))
        host.wait_for("tried-active-backup-end", 60)
        host.serial.send(
            "(ip -br link | grep -v '^lo'; ls /run/systemd/network) | sed 's/^/left /'; echo all-li''sted\n"
        )
        host.wait_for("^all-listed", 60)
        left = [line for line in host.serial.text().splitlines() if line.startswith("left ")]
        over = [line for line in left if any(word in line for word in ("trial", "bond", "vlan"))]
        expect(len(left) == 3 and not over, f"what is left of it: {left}")
    with stage.step("a switch without LACP"), switch([FIRST, SECOND], tag=VLAN) as net:
        host.kill()
        host = rescue_shell(stage, replace(installer_machine(stage, target), switch=net), "no-lacp")
        _type(host, _TRY, "/tmp/try.py")
        host.serial.send("cd /; python3 -P /tmp/try.py\n")
        stage.log(
            host.wait_for(r"tried-lacp LACP: fail: no LACP partner answered on \w+, \w+", 300, never="Traceback")
        )
        host.wait_for("tried-active-backup gateway: pass", 300, never="Traceback|: fail: ")
        host.serial.send("poweroff\n")
        expect(host.wait_stopped(180).reason == "guest-shutdown", "poweroff did not power off")


def _type(host: Host, text: str, path: str) -> None:
    """Put a file there by the serial console; its lines are short enough for a terminal."""
    host.serial.send(f"cat > {path} <<'END'\n")
    for line in text.strip().splitlines():
        host.serial.send(line + "\n")
    host.serial.send("END\n")


@scenario(minutes=10)
def network_ipv6(stage: Stage) -> None:
    """A network whose router advertises IPv6: tried, installed, and the host answers on both its addresses."""
    target = new_target(stage, Firmware.BIOS)
    files = answer(management={"address6": {"method": "slaac"}})
    with stage.step("install"):
        host = stage.start(installer_machine(stage, target, files), "install")
        stage.log(host.wait_for(r"IPv6 router: fec0::\S+/64 from fe80::\S+", INSTALL_SECONDS, never=FAILED))
        host.wait_for(FINISHED, INSTALL_SECONDS, never=f"{FAILED}|{BOOT_PROBLEMS}")
        host.wait_stopped(120)
        host.kill()
    with stage.step("the host"):
        host = boot(stage, target.machine())
        check_host(host)
        shown = json.loads(host.ssh("ip -6 -json address show dev xenbr0"))[0]["addr_info"]
        address = next(entry["local"] for entry in shown if entry["local"].startswith("fec0::"))
        stage.log(f"the host has {address}")
        host.ssh(f"curl --fail --silent --cacert /etc/zeroth/tls/host.pem https://[{address}]/ -o /dev/null")

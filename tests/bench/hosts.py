"""What installing and starting a host costs, and what it then uses."""

from __future__ import annotations

import re
import time

from rich.console import Console

from tests.bench.figures import Figures
from tests.bench.staging import measuring
from tests.lab.checks import check_units
from tests.lab.host import Host
from tests.lab.install import FIRST_BOOT, install, new_target
from tests.lab.machine import Firmware
from tests.lab.stage import Stage
from tests.lab.web import wait_api

__all__ = ["host_figures"]

IDLE_SECONDS = 60
"""How long a host is left alone before its memory is read."""
_LARGEST = 8
# 2026-11-22T20:00:00.000+00:00   Write root image: done (12.5 s)
_STEP = re.compile(r"^\S+ ( *)(\S.*): done \((\d+\.\d) s\)$", re.MULTILINE)


def host_figures(console: Console) -> list[Figures]:
    """Install under BIOS, start twice, leave alone, and read."""
    with measuring("bench", console) as stage:
        return _measure(stage)


def _measure(stage: Stage) -> list[Figures]:
    target = new_target(stage, Firmware.BIOS)
    with stage.step("install"):
        installer = install(stage, target)
        install_seconds = installer.seconds()
    with stage.step("first boot"):
        host = stage.start(target.machine(), "first")
        host.wait_for(FIRST_BOOT, 1200)
        first_seconds = host.seconds()
        wait_api(host, 600)
        first_api = host.seconds()
        host.wait_ssh(600)
        steps = install_steps(host.ssh("cat /var/log/zeroth/install.log"))
        check_units(host)
        host.ssh("systemctl poweroff", ok=(0, 255))
        host.wait_stopped(300)
        host.kill()
    with stage.step("second boot"):
        host = stage.start(target.machine(), "second")
        wait_api(host, 900)
        second_api = host.seconds()
        host.wait_ssh(600)
        check_units(host)
        time.sleep(IDLE_SECONDS)
        memory = _memory(host)
    return [
        Figures("install", "Install from CD, per step", ("step", "s"),
                (*steps, ("power-on to reset, all", install_seconds)), "BIOS, QEMU without KVM, two processors."),
        Figures("start", "Start", ("from power-on to", "s"), (
            ("first boot finished", first_seconds), ("API answering, first boot", first_api),
            ("API answering, later boots", second_api))),
        memory,
    ]  # fmt: skip


def install_steps(log: str) -> list[tuple[str, float]]:
    """Name and seconds of each step that an installer's log tells of, inner steps indented as there."""
    return [(f"{match[1]}{match[2]}", float(match[3])) for match in _STEP.finditer(log)]


def _memory(host: Host) -> Figures:
    words = dict(line.split()[:2] for line in host.ssh("cat /proc/meminfo").splitlines())
    used = (int(words["MemTotal:"]) - int(words["MemAvailable:"])) / 1024
    agent = host.ssh("systemctl show -P MainPID zeroth-agent.service").strip()
    resident = int(host.ssh(f"awk '/^VmRSS/ {{print $2}}' /proc/{agent}/status")) / 1024
    rows: list[tuple[str, float]] = [("in use (total less available)", used), ("of it the agent, resident", resident)]
    for line in host.ssh(f"ps -e -o rss=,comm= --sort=-rss | head -{_LARGEST}").splitlines():
        size, name = line.split(None, 1)
        rows.append((f"resident: {name}", int(size) / 1024))
    return Figures("memory", f"dom0 memory after {IDLE_SECONDS} idle seconds", ("what", "MiB"), tuple(rows))

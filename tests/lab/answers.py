"""The answers that lab machines are installed with."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tests.lab.keys import public_key

__all__ = ["HOSTNAME", "PASSWORD", "TARGET", "answer"]

HOSTNAME = "lab1.zeroth.test"
PASSWORD = "correct horse battery staple"
TARGET = "target"
"""Serial number of the disk to install on."""
EAGER_FPU = "spec-ctrl=eager-fpu"
"""Xen's lazy switching of FPU registers, its default on AMD, loses some in QEMU's emulation now and then, when a
PV guest runs beside domain 0: programs in domain 0 then crash in code that holds pointers in SSE registers."""


def answer(**changes: object) -> dict[str, str]:
    """The file of an answer volume: installs on the disk ``target`` and reboots, powers off when it fails.

    :param changes: fields of the HostSpec that shall be otherwise.
    """
    spec: Mapping[str, object] = {
        "hostname": HOSTNAME,
        "root": {"password": PASSWORD, "ssh_keys": [public_key()]},
        "disk": {"select": f"serial={TARGET}", "wipe": True},
        "dom0": {"xen_append": [EAGER_FPU]},
        "end_action": "reboot",
        "on_failure": "poweroff",
        **changes,
    }
    return {"answer.json": json.dumps(spec, indent=1) + "\n"}

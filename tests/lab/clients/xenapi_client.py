"""Drives a host with the XenAPI package from PyPI, as it comes.

Logs in over verified TLS, reads pool and host, creates and starts a PV guest, and is told by ``event.from`` when the
guest powers itself off. One JSON object a line on standard output; exit status 0 when all went well, else 1 with a
sentence on standard error. It is a program of its own (``python xenapi_client.py --url ...``) and imports nothing of
this project, so that what it shows is what any user's script would see.
"""

from __future__ import annotations

import argparse
import json
import os
import ssl
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import XenAPI

LONGEST_SECONDS = 300.0
MEMORY = str(128 << 20)

Session = Any
"""The package has no types."""


class Failed(Exception):
    """What was expected did not happen."""


def main() -> int:
    """Run; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("url", "user", "password-file", "ca", "kernel", "nonce"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--ramdisk", default="")
    parser.add_argument("--rounds", type=int, default=1, help="how many guests, one after the other")
    parser.add_argument("--life", type=int, default=40, help="seconds until a guest powers itself off")
    options = parser.parse_args()
    password = Path(options.password_file).read_text().removesuffix("\n")
    try:
        must_be_refused(options.url, options.user, password)
        # The package takes its authorities from OpenSSL's defaults, which this names.
        os.environ["SSL_CERT_FILE"] = options.ca
        os.environ["SSL_CERT_DIR"] = "/nonexistent"
        session = XenAPI.Session(options.url)
        session.xenapi.login_with_password(options.user, password, "2.21", "zeroth-lab")
        try:
            greet(session)
            for _ in range(options.rounds):
                work(session, options)
        finally:
            session.xenapi.session.logout()
    except (Failed, XenAPI.Failure, OSError) as error:
        sys.stderr.write(f"xenapi_client: {type(error).__name__}: {error}\n")
        return 1
    return 0


def must_be_refused(url: str, user: str, password: str) -> None:
    """Only the machine's usual authorities: they do not know the host."""
    try:
        XenAPI.Session(url).xenapi.login_with_password(user, password)
    except ssl.SSLCertVerificationError as error:
        tell("refused-wrong-ca", reason=error.verify_message)
        return
    raise Failed("the host was trusted without its authority")


def greet(session: Session) -> None:
    """Read the pool and its host."""
    api = session.xenapi
    (pool,) = api.pool.get_all()
    host = api.pool.get_master(pool)
    tell("connected", pool=facts(api.pool.get_record(pool)), host=facts(api.host.get_record(host)))


def work(session: Session, options: argparse.Namespace) -> None:
    """The life of one guest."""
    api = session.xenapi
    token = api_call(session, "event.from", ["vm"], "", 0.0)["token"]
    name = f"XenAPI {options.nonce}"
    vm = api.VM.create(
        {
            "name_label": name,
            "name_description": "made by a test",
            "memory_static_min": MEMORY,
            "memory_dynamic_min": MEMORY,
            "memory_dynamic_max": MEMORY,
            "memory_static_max": MEMORY,
            "VCPUs_max": "1",
            "VCPUs_at_startup": "1",
            "actions_after_shutdown": "destroy",
            "actions_after_reboot": "destroy",
            "actions_after_crash": "destroy",
            "domain_type": "pv",
            "PV_kernel": options.kernel,
            "PV_ramdisk": options.ramdisk,
            "PV_args": f"console=hvc0 quiet nonce={options.nonce} guest.poweroff={options.life}",
            "HVM_boot_policy": "",
        }
    )
    api.VM.start(vm, False, False)
    token = wait(session, vm, token, lambda record: record["power_state"] == "Running")
    tell("started", uuid=api.VM.get_uuid(vm), name=name, domid=int(api.VM.get_domid(vm)))
    wait(session, vm, token, lambda record: record["power_state"] == "Halted")
    tell("halted")
    api.VM.destroy(vm)


def wait(session: Session, vm: str, token: str, good: Callable[[dict[str, Any]], bool]) -> str:
    """Follow events until one shows the VM as wanted; returns the token from which to go on."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while (left := deadline - time.monotonic()) > 0:
        batch = api_call(session, "event.from", [f"vm/{vm}"], token, min(60.0, left))
        token = batch["token"]
        if any(event["operation"] != "del" and good(event["snapshot"]) for event in batch["events"]):
            return token
    raise Failed(f"what was waited for did not happen within {LONGEST_SECONDS:.0f} s")


def api_call(session: Session, method: str, *params: object) -> dict[str, Any]:
    """Call a message whose name is a word of Python."""
    result: dict[str, Any] = session.xenapi_request(method, params)
    return result


def facts(record: dict[str, Any]) -> dict[str, Any]:
    """What is worth telling of a record."""
    return {name: record[name] for name in ("uuid", "name_label", "address", "software_version") if name in record}


def tell(step: str, **more: object) -> None:
    """Print one line."""
    print(json.dumps({"step": step, **more}), flush=True)


if __name__ == "__main__":
    sys.exit(main())

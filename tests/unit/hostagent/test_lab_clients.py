"""The lab's client programs against an agent whose guests power themselves off."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hostagent.store import Store
from hostagent.xenapi.context import Context
from hostagent.xenapi.model import NULL
from hostagent.xenapi.registry import Messages
from tests.unit.hostagent.support import PASSWORD, USER, Certificate, running_agent, vm_messages

CLIENTS = Path(__file__).parents[2] / "lab" / "clients"


def short_lived_guests() -> Messages:
    """The usual fake, but for guests that live for a moment only."""
    messages = Messages()

    @messages.answers("VM.start")
    async def start(ctx: Context, vm: str, start_paused: bool, force: bool) -> None:
        with ctx.store.transaction() as tx:
            tx.update("VM", vm, power_state="Running", domid=7, resident_on=ctx.store.only("host"))
        asyncio.get_running_loop().call_later(0.6, end, ctx.store, vm)

    def end(store: Store, vm: str) -> None:
        with store.transaction() as tx:
            tx.update("VM", vm, power_state="Halted", domid=-1, resident_on=NULL)

    for answer in vm_messages():
        if answer.message.name != "VM.start":
            messages.answers(answer.message.name)(answer.handler)
    return messages


@pytest.mark.parametrize("program", ["xenapi_client.py", "xen_api_client.mjs"])
def test_a_stock_client_runs_a_guest(store: Store, certificate: Certificate, tmp_path: Path, program: str) -> None:
    interpreter = sys.executable
    if program.endswith(".mjs"):
        if not (CLIENTS / "node_modules").is_dir() or shutil.which("node") is None:
            pytest.skip(f"run `npm ci` in {CLIENTS} to try the npm connector here")
        interpreter = "node"
    (tmp_path / "password").write_text(PASSWORD + "\n")
    with running_agent(store, certificate, parts=[short_lived_guests()]) as agent:
        words = [
            interpreter, str(CLIENTS / program), "--url", agent.url, "--user", USER, "--nonce", "n-1",
            "--password-file", str(tmp_path / "password"), "--ca", str(certificate.certificate),
            "--kernel", "/kernel", "--ramdisk", "/ramdisk",
        ]  # fmt: skip
        env = {name: value for name, value in os.environ.items() if name != "NODE_EXTRA_CA_CERTS"}
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["step"] for line in lines] == ["refused-wrong-ca", "connected", "started", "halted"]
    assert lines[1]["host"]["name_label"] == "zeroth-test"
    assert lines[2]["domid"] == 7
    assert store.all("VM") == {}

"""Messages of class host, over a fake machine."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hostagent.host.control import MachineControl
from hostagent.xenapi.errors import ApiError
from hostagent.xenapi.model import NULL
from tests.unit.hostagent.support import FakeHost
from tests.unit.hostagent_vm.support import connected, world


async def test_shutdown_wants_a_disabled_and_empty_host(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await connected(w.hypervisor)
        machine = w.dispatcher.core.services.host
        assert isinstance(machine, FakeHost)
        vm = await w.vm()
        await w.call("VM.start", vm, False, False)
        for method in ("shutdown", "reboot"):
            assert await w.refused(f"host.{method}", w.host) == ["HOST_NOT_DISABLED"]
        await w.call("host.disable", w.host)
        for method in ("shutdown", "reboot"):
            assert await w.refused(f"host.{method}", w.host) == ["HOST_IN_USE", w.host, "VM", vm]
        assert machine.told == []
        await w.call("VM.hard_shutdown", vm)
        await w.call("host.reboot", w.host)
        await w.call("host.shutdown", w.host)
        assert machine.told == ["reboot", "shutdown"]
        assert w.store.get("host", w.host)["current_operations"] == {}


async def test_enable_and_disable(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.call("host.disable", w.host)
        disabled = w.store.get("host", w.host)
        assert not disabled["enabled"]
        assert disabled["other_config"]["disabled_in_boot"] == "this-boot"
        await w.call("host.disable", w.host, False)
        assert w.store.get("host", w.host)["other_config"]["disabled_in_boot"] == ""
        await w.call("host.enable", w.host)
        assert w.store.get("host", w.host)["enabled"]
        assert "disabled_in_boot" not in w.store.get("host", w.host)["other_config"]


async def test_what_clients_ask_when_they_connect(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await connected(w.hypervisor)
        assert (await w.call("host.get_servertime", w.host)).tzinfo is not None
        methods = await w.call("host.list_methods")
        assert "VM.start" in methods
        assert methods == sorted(methods)
        assert await w.call("host.get_management_interface", w.host) == NULL
        assert await w.call("host.compute_free_memory", w.host) > 0
        assert await w.call("host.has_extension", w.host, "x") is False
        assert await w.refused("host.call_plugin", w.host, "updater.py", "check_update", {}) == [
            "XENAPI_MISSING_PLUGIN",
            "updater.py",
        ]
        assert await w.refused("host.get_servertime", "OpaqueRef:no") == ["HANDLE_INVALID", "host", "OpaqueRef:no"]


def control(path: Path) -> MachineControl:
    return MachineControl("boot", path / "host.pem", lambda: None, str(path / "power.sock"))


@pytest.mark.parametrize(("answer", "refused"), [(b"ok\n", False), (b"unknown\n", True), (b"", True)])
async def test_the_power_helper(tmp_path: Path, answer: bytes, refused: bool) -> None:
    heard: list[bytes] = []

    async def helper(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readline())
        writer.write(answer)
        writer.close()

    server = await asyncio.start_unix_server(helper, str(tmp_path / "power.sock"))
    if refused:
        with pytest.raises(ApiError) as caught:
            await control(tmp_path).reboot()
        assert caught.value.code == "OPERATION_NOT_ALLOWED"
    else:
        await control(tmp_path).reboot()
    assert heard == [b"reboot\n"]
    server.close()


async def test_no_power_helper(tmp_path: Path) -> None:
    with pytest.raises(ApiError) as caught:
        await control(tmp_path).shutdown()
    assert caught.value.code == "OPERATION_NOT_ALLOWED"

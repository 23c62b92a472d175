"""VMs through the API, over libvirt's test driver with its real events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path

import libvirt
import pytest

from hostagent.store import Record, Store
from hostagent.vm.power import allowed_operations
from hostagent.xenapi.model import NULL
from hostagent.xenapi.operations import forget_operations, keep_allowed_operations
from tests.unit.hostagent.support import seed
from tests.unit.hostagent_vm.support import DRIVER, MIB, World, connected, eventually, world


async def test_a_life(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await connected(w.hypervisor)
        vm = await w.vm()
        assert w.record(vm)["power_state"] == "Halted"
        assert w.record(vm)["domid"] == -1
        assert "start" in w.record(vm)["allowed_operations"]
        await w.call("VM.start", vm, False, False)
        running = w.record(vm)
        assert running["power_state"] == "Running"
        assert running["domid"] == w.behind(vm).ID() > 0
        assert running["resident_on"] == w.host
        assert vm in w.store.get("host", w.host)["resident_VMs"]
        assert running["current_operations"] == {}
        assert "start" not in running["allowed_operations"]
        metrics = w.store.get("VM_metrics", running["metrics"])
        assert metrics["memory_actual"] == 64 * MIB
        assert metrics["VCPUs_number"] == 1
        assert metrics["current_domain_type"] == "pv"
        assert metrics["start_time"].year > 2000
        await w.call("VM.pause", vm)
        assert w.record(vm)["power_state"] == "Paused"
        assert w.behind(vm).state()[0] == libvirt.VIR_DOMAIN_PAUSED
        await w.call("VM.unpause", vm)
        assert w.record(vm)["power_state"] == "Running"
        await w.call("VM.hard_reboot", vm)
        assert w.record(vm)["power_state"] == "Running"
        assert w.record(vm)["domid"] != running["domid"]
        await w.call("VM.hard_shutdown", vm)
        halted = w.record(vm)
        assert (halted["power_state"], halted["domid"], halted["resident_on"]) == ("Halted", -1, NULL)
        with pytest.raises(libvirt.libvirtError):
            w.behind(vm)
        await w.call("VM.destroy", vm)
        assert not w.store.exists("VM", vm)
        assert not w.store.exists("VM_metrics", running["metrics"])


async def test_a_vm_that_dies_by_itself_wakes_event_from(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await connected(w.hypervisor)
        vm = await w.vm()
        await w.call("VM.start", vm, False, False)
        token = (await w.call("event.from", [f"VM/{vm}"], "", 0.0))["token"]
        waiting = asyncio.create_task(w.call("event.from", [f"VM/{vm}"], token, 60.0))
        await asyncio.sleep(0)
        w.behind(vm).destroy()
        events = (await asyncio.wait_for(waiting, 10))["events"]
        assert [event["snapshot"]["power_state"] for event in events] == ["Halted"]


async def test_what_happens_behind_our_back_is_seen(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await connected(w.hypervisor)
        vm = await w.vm()
        await w.call("VM.start", vm, False, False)
        domain = w.behind(vm)
        domain.suspend()
        await w.until(vm, lambda record: record["power_state"] == "Paused")
        domain.resume()
        await w.until(vm, lambda record: record["power_state"] == "Running")


async def test_records_are_compared_with_domains_at_start(tmp_path: Path) -> None:
    keep_driver = libvirt.open(DRIVER)
    async with world(tmp_path) as w:
        await connected(w.hypervisor)
        stays, dies, pauses = [await w.vm() for _ in range(3)]
        for vm in (stays, dies, pauses):
            await w.call("VM.start", vm, False, False)
        started = w.store.get("VM_metrics", w.record(stays)["metrics"])["start_time"]
        domains = {vm: w.behind(vm) for vm in (stays, dies, pauses)}
    domains[dies].destroy()
    domains[pauses].suspend()
    async with world(tmp_path, seeded=True) as w:
        await connected(w.hypervisor)
        await w.until(dies, lambda record: record["power_state"] == "Halted")
        await w.until(pauses, lambda record: record["power_state"] == "Paused")
        assert w.record(stays)["power_state"] == "Running"
        # The same life as before: its start is not forgotten.
        assert w.store.get("VM_metrics", w.record(stays)["metrics"])["start_time"] == started
    for vm in (stays, pauses):
        domains[vm].destroy()
    keep_driver.close()


async def test_other_domains_are_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with world(tmp_path) as w:
        await connected(w.hypervisor)
        await w.hypervisor._follower.compare_all()
        # test:///default comes with a domain of its own.
        assert "the domain test" in caplog.text
        assert libvirt.open(DRIVER).lookupByName("test").isActive()
        assert w.store.all("VM") == {}


async def test_a_clean_shutdown_waits_for_the_guest(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await connected(w.hypervisor)
        vm = await w.vm()
        await w.call("VM.start", vm, False, False)
        # The test driver's guests obey at once, if asked in its way.
        w.hypervisor.ask_to_shut_down = _obedient(w)  # type: ignore[method-assign, assignment]
        await w.call("VM.clean_shutdown", vm)
        assert w.record(vm)["power_state"] == "Halted"


def _obedient(w: World) -> Callable[[Record], Coroutine[None, None, None]]:
    async def ask(vm: Record) -> None:
        libvirt.open(DRIVER).lookupByUUIDString(vm["uuid"]).shutdown()

    return ask


async def test_impatience_ends_a_clean_shutdown(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await connected(w.hypervisor)
        vm = await w.vm()
        await w.call("VM.start", vm, False, False)

        async def deaf(vm: Record) -> None:
            return

        w.hypervisor.ask_to_shut_down = deaf  # type: ignore[method-assign]
        clean = asyncio.create_task(w.call("VM.clean_shutdown", vm))
        await w.until(vm, lambda record: "clean_shutdown" in record["current_operations"].values())
        assert w.record(vm)["allowed_operations"] == ["hard_shutdown", "hard_reboot"]
        assert (await w.refused("VM.pause", vm))[:4] == ["OTHER_OPERATION_IN_PROGRESS", "VM", vm, "clean_shutdown"]
        await w.call("VM.hard_shutdown", vm)
        await asyncio.wait_for(clean, 10)
        assert w.record(vm)["current_operations"] == {}


async def test_a_clean_shutdown_can_be_cancelled(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await connected(w.hypervisor)
        vm = await w.vm()
        await w.call("VM.start", vm, False, False)

        async def deaf(vm: Record) -> None:
            return

        w.hypervisor.ask_to_shut_down = deaf  # type: ignore[method-assign]
        task = await w.call("Async.VM.clean_shutdown", vm)
        await w.until(vm, lambda record: task in record["current_operations"])
        await w.call("task.cancel", task)
        await w.until(vm, lambda record: not record["current_operations"])
        assert w.store.get("task", task)["status"] == "cancelled"
        assert w.record(vm)["power_state"] == "Running"


async def test_wrong_states(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await connected(w.hypervisor)
        vm = await w.vm()
        assert await w.refused("VM.pause", vm) == ["VM_BAD_POWER_STATE", vm, "running", "halted"]
        assert await w.refused("VM.unpause", vm) == ["VM_BAD_POWER_STATE", vm, "paused", "halted"]
        assert (await w.refused("VM.hard_shutdown", vm))[0] == "VM_BAD_POWER_STATE"
        await w.call("VM.start", vm, False, False)
        assert await w.refused("VM.start", vm, False, False) == ["VM_BAD_POWER_STATE", vm, "halted", "running"]
        assert await w.refused("VM.destroy", vm) == ["VM_BAD_POWER_STATE", vm, "halted", "running"]
        assert (await w.refused("VM.set_VCPUs_max", vm, 4))[0] == "VM_BAD_POWER_STATE"
        assert w.record(vm)["current_operations"] == {}
        await w.call("VM.hard_shutdown", vm)
        await w.call("VM.set_is_a_template", vm, True)
        assert await w.refused("VM.start", vm, False, False) == ["VM_IS_TEMPLATE", vm]
        await w.call("VM.set_is_a_template", vm, False)
        await w.call("VM.add_to_blocked_operations", vm, "start", "not today")
        assert "start" not in w.record(vm)["allowed_operations"]
        assert await w.refused("VM.start", vm, False, False) == ["OPERATION_BLOCKED", vm, "not today"]
        await w.call("VM.remove_from_blocked_operations", vm, "start")
        assert "start" in w.record(vm)["allowed_operations"]
        with w.store.transaction() as tx:
            tx.update("host", w.host, enabled=False)
        assert await w.refused("VM.start", vm, False, False) == ["HOST_DISABLED", w.host]


async def test_the_control_domain_is_not_touched(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await connected(w.hypervisor)
        with w.store.transaction() as tx:
            dom0 = tx.create("VM", {"is_control_domain": True, "power_state": "Running", "domid": 0})
        for method, *more in (("start", False, False), ("hard_shutdown",), ("pause",), ("destroy",)):
            assert (await w.refused(f"VM.{method}", dom0, *more))[0] == "OPERATION_NOT_ALLOWED"
        await w.hypervisor._follower.compare_all()
        assert w.record(dom0)["power_state"] == "Running"
        assert w.record(dom0)["allowed_operations"] == []


async def test_too_little_memory(tmp_path: Path) -> None:
    async with world(tmp_path, free_memory=32 * MIB) as w:
        await connected(w.hypervisor)
        vm = await w.vm()
        code, needed, available = await w.refused("VM.start", vm, False, False)
        assert code == "HOST_NOT_ENOUGH_FREE_MEMORY"
        assert int(needed) > 64 * MIB > int(available) == 32 * MIB
        assert w.record(vm)["power_state"] == "Halted"


async def test_what_libvirt_refuses_is_an_api_error(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await connected(w.hypervisor)
        vm = await w.vm()
        w.hypervisor._xml = lambda _record, _boot: "<domain type='test'/>"
        code, function, number, text = await w.refused("VM.start", vm, False, False)
        assert (code, function) == ("DOMAIN_BUILDER_ERROR", "start")
        assert int(number) == libvirt.VIR_ERR_XML_DETAIL or int(number) > 0
        assert text
        assert w.record(vm)["current_operations"] == {}


async def test_without_libvirt_the_api_says_why_and_comes_back(tmp_path: Path) -> None:
    async with world(tmp_path, uri="test:///nowhere/at/all.xml") as w:
        vm = await w.vm()
        await eventually(lambda: w.hypervisor.state.reason != "not connected yet")
        assert not w.hypervisor.state.up
        code, *params = await w.refused("VM.start", vm, False, False)
        assert code == "DOMAIN_BUILDER_ERROR"
        assert "libvirt's Xen driver is not available" in params[2]
        assert w.hypervisor.state.reason in params[2]
        w.hypervisor._connection._uri = DRIVER
        await connected(w.hypervisor)
        await w.call("VM.start", vm, False, False)
        await w.call("VM.hard_shutdown", vm)


async def test_a_lost_connection_is_made_again(tmp_path: Path) -> None:
    keep_driver = libvirt.open(DRIVER)
    async with world(tmp_path) as w:
        await connected(w.hypervisor)
        vm = await w.vm()
        await w.call("VM.start", vm, False, False)
        domain = w.behind(vm)
        first = w.hypervisor.state
        # As libvirt's close callback does; what happens meanwhile has no event.
        w.hypervisor._connection._lost.set()
        domain.destroy()
        await w.until(vm, lambda record: record["power_state"] == "Halted")
        await eventually(lambda: w.hypervisor.state.up and w.hypervisor.state.since > first.since)
    keep_driver.close()


async def test_many_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await connected(w.hypervisor)
        vms = await asyncio.gather(*(w.vm(name_label=f"guest {number}") for number in range(12)))
        await asyncio.gather(*(w.call("VM.start", vm, False, False) for vm in vms))
        assert {w.record(vm)["power_state"] for vm in vms} == {"Running"}
        assert len({w.record(vm)["domid"] for vm in vms}) == 12
        results = await asyncio.gather(
            *(w.call("VM.hard_shutdown", vm) for vm in vms for _ in range(2)), return_exceptions=True
        )
        assert sum(result is None for result in results) >= 12
        assert {w.record(vm)["power_state"] for vm in vms} == {"Halted"}


async def test_a_paused_start_is_asked_of_libvirt(tmp_path: Path) -> None:
    """The test driver cannot do it, and says so; Xen's can."""
    async with world(tmp_path) as w:
        await connected(w.hypervisor)
        vm = await w.vm()
        code, _function, _number, text = await w.refused("VM.start", vm, True, False)
        assert code == "DOMAIN_BUILDER_ERROR"
        assert f"unsupported flags (0x{libvirt.VIR_DOMAIN_START_PAUSED:x})" in text


def test_what_an_interrupted_agent_left_is_dropped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with Store(tmp_path / "store.db") as store:
        seed(store)
        with store.transaction() as tx:
            vm = tx.create("VM", {"current_operations": {"OpaqueRef:x": "start"}})
        forget_operations(store)
        end = keep_allowed_operations(store, "VM", allowed_operations)
        assert store.get("VM", vm)["current_operations"] == {}
        assert "start" in store.get("VM", vm)["allowed_operations"]
        end()
    assert "start" in caplog.text

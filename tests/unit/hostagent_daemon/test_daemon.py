"""The whole agent, as the daemon puts it together: TLS, login helper, store, libvirt's test driver, status socket."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
import XenAPI
from click.testing import CliRunner

from hostagent.auth.helper import Helper, serve
from hostagent.auth.pam import PamOutcome
from hostagent.cli import host as host_command
from hostagent.daemon import Settings, running
from hostagent.status import read_status
from hostagent.store import Store
from hostagent.store.seed import seed
from tests.unit.hostagent.support import make_certificate
from tests.unit.hostagent_host.test_facts import record
from tests.unit.hostagent_host.test_sync import SEED
from zeroth.deploy import health
from zeroth.errors import ExitCode, UserError

T = TypeVar("T")


class OnePassword:
    def check(self, user: str, password: str, origin: str) -> PamOutcome:
        return PamOutcome(ok=(user, password, origin) == ("root", "secret", "127.0.0.1"), text="no")


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    make_certificate(folder)
    return folder


@pytest.fixture
def settings(tmp_path: Path, tls: Path) -> Settings:
    with Store(tmp_path / "store.db") as store:
        seed(store, SEED)
    return Settings(
        store=tmp_path / "store.db",
        certificate=tls / "host.pem",
        key=tls / "host.key",
        addresses=("127.0.0.1",),
        https_port=0,
        http_port=0,
        libvirt="test:///default",
        auth_socket=str(tmp_path / "auth.sock"),
        power_socket=str(tmp_path / "power.sock"),
        status_socket=tmp_path / "run" / "status.sock",
        root=record(tmp_path / "machine"),
    )


@contextmanager
def login_helper(path: str) -> Iterator[None]:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(8)
    helper = Helper(OnePassword(), lambda user: user == "root", sleep=lambda _seconds: None)
    arguments = {"allowed": frozenset({os.getuid()}), "idle_seconds": 0.05}
    thread = threading.Thread(target=serve, args=(listener, helper), kwargs=arguments)
    thread.start()
    try:
        yield
    finally:
        helper.throttle._counts.clear()
        thread.join(10)
        listener.close()


async def outside(function: Callable[[], T]) -> T:
    """Run what blocks, as a client of another process would."""
    return await asyncio.to_thread(function)


async def test_an_upgrade_takes_its_answer_for_that_of_the_api(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zeroth.deploy.health._CERTIFICATE", settings.certificate)
    async with running(settings) as agent:
        port = agent.server.https_port
        assert await outside(lambda: health.agent(port)) == ""
    assert "does not answer" in await outside(lambda: health.agent(port))


async def test_a_client_sees_a_host(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(settings.certificate))
    async with running(settings) as agent:

        def client() -> None:
            with login_helper(settings.auth_socket):
                session = XenAPI.Session(f"https://127.0.0.1:{agent.server.https_port}")
                with pytest.raises(XenAPI.Failure) as caught:
                    session.xenapi.login_with_password("root", "wrong")
                assert caught.value.details[:2] == ["SESSION_AUTHENTICATION_FAILED", "root"]
                session.xenapi.login_with_password("root", "secret", "1.0", "test")
            (pool,) = session.xenapi.pool.get_all_records().values()
            found = session.xenapi.host.get_record(pool["master"])
            assert found["software_version"]["xen"] == "4.20.3"
            assert found["uuid"] == SEED.uuid
            assert found["allowed_operations"] == ["provision", "vm_start"]
            assert session.API_version == "2.23"
            metrics = session.xenapi.host_metrics.get_record(found["metrics"])
            assert metrics["live"] is True
            dom0 = session.xenapi.VM.get_record(found["control_domain"])
            assert dom0["is_control_domain"]
            assert dom0["allowed_operations"] == []
            session.xenapi.session.logout()

        await outside(client)
        status = await outside(lambda: read_status(settings.status_socket))
        assert status["host"]["uuid"] == SEED.uuid
        assert status["hypervisor"]["up"]
        assert status["agent"]["https_port"] == agent.server.https_port
    assert not settings.status_socket.exists()


async def test_status_on_the_command_line(settings: Settings) -> None:
    arguments = ["status", "--socket", str(settings.status_socket)]
    async with running(settings) as agent:
        plain = await outside(lambda: CliRunner().invoke(host_command, arguments, standalone_mode=False))
        assert plain.return_value == ExitCode.DONE
        assert "Xen 4.20.3" in plain.output
        with agent.core.store.transaction() as tx:
            tx.update("host", agent.core.store.only("host"), enabled=False)
        as_json = await outside(
            lambda: CliRunner().invoke(host_command, [*arguments, "--json"], standalone_mode=False)
        )
        assert as_json.return_value == ExitCode.RESERVATIONS
        assert "disabled" in json.loads(as_json.output)["problems"][0]
    gone = CliRunner().invoke(host_command, arguments, standalone_mode=False)
    assert isinstance(gone.exception, UserError)
    assert gone.exception.code == ExitCode.MACHINE


async def test_without_libvirt_the_agent_serves_and_says_so(settings: Settings) -> None:
    from dataclasses import replace

    down = replace(settings, libvirt="test:///nowhere/at/all.xml")
    async with running(down):
        for _ in range(200):
            status = await outside(lambda: read_status(settings.status_socket))
            if status["hypervisor"]["reason"] != "not connected yet":
                break
            await asyncio.sleep(0.01)
        assert not status["hypervisor"]["up"]
        assert status["hypervisor"]["reason"]
        shown = await outside(
            lambda: CliRunner().invoke(
                host_command, ["status", "--socket", str(settings.status_socket)], standalone_mode=False
            )
        )
        assert shown.return_value == ExitCode.RESERVATIONS
        assert "not available" in shown.output


@pytest.mark.parametrize("missing", ["certificate", "key", "host"])
async def test_what_first_boot_has_not_made_is_named(settings: Settings, tmp_path: Path, missing: str) -> None:
    from dataclasses import replace

    broken = {
        "certificate": replace(settings, certificate=tmp_path / "none.pem"),
        "key": replace(settings, key=tmp_path / "none.key"),
        "host": replace(settings, store=tmp_path / "empty.db"),
    }[missing]
    with pytest.raises(UserError) as caught:
        async with running(broken):
            pass
    assert "zeroth firstboot status" in caught.value.hint
    assert caught.value.code == ExitCode.MACHINE


async def test_a_store_that_cannot_be_opened_is_named(settings: Settings, tmp_path: Path) -> None:
    from dataclasses import replace

    (tmp_path / "file").write_text("")
    with pytest.raises(UserError) as caught:
        async with running(replace(settings, store=tmp_path / "file" / "store.db")):
            pass
    assert str(tmp_path / "file") in caught.value.message
    assert caught.value.code == ExitCode.MACHINE


async def test_a_part_that_fails_ends_the_agent(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(_self: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr("hostagent.host.keeper.Keeper.follow_capacity", fails)
    with pytest.raises(RuntimeError, match="a fault"):
        async with running(settings) as agent:
            async with asyncio.timeout(10):
                await agent.stop.wait()


def test_the_process_tells_systemd_and_ends_on_sigterm(settings: Settings, tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(tmp_path / "notify"))
    listener.settimeout(30)
    options = {
        "store": settings.store,
        "certificate": settings.certificate,
        "key": settings.key,
        "listen": "127.0.0.1",
        "https-port": 0,
        "http-port": 0,
        "libvirt": "test:///default",
        "status-socket": settings.status_socket,
        "auth-socket": settings.auth_socket,
    }
    argv = [sys.executable, "-m", "zeroth", "host", "serve", *(f"--{name}={value}" for name, value in options.items())]
    environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
    with subprocess.Popen(argv, env=environment, stderr=subprocess.PIPE, text=True) as process:
        heard: list[str] = []
        while not ({"READY=1", "WATCHDOG=1"} <= set(heard)):
            heard += listener.recv(4096).decode().splitlines()
        assert read_status(settings.status_socket)["agent"]["pid"] == process.pid
        process.send_signal(signal.SIGHUP)
        assert process.stderr is not None
        for line in process.stderr:
            if "certificate was read again" in line:
                break
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=30)
        assert process.returncode == ExitCode.DONE
        until = time.monotonic() + 10
        while "STOPPING=1" not in heard and time.monotonic() < until:
            heard += listener.recv(4096).decode().splitlines()
        assert "stopping" in log
    listener.close()

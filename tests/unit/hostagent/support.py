"""An agent for tests: the real server on loopback with TLS, in a thread of its own, over a machine that is a fake."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from hostagent.store import Record, Store
from hostagent.xenapi.connections import Limits
from hostagent.xenapi.context import Context
from hostagent.xenapi.core import Core
from hostagent.xenapi.dispatch import Dispatcher
from hostagent.xenapi.errors import ApiError
from hostagent.xenapi.model import NULL
from hostagent.xenapi.registry import Messages
from hostagent.xenapi.server import Listen, Server
from hostagent.xenapi.services import Identity, Services

USER, PASSWORD = "root", "geheim & <gut>"

T = TypeVar("T")


class FakeAuthenticator:
    """One user, one password."""

    def __init__(self) -> None:
        self.password = PASSWORD
        self.origins: list[str] = []

    async def authenticate(self, user: str, password: str, origin: str) -> Identity:
        self.origins.append(origin)
        await asyncio.sleep(0)
        if (user, password) != (USER, self.password):
            raise ApiError("SESSION_AUTHENTICATION_FAILED", user, "Authentication failure")
        return Identity(user)

    async def change_password(self, user: str, old: str, new: str, origin: str) -> None:
        await self.authenticate(user, old, origin)
        self.password = new


class FakeHost:
    """Notes what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def shutdown(self) -> None:
        self.told.append("shutdown")

    async def reboot(self) -> None:
        self.told.append("reboot")

    def restart_agent(self) -> None:
        self.told.append("restart")

    def certificate(self) -> str:
        return "-----BEGIN CERTIFICATE-----"

    @property
    def boot(self) -> str:
        return "this-boot"

    def now(self) -> datetime:
        return datetime.now(UTC)


def seed(store: Store) -> tuple[str, str]:
    """A pool of one host, as first boot leaves it; returns both references."""
    with store.transaction() as tx:
        metrics = tx.create("host_metrics", {"memory_total": 8 << 30, "live": True})
        host = tx.create(
            "host",
            {
                "name_label": "zeroth-test",
                "hostname": "zeroth-test",
                "address": "127.0.0.1",
                "enabled": True,
                "metrics": metrics,
                "API_version_major": 2,
                "API_version_minor": 23,
                "API_version_vendor": "XenSource",
                "software_version": {"product_brand": "zeroth", "xapi": "26.21"},
            },
        )
        pool = tx.create("pool", {"name_label": "", "master": host})
    return pool, host


def vm_messages() -> Messages:
    """The life of a VM whose domain is a record only."""
    messages = Messages()

    @messages.answers("VM.create")
    async def create(ctx: Context, args: dict[str, Any]) -> str:
        with ctx.store.transaction() as tx:
            return tx.create("VM", {**args, "domid": -1, "metrics": tx.create("VM_metrics", {})})

    @messages.answers("VM.destroy")
    async def destroy(ctx: Context, vm: str) -> None:
        with ctx.store.transaction() as tx:
            tx.delete("VM_metrics", tx.get("VM", vm)["metrics"])
            tx.delete("VM", vm)

    @messages.answers("VM.start")
    async def start(ctx: Context, vm: str, start_paused: bool, force: bool) -> None:
        _expect(ctx.store.get("VM", vm), vm, "Halted")
        ctx.task.progress(0.5)
        await asyncio.sleep(0.01)
        with ctx.store.transaction() as tx:
            tx.update("VM", vm, power_state="Running", domid=1, resident_on=ctx.store.only("host"))

    @messages.answers("VM.hard_shutdown")
    async def hard_shutdown(ctx: Context, vm: str) -> None:
        _expect(ctx.store.get("VM", vm), vm, "Running")
        with ctx.store.transaction() as tx:
            tx.update("VM", vm, power_state="Halted", domid=-1, resident_on=NULL)

    @messages.answers("VM.clean_shutdown", cancellable=True)
    async def clean_shutdown(ctx: Context, vm: str) -> None:
        await asyncio.sleep(3600)

    @messages.answers("VM.pause")
    async def pause(ctx: Context, vm: str) -> None:
        raise RuntimeError("secret detail of a bug")

    return messages


def _expect(vm: Record, ref: str, state: str) -> None:
    if vm["power_state"] != state:
        raise ApiError("VM_BAD_POWER_STATE", ref, state, vm["power_state"])


@dataclass(frozen=True)
class Certificate:
    """PEM files of a self-signed certificate for 127.0.0.1 and localhost."""

    certificate: Path
    key: Path


def make_certificate(folder: Path) -> Certificate:
    """A certificate that is its own CA, as hosts make theirs."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    made = Certificate(folder / "host.pem", folder / "host.key")
    made.certificate.write_bytes(built.public_bytes(pem))
    made.key.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
    return made


@dataclass
class Agent:
    """A running agent."""

    core: Core
    server: Server
    pool: str
    host: str
    authenticator: FakeAuthenticator
    certificate: Certificate
    loop: asyncio.AbstractEventLoop = field(repr=False)

    @property
    def store(self) -> Store:
        return self.core.store

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server.https_port}"

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate.certificate))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something on the agent's loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def call(self, function: Callable[..., T], *args: object) -> T:
        """Call something on the agent's loop."""

        async def work() -> T:
            return function(*args)

        return self.run(work())


@contextmanager
def running_agent(
    store: Store, certificate: Certificate, limits: Limits | None = None, parts: Iterable[Messages] | None = None
) -> Iterator[Agent]:
    """Serve a seeded store on free ports of loopback."""
    pool, host = seed(store)
    authenticator = FakeAuthenticator()
    # No handler here uses the hypervisor service: those of vm_messages() are the fake.
    services = Services(authenticator, hypervisor=None, host=FakeHost())  # type: ignore[arg-type]
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="agent", daemon=True)
    thread.start()
    core = Core.of(store, services)
    dispatcher = Dispatcher(core, [vm_messages()] if parts is None else parts)
    listen = Listen(certificate.certificate, certificate.key, ["127.0.0.1"], 0, 0, limits or Limits())
    server = Server(dispatcher, listen)
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(30)
        yield Agent(core, server, pool, host, authenticator, certificate, loop)
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(30)
        asyncio.run_coroutine_threadsafe(_end_tasks(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _end_tasks() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)

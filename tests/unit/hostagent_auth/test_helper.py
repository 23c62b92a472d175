"""The helper and the agent's side of it, over a real unix socket, against a PAM of the test's own."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hostagent.auth.client import HelperClient
from hostagent.auth.helper import _FAILURE_SECONDS, Helper, is_administrator, serve
from hostagent.auth.pam import PamOutcome
from hostagent.auth.protocol import HEADER, Reply, Request, Verdict


@dataclass
class FakePam:
    """Knows some passwords; `broken` users find PAM out of order, `slow` ones wait for the gate."""

    passwords: dict[str, str]
    gate: threading.Event = field(default_factory=threading.Event)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def check(self, user: str, password: str, origin: str) -> PamOutcome:
        self.asked.append((user, origin))
        if user == "slow":
            self.gate.wait(10)
        if user == "broken":
            return PamOutcome(ok=False, broken=True, text="Module is unknown")
        if user == "fault":
            raise RuntimeError("a fault")
        return PamOutcome(ok=self.passwords.get(user) == password, text="Authentication failure")


@dataclass
class FakeTime:
    """A clock that sleeping moves."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


PASSWORDS = {"root": "secret-1", "eve": "secret-2"}


def make(time: FakeTime | None = None) -> tuple[Helper, FakePam, FakeTime]:
    time = time or FakeTime()
    pam = FakePam(PASSWORDS)
    return Helper(pam, lambda user: user == "root", clock=time.clock, sleep=time.sleep), pam, time


@contextmanager
def serving(path: Path, helper: Helper, allowed: frozenset[int] | None = None) -> Iterator[HelperClient]:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen(64)
    users = frozenset({os.getuid()}) if allowed is None else allowed
    thread = threading.Thread(target=serve, args=(listener, helper), kwargs={"allowed": users, "idle_seconds": 0.05})
    # Failures that are remembered would keep it alive: the test ends with forgetting them.
    thread.start()
    try:
        yield HelperClient(str(path), timeout=10)
    finally:
        helper.throttle._counts.clear()
        thread.join(10)
        listener.close()
        assert not thread.is_alive()


async def test_right_and_wrong(tmp_path: Path) -> None:
    helper, pam, _ = make()
    with serving(tmp_path / "s", helper) as client:
        assert await client.ask("root", "secret-1", "192.0.2.1") == Reply(Verdict.OK)
        assert await client.ask("root", "wrong", "192.0.2.1") == Reply(Verdict.DENIED)
        assert await client.ask("nobody", "wrong", "192.0.2.1") == Reply(Verdict.DENIED)
        # The right password of somebody who is no administrator.
        assert await client.ask("eve", "secret-2", "192.0.2.1") == Reply(Verdict.DENIED)
    assert pam.asked[0] == ("root", "192.0.2.1")


async def test_every_failure_takes_the_same_time(tmp_path: Path) -> None:
    helper, _, time = make()
    for user, password in (("root", "wrong"), ("nobody", "x"), ("eve", "secret-2"), ("broken", "x")):
        before = time.now
        helper.decide(Request(user, password, user))
        assert time.now - before == pytest.approx(_FAILURE_SECONDS)
    before = time.now
    helper.decide(Request("root", "secret-1", "x"))
    assert time.now == before


def test_after_some_failures_pam_is_not_even_asked() -> None:
    helper, pam, time = make()
    verdicts = [helper.decide(Request("root", "wrong", "192.0.2.1")) for _ in range(12)]
    assert verdicts[0].verdict is Verdict.DENIED
    assert verdicts[-1].verdict is Verdict.LATER
    asked = len(pam.asked)
    late = helper.decide(Request("root", "secret-1", "192.0.2.1"))
    assert late.verdict is Verdict.LATER
    assert len(pam.asked) == asked
    time.now += late.retry_after + 0.1
    assert helper.decide(Request("root", "secret-1", "192.0.2.1")).verdict is Verdict.OK
    assert helper.idle() is False or not helper.throttle._counts


async def test_pam_out_of_order_is_an_error_not_a_refusal(tmp_path: Path) -> None:
    helper, _, _ = make()
    with serving(tmp_path / "s", helper) as client:
        assert await client.ask("broken", "x", "") == Reply(Verdict.ERROR)


async def test_a_fault_in_one_attempt_does_not_stop_the_helper(tmp_path: Path) -> None:
    helper, _, _ = make()
    with serving(tmp_path / "s", helper) as client:
        assert (await client.ask("fault", "x", "")).verdict is Verdict.ERROR
        assert (await client.ask("root", "secret-1", "")).verdict is Verdict.OK


async def test_one_origin_cannot_take_all_slots(tmp_path: Path) -> None:
    helper, pam, _ = make()
    with serving(tmp_path / "s", helper) as client:
        held = [asyncio.create_task(client.ask("slow", "x", "198.51.100.1")) for _ in range(6)]
        done, _ = await asyncio.wait(held, return_when=asyncio.FIRST_COMPLETED)
        assert {task.result().verdict for task in done} == {Verdict.LATER}
        assert (await client.ask("root", "secret-1", "192.0.2.1")).verdict is Verdict.OK
        pam.gate.set()
        await asyncio.gather(*held)


async def test_strangers_get_no_answer(tmp_path: Path) -> None:
    helper, pam, _ = make()
    with serving(tmp_path / "s", helper, allowed=frozenset({os.getuid() + 1})) as client:
        assert (await client.ask("root", "secret-1", "")).verdict is Verdict.ERROR
    assert not pam.asked


@pytest.mark.parametrize("data", [b"", b"\0\0", HEADER.pack(2**31), HEADER.pack(4) + b"null", HEADER.pack(9) + b"{"])
async def test_rubbish_is_dropped_and_the_helper_goes_on(tmp_path: Path, data: bytes) -> None:
    helper, pam, _ = make()
    with serving(tmp_path / "s", helper) as client:
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
        writer.write(data)
        writer.write_eof()
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        assert (await client.ask("root", "secret-1", "")).verdict is Verdict.OK
    assert len(pam.asked) == 1


async def test_no_helper_is_an_error_in_the_journal(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    reply = await HelperClient(str(tmp_path / "none")).ask("root", "secret-1", "")
    assert reply.verdict is Verdict.ERROR
    assert str(tmp_path / "none") in caplog.text


async def test_a_silent_helper_is_given_up(tmp_path: Path) -> None:
    async def silent(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(10)

    server = await asyncio.start_unix_server(silent, str(tmp_path / "s"))
    assert (await HelperClient(str(tmp_path / "s"), timeout=0.05).ask("root", "x", "")).verdict is Verdict.ERROR
    server.close()


async def test_what_cannot_be_a_name_is_not_even_sent(tmp_path: Path) -> None:
    client = HelperClient(str(tmp_path / "none"))
    for user, password in (("", "x"), ("a\nb", "x"), ("root", "x" * 5000), ("root", "\0"), ("\ud800", "x")):
        assert (await client.ask(user, password, "")).verdict is Verdict.DENIED


def test_no_password_in_the_journal(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    helper, _, _ = make()
    for user, password in (("root", "secret-1"), ("root", "secret-3"), ("eve", "secret-2"), ("broken", "secret-4")):
        helper.decide(Request(user, password, "192.0.2.1"))
    assert "root" in caplog.text
    assert "secret" not in caplog.text


def test_who_is_an_administrator(monkeypatch: pytest.MonkeyPatch) -> None:
    import grp
    import pwd

    users = {"root": 0, "toor": 0, "ann": 1000, "bob": 1001}
    groups: dict[str, list[int]] = {"ann": [1000, 950], "bob": [1001]}

    def getpwnam(name: str) -> object:
        uid = users[name]
        return pwd.struct_passwd((name, "x", uid, uid, "", "/", "/bin/sh"))

    monkeypatch.setattr(pwd, "getpwnam", getpwnam)
    monkeypatch.setattr(os, "getgrouplist", lambda name, _gid: groups[name])
    monkeypatch.setattr(grp, "getgrnam", lambda name: grp.struct_group((name, "x", 950, [])))
    expected: dict[str, bool] = {"root": True, "toor": True, "ann": True, "bob": False, "none": False}
    check: Callable[[str], bool] = is_administrator
    assert {name: check(name) for name in expected} == expected

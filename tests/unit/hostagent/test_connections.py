"""Idle, slow and numerous connections keep nobody out."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hostagent.store import Store
from hostagent.xenapi.connections import Limits
from tests.unit.hostagent.support import PASSWORD, USER, Agent, Certificate, running_agent


@pytest.fixture
def strict(store: Store, certificate: Certificate) -> Iterator[Agent]:
    limits = Limits(total=30, per_address=20, first_request=0.5, idle=0.5, body=0.5, handshake=1.0)
    with running_agent(store, certificate, limits) as running:
        yield running


def client(agent: Agent) -> requests.Session:
    http = requests.Session()
    http.trust_env = False
    http.verify = str(agent.certificate.certificate)
    return http


def answers(agent: Agent) -> bool:
    with client(agent) as http:
        return http.get(agent.url, timeout=20).status_code == 200


def tls(agent: Agent) -> socket.socket:
    raw = socket.create_connection(("127.0.0.1", agent.server.https_port), timeout=20)
    return agent.tls().wrap_socket(raw, server_hostname="127.0.0.1")


def closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(4096) == b""
    except OSError:
        return True


def test_two_hundred_idle_connections(agent: Agent) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(socket.create_connection(("127.0.0.1", agent.server.https_port)))
            stack.enter_context(socket.create_connection(("127.0.0.1", agent.server.http_port)))
        for _ in range(50):
            stack.enter_context(tls(agent))
        assert answers(agent)


def test_a_connection_that_says_nothing_is_closed(strict: Agent) -> None:
    assert closed(tls(strict))


def test_a_connection_that_speaks_slowly_is_closed(strict: Agent) -> None:
    connection = tls(strict)
    with contextlib.suppress(OSError):
        connection.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
    assert closed(connection)


def test_a_connection_that_never_shakes_hands_is_closed(strict: Agent) -> None:
    with socket.create_connection(("127.0.0.1", strict.server.https_port), timeout=20) as connection:
        assert closed(connection)


def test_a_body_that_does_not_come_is_given_up(strict: Agent) -> None:
    connection = tls(strict)
    connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n<meth")
    assert connection.recv(4096).startswith(b"HTTP/1.1 408 ")


def test_an_idle_connection_makes_room(strict: Agent) -> None:
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(tls(strict))
        for _ in range(25):
            stack.enter_context(tls(strict))
        assert closed(first)
        assert answers(strict)


def test_a_call_that_waits_is_not_idle(strict: Agent) -> None:
    with client(strict) as http:
        url = f"{strict.url}/jsonrpc"
        login = {"method": "session.login_with_password", "params": [USER, PASSWORD], "id": 1}
        session = http.post(url, json=login, timeout=20).json()["result"]
        wait = {"method": "event.from", "params": [session, ["VM"], "", 2.0], "id": 2}
        # Longer than an idle connection may live, while others push.
        result: list[object] = []
        thread = threading.Thread(target=lambda: result.append(http.post(url, json=wait, timeout=20).json()["result"]))
        thread.start()
        with contextlib.ExitStack() as stack:
            for _ in range(25):
                stack.enter_context(tls(strict))
            thread.join(20)
        assert isinstance(result[0], dict)
        assert result[0]["events"] == []


def login(agent: Agent, http: requests.Session) -> str:
    call = {"method": "session.login_with_password", "params": [USER, PASSWORD], "id": 1}
    return str(http.post(f"{agent.url}/jsonrpc", json=call, timeout=20).json()["result"])


def post(agent: Agent, call: dict[str, object]) -> socket.socket:
    """Send a call and do not read the answer."""
    body = json.dumps(call).encode()
    connection = tls(agent)
    connection.sendall(b"POST /jsonrpc HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    return connection


def waiting(agent: Agent) -> int:
    """Requests that are being answered."""

    async def count() -> int:
        return sum("_handle_request" in repr(task.get_coro()) for task in asyncio.all_tasks())

    return agent.run(count())


def eventually(good: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not good() and time.monotonic() < deadline:
        time.sleep(0.02)
    return good()


def test_who_goes_away_waits_no_longer(agent: Agent) -> None:
    with client(agent) as http:
        session = login(agent, http)
    call: dict[str, object] = {"method": "event.from", "params": [session, ["VM"], "", 3600.0], "id": 2}
    connections = [post(agent, call) for _ in range(5)]
    assert eventually(lambda: waiting(agent) == 5)
    for connection in connections:
        connection.close()
    assert eventually(lambda: waiting(agent) == 0)


def test_who_goes_away_leaves_no_half_done_work(agent: Agent) -> None:
    with client(agent) as http:
        session = login(agent, http)
    with agent.store.transaction() as tx:
        vm = tx.create("VM", {})
    post(agent, {"method": "VM.start", "params": [session, vm, False, False], "id": 2}).close()
    assert eventually(lambda: agent.store.get("VM", vm)["power_state"] == "Running")


def test_who_does_not_take_the_answer_is_cut_off(store: Store, certificate: Certificate) -> None:
    with running_agent(store, certificate, Limits(response=0.5)) as agent:
        with client(agent) as http:
            session = login(agent, http)
        with store.transaction() as tx:
            for _ in range(200):
                tx.create("network", {"name_description": "x" * 100_000})
        connection = post(agent, {"method": "network.get_all_records", "params": [session], "id": 2})
        assert connection.recv(8) == b"HTTP/1.1"
        assert eventually(lambda: len(agent.server.connections) == 0)
        connection.close()
        assert answers(agent)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(min_size=1, max_size=300), head=st.sampled_from([b"", b"POST / HTTP/1.1\r\n", b"GET "]))
def test_any_bytes_do_no_harm(agent: Agent, data: bytes, head: bytes) -> None:
    with (
        socket.create_connection(("127.0.0.1", agent.server.http_port), timeout=20) as plain,
        contextlib.suppress(OSError),
    ):
        plain.sendall(head + data)
        plain.shutdown(socket.SHUT_WR)
        while plain.recv(4096):
            pass
    assert answers(agent)


def test_a_header_too_large_is_refused(agent: Agent) -> None:
    connection = tls(agent)
    with contextlib.suppress(OSError):
        connection.sendall(b"GET / HTTP/1.1\r\n" + b"X: " + b"x" * 100_000 + b"\r\n\r\n")
    # Closed while we were still sending is as good.
    with contextlib.suppress(ConnectionError):
        assert connection.recv(4096)[8:13] in (b"", b" 400 ")
    assert answers(agent)

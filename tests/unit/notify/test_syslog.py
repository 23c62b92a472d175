"""Syslog against real sockets."""

from __future__ import annotations

import re
import select
import ssl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.notify.receivers import free_port, syslog_tcp, syslog_udp, wait_for
from tests.unit.spec.webserver import Authority
from zeroth.errors import UserError
from zeroth.notify.courier import Courier, Message
from zeroth.notify.syslog import SyslogSender, syslog_body
from zeroth.progress import Event, EventKind
from zeroth.spec.fetch.found import Unreachable
from zeroth.spec.model import SyslogProtocol, SyslogTarget

TIME = "2026-11-25T11:00:00.123+00:00"
# RFC 5424, section 6, without structured data.
FORM = re.compile(rb"<(\d{1,3})>1 (\S+) (\S{1,255}) (\S{1,48}) - ([!-~]{1,32}) - \xef\xbb\xbf(.*)", re.DOTALL)


def _event(kind: EventKind = EventKind.LOG, message: str = "", path: tuple[str, ...] = ("Install", "Disk")) -> Event:
    return Event(kind, path, TIME, message, seconds=1.5 if kind is EventKind.DONE else None)


def _message(text: str) -> Message:
    return Message(0, "LOG", syslog_body(_event(message=text), "host1"))


def _target(port: int, protocol: SyslogProtocol = SyslogProtocol.UDP) -> SyslogTarget:
    """On loopback, which no answer may name."""
    return SyslogTarget.model_construct(server="127.0.0.1", port=port, protocol=protocol)


def test_the_form() -> None:
    assert syslog_body(_event(message="hello"), "host1") == (
        b"<30>1 2026-11-25T11:00:00.123Z host1 zeroth-installer - LOG - \xef\xbb\xbfhello"
    )
    assert syslog_body(_event(EventKind.DONE), "h").endswith(b"DONE - \xef\xbb\xbfInstall: Disk: done (1.5 s)")
    assert syslog_body(_event(EventKind.FAIL, "no"), "h").startswith(b"<27>1 ")


@given(st.text(max_size=3000), st.sampled_from(EventKind), st.lists(st.text(max_size=40), min_size=1, max_size=3))
def test_any_event_is_a_message(text: str, kind: EventKind, path: list[str]) -> None:
    try:
        text.encode()
        "".join(path).encode()
    except UnicodeEncodeError:
        return
    body = syslog_body(_event(kind, text, tuple(path)), "host1")
    assert len(body) <= 2048
    match = FORM.fullmatch(body)
    assert match
    assert match[6].decode().isprintable()


def test_udp() -> None:
    with syslog_udp() as server:
        sender = SyslogSender(_target(server.port))
        sender(_message("one"))
        sender(_message("two"))
        assert wait_for(lambda: len(server.datagrams) == 2)
        assert [FORM.fullmatch(it)[6] for it in server.datagrams] == [b"one", b"two"]  # type: ignore[index]


def test_tcp_keeps_its_connection() -> None:
    with syslog_tcp() as server:
        sender = SyslogSender(_target(server.port, SyslogProtocol.TCP))
        for number in range(50):
            sender(_message(f"{number} \N{SNOWMAN}"))
        assert wait_for(lambda: len(server.messages) == 50)
        assert server.connections == 1
        assert server.messages[49].endswith("49 \N{SNOWMAN}".encode())


def test_tcp_comes_back_when_the_server_does() -> None:
    port = free_port()
    sender = SyslogSender(_target(port, SyslogProtocol.TCP))
    with pytest.raises(Unreachable, match="cannot send to syslog 127.0.0.1 port .*refused"):
        sender(_message("lost"))
    courier = Courier("syslog", sender, pause=0.05)
    courier.put(_message("first"))
    with syslog_tcp(port=port, hang_up_after=10) as server:
        assert wait_for(lambda: len(server.messages) == 1)
        # Its hanging up is noticed before the next is sent.
        assert wait_for(lambda: sender._socket is not None and _hung_up(sender))
        courier.put(_message("second"))
        assert courier.close(20) == ""
        assert wait_for(lambda: len(server.messages) == 2)
        assert server.connections == 2


def _hung_up(sender: SyslogSender) -> bool:
    assert sender._socket
    return bool(select.select([sender._socket], [], [], 0)[0])


def test_an_authority_without_key_identifiers_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = ssl.create_default_context

    def strict() -> ssl.SSLContext:
        """What Python gives since 3.13."""
        context = begin()
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)
    authority = Authority(tmp_path)
    with syslog_tcp(authority.certificate("log")) as server:
        SyslogSender(_target(server.port, SyslogProtocol.TLS), authority.pem)(_message("one"))
        assert wait_for(lambda: len(server.messages) == 1)


def test_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with syslog_tcp(authority.certificate("log")) as server:
        target = _target(server.port, SyslogProtocol.TLS)
        sender = SyslogSender(target, authority.pem)
        for text in ("one", "two", "three"):
            sender(_message(text))
        assert wait_for(lambda: len(server.messages) == 3)
        assert server.connections == 1
        with pytest.raises(UserError, match="certificate does not verify") as failure:
            SyslogSender(target)(_message("nobody knows it"))
        assert not isinstance(failure.value, Unreachable)
        with pytest.raises(UserError, match="the medium's authorities are damaged"):
            SyslogSender(target, "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")(_message("x"))

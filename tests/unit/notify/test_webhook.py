"""Webhooks against real servers: what they get, by whom, and what happens when they fail."""

from __future__ import annotations

import hashlib
import hmac
import ssl
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.unit.notify.receivers import receiver
from tests.unit.spec.webserver import Authority, Credentials
from zeroth.errors import UserError
from zeroth.notify.courier import Message
from zeroth.notify.webhook import webhook_sender
from zeroth.spec.fetch.found import Unreachable
from zeroth.spec.model import Webhook

MESSAGE = Message(7, "STARTED", b'{"event": "STARTED"}')


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def _fingerprint(credentials: Credentials) -> str:
    pem = credentials.path.read_text().partition("-----BEGIN PRIVATE")[0]
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def test_what_is_sent(authority: Authority) -> None:
    with receiver(authority.certificate("server")) as server:
        webhook = Webhook(url=server.url, secret=SecretStr("sesame"), token=SecretStr("bear"))
        webhook_sender(webhook, "run-1", authority.pem)(MESSAGE)
    headers = server.taken[0].headers
    expected = "sha256=" + hmac.new(b"sesame", server.taken[0].body, hashlib.sha256).hexdigest()
    assert headers["Zeroth-Signature"] == expected
    assert headers["Authorization"] == "Bearer bear"
    assert headers["Zeroth-Delivery"] == "run-1/7"
    assert (headers["Zeroth-Event"], headers["Content-Type"]) == ("STARTED", "application/json")


def test_a_server_known_by_its_certificate(authority: Authority) -> None:
    good, other = authority.certificate("server"), authority.certificate("other")
    with receiver(good) as server:
        webhook_sender(Webhook(url=server.url, certificate=_fingerprint(good)), "run")(MESSAGE)
        assert len(server.taken) == 1
        wrong = Webhook(url=server.url, certificate=_fingerprint(other), token=SecretStr("bear-token"))
        with pytest.raises(UserError, match=f"its certificate is {_fingerprint(good)}, which is not") as failure:
            webhook_sender(wrong, "run", authority.pem)(MESSAGE)
        assert not isinstance(failure.value, Unreachable)
        assert len(server.tried) == 1, "not a byte goes to the wrong server"


def test_a_server_that_nobody_knows(authority: Authority) -> None:
    with receiver(authority.certificate("server")) as server:
        with pytest.raises(UserError, match="cannot send to .*certificate does not verify") as failure:
            webhook_sender(Webhook(url=server.url), "run")(MESSAGE)
        assert not isinstance(failure.value, Unreachable)
        assert not server.tried


@pytest.mark.parametrize("status", [0, 408, 429, 500, 502, 503, 507])
def test_what_may_go_better_later(status: int) -> None:
    with receiver() as server:
        server.answers = [status]
        send = webhook_sender(Webhook(url=server.url + "?key=in-query"), "run")
        with pytest.raises(Unreachable) as failure:
            send(MESSAGE)
        assert "in-query" not in failure.value.message
        send(MESSAGE)
        assert [post.headers["Zeroth-Delivery"] for post in server.tried] == ["run/7", "run/7"]


@pytest.mark.parametrize("status", [302, 400, 401, 404, 413])
def test_what_will_not(status: int) -> None:
    with receiver() as server:
        server.answers = [status]
        with pytest.raises(UserError, match=f"the server answered {status}") as failure:
            webhook_sender(Webhook(url=server.url), "run")(MESSAGE)
        assert not isinstance(failure.value, Unreachable)
        assert len(server.tried) == 1

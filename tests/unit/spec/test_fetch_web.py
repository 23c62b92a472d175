"""Answers by HTTP and HTTPS, from servers on loopback: who is trusted, what is told to whom, and faults."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.unit.spec.webserver import ANSWER, SIGNATURE, Authority, Credentials, WebServer, web_server
from zeroth.errors import UserError
from zeroth.spec import AnswerErrors, AnswerText
from zeroth.spec.fetch.found import Unreachable
from zeroth.spec.fetch.pins import Pin, parse_pins
from zeroth.spec.fetch.web import Trust, fetch_web

_OTHER_PIN = Pin(bytes(32))


@pytest.fixture
def server() -> Iterator[WebServer]:
    """A server without TLS."""
    with web_server() as running:
        yield running


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that no system knows."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def credentials(authority: Authority) -> Credentials:
    """A good certificate."""
    return authority.certificate("good")


@pytest.fixture
def tls(credentials: Credentials) -> Iterator[WebServer]:
    """A server with TLS."""
    with web_server(credentials) as running:
        yield running


def test_an_answer_is_fetched(server: WebServer) -> None:
    found = fetch_web(server.url("/ok/host%201.ks?x=1"))
    assert (found.data, found.name) == (ANSWER, "host 1.ks")
    assert found.origin == server.url("/ok/host%201.ks")


@pytest.mark.parametrize(
    ("path", "name"),
    [("/moved/host.ks", "host.ks"), ("/typed/host1", "host1.ks"), ("/named/host1", "host 7.yaml"),
     ("/named/host1.ks", "host1.ks"), ("/ok/host1", "host1"), ("/typed/", "typed.ks"), ("/chunks/a.ks", "a.ks")],
)  # fmt: skip
def test_what_the_answer_is_called(server: WebServer, path: str, name: str) -> None:
    found = fetch_web(server.url(path))
    assert (found.name, found.data) == (name, ANSWER)


def test_a_password_is_sent_but_never_shown(server: WebServer) -> None:
    found = fetch_web(server.url("/ok/host.ks", user="me:hunter2@"))
    assert "hunter2" not in found.origin
    assert server.asked[0][1]["Authorization"] == "Basic bWU6aHVudGVyMg=="
    for path in ("/missing/host.ks", "/busy/host.ks", "/cut/host.ks", "/round/host.ks", "/unmeasured/host.ks"):
        with pytest.raises(UserError) as caught:
            fetch_web(server.url(path, user="me:hunter2@"))
        assert "hunter2" not in f"{caught.value}{caught.value.hint}"
    with pytest.raises(UserError) as caught:
        fetch_web("http://me:hunter2@127.0.0.1:9/host.ks")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/missing/host.ks", "the server answered 404"),
        ("/round/host.ks", "leads on and on"),
        ("/unmeasured/host.ks", "does not say how long"),
    ],
)
def test_why_it_cannot_be_had_at_all(server: WebServer, path: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        fetch_web(server.url(path))
    assert not isinstance(caught.value, Unreachable)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/busy/host.ks", "the server answered 503"),
        ("/cut/host.ks", "cut short"),
        ("/chunks-cut/host.ks", "cut short"),
        ("/slow/host.ks", r"did not come within 0\.5 s"),
    ],
)
def test_what_may_go_better_next_time(server: WebServer, path: str, message: str) -> None:
    with pytest.raises(Unreachable, match=message):
        fetch_web(server.url(path), longest=0.5)


@pytest.mark.parametrize("url", ["http://", "http:///x.ks", "http://[::1/x.ks", "http://a:99999/x.ks"])
def test_no_address(url: str) -> None:
    with pytest.raises(UserError, match="names no server|malformed"):
        fetch_web(url)


def test_nobody_answers() -> None:
    with pytest.raises(Unreachable, match="cannot fetch http://127.0.0.1:9/x.ks"):
        fetch_web("http://127.0.0.1:9/x.ks")


def test_no_more_is_read_than_an_answer_may_have(server: WebServer) -> None:
    found = fetch_web(server.url("/endless/host.ks"))
    assert len(found.data) == (1 << 20) + 1
    with pytest.raises(AnswerErrors, match="larger than 1 MiB"):
        AnswerText.from_bytes(found.data, found.name)


def test_the_signature_lies_beside_the_answer(server: WebServer) -> None:
    assert fetch_web(server.url("/signed/a.ks?x=1"), signature=True).signature == SIGNATURE.decode()
    assert [path for path, _ in server.asked] == ["/signed/a.ks?x=1", "/signed/a.ks.minisig?x=1"]
    assert fetch_web(server.url("/ok/a.ks"), signature=True).signature == ""
    assert fetch_web(server.url("/signed/a.ks")).signature == ""
    assert fetch_web(server.url("/all/a.ks"), signature=True).signature == "", "an answer is no signature"


def test_the_machine_says_who_it_is(server: WebServer) -> None:
    fetch_web(server.url("/signed/a.ks"), headers={"Zeroth-UUID": "1-2-3"}, signature=True)
    assert [headers["Zeroth-UUID"] for _, headers in server.asked] == ["1-2-3", "1-2-3"]
    assert server.asked[0][1]["Accept-Encoding"] == "identity"


def test_only_known_authorities_are_trusted(tls: WebServer, authority: Authority, tmp_path: Path) -> None:
    url = tls.url("/ok/host.ks")
    with pytest.raises(UserError, match="certificate does not verify") as caught:
        fetch_web(url)
    assert not isinstance(caught.value, Unreachable)
    assert fetch_web(url, Trust(authorities=authority.pem)).data == ANSWER
    with pytest.raises(UserError, match="certificate does not verify"):
        fetch_web(url, Trust(authorities=Authority(tmp_path).pem))
    with pytest.raises(UserError, match="certificate does not verify"):
        fetch_web(url)


@pytest.mark.parametrize(
    ("name", "address", "begin", "end", "message"),
    [
        ("other", "192.0.2.1", -1, 1, "mismatch|valid for"),
        ("early", "127.0.0.1", 1, 2, "not yet valid"),
        ("late", "127.0.0.1", -2, -1, "expired"),
    ],
)
def test_a_pin_counts_where_name_and_dates_do_not(
    authority: Authority, name: str, address: str, begin: int, end: int, message: str
) -> None:
    made = authority.certificate(name, address, timedelta(days=begin), timedelta(days=end))
    with web_server(made) as running:
        url = running.url("/ok/host.ks")
        with pytest.raises(UserError, match=message) as caught:
            fetch_web(url, Trust(authorities=authority.pem))
        assert ("clock says" in caught.value.hint) == (name != "other")
        assert fetch_web(url, Trust(pins=(_OTHER_PIN, made.pin))).data == ANSWER


def test_another_key_than_the_pinned_one(tls: WebServer, authority: Authority, credentials: Credentials) -> None:
    with pytest.raises(UserError, match=r"its key is sha256//\S+, which is not the one") as caught:
        fetch_web(tls.url("/ok/host.ks"), Trust(authorities=authority.pem, pins=(_OTHER_PIN,), token="hunter2"))
    assert str(credentials.pin) in str(caught.value)
    assert not isinstance(caught.value, Unreachable)
    assert not tls.asked, "nothing was sent to it"


def test_the_token_is_for_the_one_server_alone(tls: WebServer, server: WebServer, credentials: Credentials) -> None:
    trust = Trust(pins=(credentials.pin,), token="hunter2")
    assert fetch_web(tls.url("/moved/host.ks"), trust).data == ANSWER
    assert [headers["Authorization"] for _, headers in tls.asked] == ["Bearer hunter2"] * 2
    with web_server(credentials) as other:
        tls.elsewhere = other.url("").replace("127.0.0.1", "localhost")
        assert fetch_web(tls.url("/elsewhere/host.ks"), trust).data == ANSWER
        assert "Authorization" not in other.asked[0][1]
    fetch_web(server.url("/ok/host.ks"), trust)
    assert "Authorization" not in server.asked[0][1], "never without TLS"
    assert "hunter2" not in repr(trust)


def test_https_stays_https_and_the_pin_holds_for_whoever_it_leads_to(
    tls: WebServer, authority: Authority, credentials: Credentials
) -> None:
    with pytest.raises(UserError, match="leads from https to an address without it"):
        fetch_web(tls.url("/away/host.ks"), Trust(authorities=authority.pem))
    with web_server(authority.certificate("second")) as other:
        tls.elsewhere = other.url("")
        assert fetch_web(tls.url("/elsewhere/host.ks"), Trust(authorities=authority.pem)).data == ANSWER
        with pytest.raises(UserError, match="its key is"):
            fetch_web(tls.url("/elsewhere/host.ks"), Trust(pins=(credentials.pin,)))


def test_no_tls_where_it_should_be(server: WebServer) -> None:
    with pytest.raises(UserError, match="does not speak TLS"):
        fetch_web(server.url("/ok/host.ks").replace("http:", "https:"))


def test_pins_are_written_as_curl_writes_them(credentials: Credentials) -> None:
    assert parse_pins(f"{credentials.pin}; {_OTHER_PIN}") == (credentials.pin, _OTHER_PIN)
    for bad in (
        "",
        "sha256//",
        "sha256//AAAA",
        str(_OTHER_PIN).replace("sha256", "sha1"),
        f"{_OTHER_PIN};",
        "x" * 999,
    ):
        with pytest.raises(UserError, match="is not a pin"):
            parse_pins(bad)

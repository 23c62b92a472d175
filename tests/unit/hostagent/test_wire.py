"""What goes over the wire, byte for byte."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.unit.hostagent.support import PASSWORD, USER, Agent, make_certificate
from zeroth.errors import UserError

Answer = Any

LOGIN_XML = (
    "<methodCall><methodName>session.login_with_password</methodName><params>"
    f"<param><value>{USER}</value></param><param><value><string>geheim &amp; &lt;gut&gt;</string></value></param>"
    "</params></methodCall>"
)


@pytest.fixture
def http(agent: Agent) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False  # its CA bundle would come before ours
        session.verify = str(agent.certificate.certificate)
        yield session


def rpc(agent: Agent, http: requests.Session, method: str, *params: object, **more: object) -> Answer:
    answer = http.post(f"{agent.url}/jsonrpc", json={"method": method, "params": params, "id": 7, **more}, timeout=20)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    return answer.json()


@pytest.fixture
def session(agent: Agent, http: requests.Session) -> str:
    return str(rpc(agent, http, "session.login_with_password", USER, PASSWORD)["result"])


@pytest.mark.parametrize("path", ["/", "/RPC2", "/xmlrpc", "/xmlrpc/", "/anything/at/all"])
def test_xml_at_any_path(agent: Agent, http: requests.Session, path: str) -> None:
    answer = http.post(agent.url + path, data=LOGIN_XML, timeout=20)
    assert answer.headers["Content-Type"] == "text/xml"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert re.fullmatch(
        r'<\?xml version="1.0"\?><methodResponse><params><param><value><struct>'
        r"<member><name>Status</name><value>Success</value></member>"
        r"<member><name>Value</name><value>OpaqueRef:[0-9a-f-]{36}</value></member>"
        r"</struct></value></param></params></methodResponse>",
        answer.text,
    )


def test_xml_of_every_type(agent: Agent, http: requests.Session, session: str) -> None:
    with agent.store.transaction() as tx:
        tx.update("host", agent.host, bios_strings={"vendor": 'A&B "<x>"'}, tags=["t"])
    body = (
        f"<methodCall><methodName>host.get_record</methodName><params><param><value>{session}</value></param>"
        f"<param><value>{agent.host}</value></param></params></methodCall>"
    )
    text = http.post(agent.url, data=body, timeout=20).text
    assert not re.search(r">\s+<", text)
    assert "<int>" not in text
    assert "<i4>" not in text
    assert "<member><name>API_version_major</name><value>2</value></member>" in text
    assert "<member><name>enabled</name><value><boolean>1</boolean></value></member>" in text
    assert "<value><dateTime.iso8601>19700101T00:00:00Z</dateTime.iso8601></value>" in text
    assert "<name>tags</name><value><array><data><value>t</value></data></array></value>" in text
    assert "<value>A&amp;B &quot;&lt;x&gt;&quot;</value>" in text
    assert "<name>crash_dump_sr</name><value>OpaqueRef:NULL</value>" in text


def test_void_is_an_empty_string(agent: Agent, http: requests.Session, session: str) -> None:
    body = (
        f"<methodCall><methodName>session.logout</methodName><params><param><value>{session}</value></param></params>"
        "</methodCall>"
    )
    assert "<name>Value</name><value></value>" in http.post(agent.url, data=body, timeout=20).text


def test_reference_counts_alone_are_i4(agent: Agent, http: requests.Session, session: str) -> None:
    body = (
        f"<methodCall><methodName>event.from</methodName><params><param><value>{session}</value></param>"
        "<param><value><array><data><value>pool</value></data></array></value></param><param><value></value></param>"
        "<param><value><int>1</int></value></param></params></methodCall>"
    )
    text = http.post(agent.url, data=body, timeout=20).text
    assert "<member><name>host</name><value><i4>1</i4></value></member>" in text
    assert re.search(r"<name>token</name><value>\d{20},0{20}</value>", text)
    assert re.search(r"<name>id</name><value>\d+</value>", text)


def test_xml_integers_come_in_many_ways(agent: Agent, http: requests.Session, session: str) -> None:
    for form in ("<value>1400</value>", "<value><int>1400</int></value>", "<value>\n <i4>1400</i4>\n</value>"):
        with agent.store.transaction() as tx:
            network = tx.create("network", {})
        body = (
            "<?xml version='1.0'?>\n<methodCall>\n<methodName>network.set_MTU</methodName>\n<params>\n"
            f"<param>\n<value><string>{session}</string></value>\n</param><param><value>{network}</value></param>"
            f"<param>{form}</param></params></methodCall>"
        )
        assert "Success" in http.post(agent.url, data=body, timeout=20).text
        assert agent.store.get("network", network)["MTU"] == 1400


def test_json_1(agent: Agent, http: requests.Session, session: str) -> None:
    assert rpc(agent, http, "pool.get_all", session) == {"result": [agent.pool], "error": None, "id": 7}
    error = ["HANDLE_INVALID", "host", "OpaqueRef:x"]
    assert rpc(agent, http, "host.get_uuid", session, "OpaqueRef:x") == {"result": None, "error": error, "id": 7}


def test_json_2(agent: Agent, http: requests.Session, session: str) -> None:
    two = {"jsonrpc": "2.0"}
    assert rpc(agent, http, "pool.get_all", session, **two) == {"jsonrpc": "2.0", "result": [agent.pool], "id": 7}
    assert rpc(agent, http, "host.get_uuid", session, "OpaqueRef:x", **two) == {
        "jsonrpc": "2.0",
        "error": {"code": 1, "message": "HANDLE_INVALID", "data": ["host", "OpaqueRef:x"]},
        "id": 7,
    }
    assert rpc(agent, http, "session.logout", session, **two)["result"] == ""


def test_json_has_native_types(agent: Agent, http: requests.Session, session: str) -> None:
    host = rpc(agent, http, "host.get_record", session, agent.host)["result"]
    assert host["API_version_major"] == 2
    assert host["enabled"] is True
    assert host["ssh_expiry"] == "19700101T00:00:00Z"
    assert host["virtual_hardware_platform_versions"] == [0]


def test_json_list_methods_is_a_bare_list(agent: Agent, http: requests.Session) -> None:
    assert "pool.get_all_records" in rpc(agent, http, "system.listMethods", jsonrpc="2.0")["result"]


def test_a_session_of_one_protocol_is_good_in_the_other(agent: Agent, http: requests.Session, session: str) -> None:
    body = (
        f"<methodCall><methodName>pool.get_all</methodName><params><param><value>{session}</value></param></params>"
        "</methodCall>"
    )
    assert agent.pool in http.post(agent.url, data=body, timeout=20).text


MALFORMED = {
    "empty": ("/", b""),
    "unclosed": ("/", b"<methodCall>"),
    "no method": ("/", b"<methodCall></methodCall>"),
    "binary": ("/", b"\xff\xfe\x00"),
    "deep": ("/", b"<a>" * 50000),
    "deep value": ("/", b"<methodCall><methodName>a</methodName><params><param>" + b"<value><array><data>" * 3000),
    "entity": ("/", b'<!DOCTYPE x [<!ENTITY e "eeee">]><methodCall><methodName>&e;</methodName></methodCall>'),
    "outside entity": (
        "/",
        b'<!DOCTYPE x SYSTEM "http://127.0.0.1/x"><methodCall><methodName>a</methodName></methodCall>',
    ),
    "encoding": ("/", b'<?xml version="1.0" encoding="nonsense"?><methodCall/>'),
    "not an int": (
        "/",
        b"<methodCall><methodName>a</methodName><params><param><value><int>x</int></value></param></params></methodCall>",
    ),
    "json empty": ("/jsonrpc", b""),
    "json list": ("/jsonrpc", b"[]"),
    "json batch": ("/jsonrpc", b'[{"method": "a", "params": [], "id": 1}]'),
    "json without id": ("/jsonrpc", b'{"method": "a", "params": []}'),
    "json null id": ("/jsonrpc", b'{"method": "a", "params": [], "id": null}'),
    "json named params": ("/jsonrpc", b'{"method": "a", "params": {}, "id": 1}'),
    "json NaN": ("/jsonrpc", b'{"method": "a", "params": [NaN], "id": 1}'),
    "json half a surrogate": ("/jsonrpc", b'{"method": "\\ud800", "params": [], "id": 1}'),
    "json deep": ("/jsonrpc", b"[" * 100000),
    "json long number": ("/jsonrpc", b'{"method": "a", "id": 1, "params": [' + b"9" * 5000 + b"]}"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_bodies(agent: Agent, http: requests.Session, case: str) -> None:
    path, body = MALFORMED[case]
    answer = http.post(agent.url + path, data=body, timeout=20)
    assert answer.status_code == 500
    assert answer.headers["Content-Type"].startswith("text/html")
    assert len(answer.content) < 1000
    assert "Traceback" not in answer.text
    assert http.get(agent.url, timeout=20).status_code == 200


def test_a_large_body_is_refused_before_it_is_sent(agent: Agent) -> None:
    raw = _connect(agent)
    raw.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10485760\r\n\r\n<methodCall>")
    assert raw.recv(4096).startswith(b"HTTP/1.1 413 ")
    raw.close()


def test_a_large_body_without_a_length_is_refused(agent: Agent, http: requests.Session) -> None:
    chunks = (b"x" * 65536 for _ in range(160))
    try:
        answer = http.post(agent.url, data=chunks, timeout=20)
    except requests.exceptions.ConnectionError:
        pass  # refused so early that the client was still sending
    else:
        assert answer.status_code == 413
    assert http.get(agent.url, timeout=20).status_code == 200


def test_continue_is_said_only_to_what_will_be_read(agent: Agent) -> None:
    for length, begins in ((10, b"HTTP/1.1 100 "), (400_000, b"HTTP/1.1 413 ")):
        raw = _connect(agent)
        raw.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % length)
        assert raw.recv(4096).startswith(begins)
        raw.close()


def test_a_body_just_within_the_limit_is_taken(agent: Agent, http: requests.Session) -> None:
    body = LOGIN_XML.encode().ljust(300 * 1024)
    assert "Success" in http.post(agent.url, data=body, timeout=20).text
    assert http.post(agent.url, data=body + b" ", timeout=20).status_code == 413


def test_options(agent: Agent, http: requests.Session) -> None:
    for path in ("/", "/jsonrpc"):
        answer = http.options(agent.url + path, timeout=20)
        assert answer.status_code == 200
        assert answer.headers["Access-Control-Allow-Headers"] == "X-Requested-With"


def test_pages(agent: Agent, http: requests.Session) -> None:
    front = http.get(agent.url, timeout=20)
    assert "<h1>zeroth-test</h1>" in front.text
    assert front.headers["Server"] == "zeroth"
    assert http.get(agent.url + "/nothing", timeout=20).status_code == 404
    assert http.put(agent.url + "/nothing", timeout=20).status_code == 501


def test_names_on_the_front_page_are_escaped(agent: Agent, http: requests.Session) -> None:
    with agent.store.transaction() as tx:
        tx.update("host", agent.host, name_label="<script>")
    assert "<script>" not in http.get(agent.url, timeout=20).text


def test_plain_http_only_points_to_https(agent: Agent) -> None:
    plain = f"http://127.0.0.1:{agent.server.http_port}"
    page = requests.get(f"{plain}/a?b=c", timeout=20, allow_redirects=False)
    assert page.status_code == 301
    assert page.headers["Location"] == f"{agent.url}/a?b=c"
    call = requests.post(plain, data=LOGIN_XML, timeout=20, allow_redirects=False)
    assert call.status_code == 308
    assert call.headers["Location"] == f"{agent.url}/"
    assert "https://" in call.text
    assert not agent.authenticator.origins
    odd = requests.get(plain, headers={"Host": 'evil"><script>'}, timeout=20, allow_redirects=False)
    assert "script" not in odd.headers["Location"]


@pytest.mark.filterwarnings("ignore:.*TLSv1_1 is deprecated")
def test_old_tls_is_refused(agent: Agent) -> None:
    context = ssl.create_default_context(cafile=str(agent.certificate.certificate))
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", agent.server.https_port)) as raw, pytest.raises(ssl.SSLError):
        context.wrap_socket(raw, server_hostname="127.0.0.1")


def test_a_login_by_json_and_xml_is_the_same_refusal(agent: Agent, http: requests.Session) -> None:
    error = ["SESSION_AUTHENTICATION_FAILED", USER, "Authentication failure"]
    assert rpc(agent, http, "session.login_with_password", USER, "no")["error"] == error
    answer = http.post(agent.url, data=LOGIN_XML.replace("geheim", "falsch"), timeout=20)
    assert "".join(f"<value>{word}</value>" for word in error) in answer.text


def _connect(agent: Agent) -> ssl.SSLSocket:
    raw = socket.create_connection(("127.0.0.1", agent.server.https_port), timeout=20)
    return agent.tls().wrap_socket(raw, server_hostname="127.0.0.1")


def test_a_new_certificate_is_taken_without_a_restart(agent: Agent, tmp_path: Path) -> None:
    held = _connect(agent)
    old = agent.certificate.certificate.read_bytes(), agent.certificate.key.read_bytes()
    new = make_certificate(tmp_path)
    try:
        agent.certificate.certificate.write_bytes(new.certificate.read_bytes())
        with pytest.raises(UserError, match="certificate cannot be used"):  # it does not match the key
            agent.call(agent.server.reload_certificate)
        agent.certificate.key.write_bytes(new.key.read_bytes())
        agent.call(agent.server.reload_certificate)
        fresh = _connect(agent)
        assert fresh.getpeercert(binary_form=True) != held.getpeercert(binary_form=True)
        held.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert held.recv(4096).startswith(b"HTTP/1.1 200 ")
    finally:
        agent.certificate.certificate.write_bytes(old[0])
        agent.certificate.key.write_bytes(old[1])


def test_a_large_answer_has_the_same_form(agent: Agent, http: requests.Session, session: str) -> None:
    with agent.store.transaction() as tx:
        refs = {tx.create("VM", {"name_label": f"é{number}"}) for number in range(100)}
    call = {"method": "VM.get_all_records", "params": [session], "id": 7}
    answer = http.post(f"{agent.url}/jsonrpc", json=call, timeout=20)
    assert answer.headers["Content-Type"] == "application/json"
    assert int(answer.headers["Content-Length"]) == len(answer.content) > 200_000
    assert set(answer.json()["result"]) == refs

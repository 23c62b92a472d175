"""Clients that mean harm, or do not know better: each is answered or refused, and the agent goes on."""

from __future__ import annotations

import contextlib
import http.client
import socket

from tests.lab.answers import PASSWORD
from tests.lab.checks import AGENT_PID, agent_memory
from tests.lab.golden import resume
from tests.lab.host import Host
from tests.lab.scenario import scenario
from tests.lab.stage import Stage, expect
from tests.lab.web import api, certificate, connection, log_in, logged_in


@scenario(minutes=3, main=True, after=("iso-bios",))
def abuse(stage: Stage) -> None:
    """Wrong passwords, methods, references and bodies, 10 MB at once, 200 idle connections: the agent goes on."""
    host = resume(stage)
    authority = certificate(host)
    pid = host.ssh(AGENT_PID).strip()
    expect(pid not in ("", "0"), "the agent does not run")
    session = logged_in(host, authority, PASSWORD)
    with stage.step("wrong calls"):
        _error(log_in(host, authority, "wrong"), "SESSION_AUTHENTICATION_FAILED")
        _error(api(host, authority, "VM.no_such_message", session), "MESSAGE_METHOD_UNKNOWN")
        _error(api(host, authority, "no such method at all"), "MESSAGE_METHOD_UNKNOWN")
        _error(api(host, authority, "VM.get_record", session, "OpaqueRef:nothing"), "HANDLE_INVALID")
        _error(api(host, authority, "VM.get_all", "OpaqueRef:nobody"), "SESSION_INVALID")
        _error(api(host, authority, "VM.get_record", session), "MESSAGE_PARAMETER_COUNT_MISMATCH")
    with stage.step("wrong bodies"):
        for kind, body in _BODIES.items():
            status = _post(host, authority, body)
            stage.log(f"{kind}: {status or 'hung up'}")
            # XML-RPC has no error for what is no call: XenAPI servers answer such a body with 400 or 500 and a page.
            expect(status in (None, 400, 500), f"{kind} made the agent answer HTTP {status}")
            _alive(host, authority, session, kind)
        status = _post(host, authority, b"<x>" * ((10 << 20) // 3))
        expect(status in (None, 400, 413), f"a body of 10 MB was answered with HTTP {status}")
        _alive(host, authority, session, "a body of 10 MB")
    with stage.step("200 idle connections"), contextlib.ExitStack() as idle:
        for _ in range(200):
            with contextlib.suppress(OSError):
                idle.enter_context(socket.create_connection(("127.0.0.1", host.forwards[443]), 10))
        _alive(host, authority, session, "200 idle connections")
    expect(host.ssh(AGENT_PID).strip() == pid, "the agent was started anew meanwhile")
    used = agent_memory(host)
    stage.log(f"the agent now uses {used} MiB")
    expect(used < 400, f"the agent uses {used} MiB after all this")


_DEEP = b"<methodCall>" + b"<a>" * 20000
_BODIES = {
    "an empty body": b"",
    "no XML": b"\x00\xff not xml at all",
    "half an XML-RPC call": b"<?xml version='1.0'?><methodCall><methodName>session.log",
    "XML without end": _DEEP,
    "entities that grow": (
        b'<?xml version="1.0"?><!DOCTYPE m [<!ENTITY a "aaaaaaaaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
        b"<methodCall><methodName>&b;&b;&b;</methodName></methodCall>"
    ),
    "an external entity": (
        b'<?xml version="1.0"?><!DOCTYPE m [<!ENTITY a SYSTEM "file:///etc/shadow">]>'
        b"<methodCall><methodName>&a;</methodName></methodCall>"
    ),
}


def _error(envelope: dict[str, object], code: str) -> None:
    found = envelope.get("ErrorDescription")
    expect(isinstance(found, list) and found[:1] == [code], f"expected the error {code}, got {envelope}")


def _post(host: Host, authority: str, body: bytes) -> int | None:
    """The status of the answer, None when the agent hung up instead."""
    try:
        with connection(host, authority) as link:
            link.request("POST", "/", body, {"Content-Type": "text/xml"})
            answer = link.getresponse()
            text = answer.read(1 << 20)
            expect(b"Traceback" not in text, f"the answer shows a traceback: {text[:2000]!r}")
            expect(b"root:" not in text, "the answer shows a file of the host")
            return answer.status
    except (http.client.HTTPException, OSError):
        return None


def _alive(host: Host, authority: str, session: str, after: str) -> None:
    answer = api(host, authority, "host.get_all", session)
    expect(answer.get("Status") == "Success" and answer["Value"], f"after {after} the agent says {answer}")

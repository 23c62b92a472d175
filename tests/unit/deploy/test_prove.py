"""The trial of a slot: committed when it is well, told of when it is not. And the checks themselves."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from zeroth.deploy import health
from zeroth.deploy.bootenv import BootState, make_boot_state, read_boot_state
from zeroth.deploy.esp import Esp
from zeroth.deploy.health import Check, failing, storage, xen
from zeroth.deploy.journal import read_journal
from zeroth.deploy.prove import Proof
from zeroth.deploy.slotstate import Pending, SlotState
from zeroth.errors import UserError
from zeroth.system.certificate import Names, new_key, self_signed

NOTE = Pending(version="1.2.0", source="a", source_version="1.1.0", root_hash="ab" * 32)


class Trial:
    """A host on trial in a time of its own.

    :param wrong: what is wrong at a time.
    """

    def __init__(self, folder: Path, wrong: Callable[[float], str], starts: float = 60.0) -> None:
        esp_file = folder / "esp"
        with esp_file.open("wb") as file:
            file.truncate(34 << 20)
        self.esp = Esp(esp_file)
        self.esp.make("ZEROTH-ESP", "12345678")
        make_boot_state(self.esp, BootState("a", "b", 1))
        self.state = SlotState(folder / "state")
        self.state.note("b", NOTE)
        self.now, self.said = 0.0, list[str]()
        self.proof = Proof(
            "b", self.esp, self.state, (Check("agent", lambda: wrong(self.now)),), self.said.append,
            clock=lambda: self.now, sleep=self._sleep, starting=lambda: self.now < starts,
        )  # fmt: skip

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def journal(self) -> list[str]:
        path = self.state.upgrades / "journal.jsonl"
        return [str(entry["status"]) for entry in read_journal(path)] if path.exists() else []


def test_a_slot_that_is_well_is_committed(tmp_path: Path) -> None:
    trial = Trial(tmp_path, lambda now: "" if now > 40 else "it does not answer")
    trial.proof.run()
    assert read_boot_state(trial.esp) == BootState("b")
    assert (trial.state.pending("b"), trial.state.proved("b")) == (None, NOTE)
    assert 60 <= trial.now < 70
    assert trial.said[0] == "agent: it does not answer"
    assert trial.journal() == ["done"]


def test_one_that_is_not_well_is_not(tmp_path: Path) -> None:
    trial = Trial(tmp_path, lambda _: "it does not answer")
    with pytest.raises(UserError, match="agent: it does not answer"):
        trial.proof.run()
    assert 60 + 180 < trial.now < 60 + 200
    assert read_boot_state(trial.esp) == BootState("a", "b", 1)
    assert trial.state.pending("b") == NOTE
    assert trial.journal() == ["failed"]


def test_one_that_starts_for_ever_is_not_waited_for(tmp_path: Path) -> None:
    trial = Trial(tmp_path, lambda _: "it does not answer", starts=1e9)
    with pytest.raises(UserError):
        trial.proof.run()
    assert trial.now < 1300


def test_one_that_is_well_and_starts_for_ever_is_committed_in_the_end(tmp_path: Path) -> None:
    trial = Trial(tmp_path, lambda _: "", starts=1e9)
    trial.proof.run()
    assert 1200 < trial.now < 1300
    assert read_boot_state(trial.esp) == BootState("b")


def test_an_agent_that_dies_again_and_again_is_not_well(tmp_path: Path) -> None:
    trial = Trial(tmp_path, lambda now: "it does not answer" if now % 20 < 10 else "")
    with pytest.raises(UserError):
        trial.proof.run()


def test_whatever_a_check_stumbles_over_is_what_is_wrong() -> None:
    def stumbles() -> str:
        raise ZeroDivisionError("oh")

    def refuses() -> str:
        raise UserError("no answer\nat all")

    checks = (Check("one", stumbles), Check("two", lambda: ""), Check("three", refuses))
    assert failing(checks) == ["one: ZeroDivisionError: oh", "three: no answer"]


def test_xen(tmp_path: Path) -> None:
    assert "domain 0" in xen(tmp_path)
    for path, text in (
        ("proc/xen/capabilities", "control_d\n"), ("sys/hypervisor/version/major", "4\n"),
        ("sys/hypervisor/version/minor", "20\n"), ("usr/lib/xen-4.20/bin/xl", ""),
    ):  # fmt: skip
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    assert xen(tmp_path) == ""
    (tmp_path / "sys/hypervisor/version/minor").write_text("19\n")
    assert "Xen 4.19 runs" in xen(tmp_path)


def test_storage() -> None:
    places = ("/run/zeroth/state", "/var", "/var/lib/zeroth", "/var/log", "/etc")
    good = [f"/dev/sda5 {place} ext4 rw,noatime 0 0" for place in places]
    assert storage("\n".join(good)) == ""
    assert storage("\n".join(good[:-1])) == "/etc is not mounted"
    # What is mounted last is what is seen.
    assert storage("\n".join([*good, "/dev/sda5 /var ext4 ro 0 0"])) == "/var can only be read"


class _Agent(BaseHTTPRequestHandler):
    answer = b'{"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": "SESSION_INVALID", "data": []}}'

    def do_POST(self) -> None:  # noqa: N802 - the library's name
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HTTPServer]:
    key = new_key()
    (tmp_path / "host.pem").write_bytes(self_signed(key, Names("host.example", ()), now=datetime.now(UTC)))
    (tmp_path / "host.key").write_bytes(key)
    monkeypatch.setattr(health, "_CERTIFICATE", tmp_path / "host.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "host.pem", tmp_path / "host.key")
    with HTTPServer(("127.0.0.1", 0), _Agent) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()


def test_the_agent_answers_as_the_api_does(served: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    port = served.server_address[1]
    assert health.agent(port) == ""
    monkeypatch.setattr(_Agent, "answer", b'{"hello": 1}')
    assert "something else" in health.agent(port)
    monkeypatch.setattr(_Agent, "answer", b"<html>")
    assert "does not answer" in health.agent(port)
    served.socket.close()
    assert "does not answer" in health.agent(port)

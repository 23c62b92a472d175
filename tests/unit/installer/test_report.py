"""Who is told how an installation goes: everything in order, with faults on the way, and no secret."""

from __future__ import annotations

import hashlib
import io
import json
import os
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from installer.apply import Places
from installer.ending import Ended
from installer.hostkeys import host_keys
from installer.image import InstallImage, read_image
from installer.main import Session
from installer.report import Reporter
from tests.unit.installer.loopdisk import LoopDisk, loop_disk
from tests.unit.installer.machines import HASH, MACHINE, NIC, disk, machine, spec
from tests.unit.installer.networks import ModelNetwork
from tests.unit.installer.test_image import make_medium
from tests.unit.notify.receivers import Receiver, free_port, receiver, syslog_udp, wait_for
from tests.unit.spec.webserver import Authority, Credentials
from zeroth.deploy.layout import Part
from zeroth.errors import ExitCode
from zeroth.progress import Event, EventKind
from zeroth.spec.model import HostSpec, NotifySpec, SyslogProtocol, SyslogTarget
from zeroth.system.block import mounted, partition_path
from zeroth.system.facts import DiskFacts, Facts, FirmwareFacts, NeighbourFacts
from zeroth.system.size import GIB

SECRETS = ("webhook-sesame-1", "webhook-bear-2", HASH)


@dataclass(frozen=True)
class OneDisk:
    recording: DiskFacts | LoopDisk

    def facts(self) -> Facts:
        found = self.recording.facts() if isinstance(self.recording, LoopDisk) else self.recording
        return machine(found, firmware=FirmwareFacts(kind="bios"))


@pytest.fixture
def image(tmp_path: Path) -> InstallImage:
    return read_image(make_medium(tmp_path / "medium"), Path("/nonexistent"))


@pytest.fixture
def credentials(tmp_path: Path) -> Credentials:
    return Authority(tmp_path).certificate("server")


def _webhook(url: str, credentials: Credentials | None = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    if credentials is None:
        return {"url": url, "secret": SECRETS[0], **more}
    pem = credentials.path.read_text().partition("-----BEGIN PRIVATE")[0]
    fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    return {"url": url, "secret": SECRETS[0], "token": SECRETS[1], "certificate": fingerprint, **more}


def _session(
    tmp_path: Path,
    target: DiskFacts | LoopDisk,
    image: InstallImage,
    *webhooks: dict[str, Any],
    **answer: Any,  # noqa: ANN401
) -> Session:
    host = spec(notify={"webhooks": list(webhooks)}, **answer)
    path = tmp_path / "answer.json"
    path.write_text(host.model_dump_json(context={"revealed": True}))
    return Session(
        [io.StringIO()], path, machine=OneDisk(target), image=lambda: image, links=lambda: None, trial=ModelNetwork(),
        places=Places(mounts=tmp_path / "mounts", efi_loader=image.root.path), log=tmp_path / "log" / "install.log",
        network=lambda: None, hooks=tmp_path / "hooks",
    )  # fmt: skip


def _check_order(server: Receiver, last: str) -> list[dict[str, Any]]:
    sent = [post.data for post in server.taken]
    assert [it["number"] for it in sent] == sorted({it["number"] for it in sent})
    assert sent[0]["event"] == "STARTED"
    assert sent[-1]["event"] == last
    assert {it["event"] for it in sent[1:-1]} <= {"PLANNED", "STEP"}
    assert {(it["hostname"], it["machine"]["uuid"], it["schema"]) for it in sent} == {("host1", MACHINE, 1)}
    assert sent[0]["machine"]["macs"] == [NIC.mac]
    for post in server.tried:
        assert not any(secret in post.body.decode() for secret in SECRETS)
    return sent


def test_what_a_hook_told_is_told_too_where_nothing_was_to_be_done() -> None:
    with receiver() as server:
        reporter = Reporter(spec(notify={"webhooks": [{"url": server.url}]}))
        reporter.nothing_to_do("it was applied", ("hook 1 ended with 3",))
        assert reporter.close(10) == ()
        told = server.taken[-1].data
    assert (told["event"], told["reason"], told["reservations"]) == (
        "NOTHING_TO_DO", "it was applied", ["hook 1 ended with 3"],
    )  # fmt: skip


@pytest.mark.skipif(os.geteuid() != 0, reason="loop devices and mounts need root")
def test_a_whole_installation(tmp_path: Path, image: InstallImage, credentials: Credentials) -> None:
    """One server has trouble at first, the other is told no steps."""
    with receiver(credentials) as server, receiver() as brief, loop_disk(tmp_path / "disk", 16 * GIB) as target:
        server.answers = [503, 0, 500]
        webhooks = _webhook(server.url, credentials), _webhook(brief.url, progress=False)
        session = _session(tmp_path, target, image, *webhooks)
        session.heard = lambda: {NIC.name: NeighbourFacts(system="switch1", port="Gi1/0/12")}
        report = session.run()
        assert (report.ended, report.code, report.reservations) == (Ended.FINISHED, ExitCode.DONE, ())
        sent = _check_order(server, "SUCCEEDED")
        assert len(server.tried) == len(server.taken) + 3
        assert brief.events == ["STARTED", "PLANNED", "SUCCEEDED"]
        steps = [it for it in sent if it["event"] == "STEP"]
        percents = [it["step"]["percent"] for it in steps if "percent" in it["step"]]
        assert percents[-1] == 100
        paths = [it["step"]["path"][-1] for it in steps if it["step"]["state"] == "done"]
        assert paths[-3:] == ["Finish the journal", "Write to the disk", "Install zeroth"]
        with mounted(partition_path(target.node, Part.STATE), tmp_path / "look") as state:
            keys = host_keys(state / "a/etc/upper")
            shown = subprocess.run(
                ["ssh-keygen", "-lf", state / "a/etc/upper/ssh/ssh_host_ed25519_key.pub"],
                check=True, capture_output=True, text=True,
            ).stdout  # fmt: skip
            private = state / "a/etc/upper/ssh/ssh_host_ed25519_key"
            assert private.stat().st_mode & 0o777 == 0o600
        told = sent[-1]["ssh_host_keys"]
        assert told == [key.as_json() for key in keys]
        assert {it["kind"] for it in told} >= {"ssh-ed25519", "ssh-rsa"}
        assert next(it["fingerprint"] for it in told if it["kind"] == "ssh-ed25519") in shown
        facts = Facts.model_validate(sent[-1]["facts"])
        assert facts.disks[0].path == str(target.node)
        assert facts.nics[0].neighbour
        assert facts.nics[0].neighbour.summary == "port Gi1/0/12 of switch1"

        again = _session(tmp_path, target, image, *webhooks).run()
        assert again.ended is Ended.NOTHING_TO_DO
        assert server.events[-1] == "NOTHING_TO_DO"


def test_a_failure_with_its_log(tmp_path: Path, image: InstallImage, credentials: Credentials) -> None:
    script = f"echo said {SECRETS[1]}; exit 9"
    with receiver(credentials) as server:
        webhook = _webhook(server.url, credentials)
        session = _session(tmp_path, disk(), image, webhook, hooks=[{"stage": "pre-install", "script": script}])
        assert session.run().ended is Ended.FAILED
        sent = _check_order(server, "FAILED")
    assert sent[-1]["cause"] == "hook 1 (%pre-install) failed with exit code 9:"
    assert any("said ***" in line for line in sent[-1]["log"])
    states = [(it["step"]["path"][-1], it["step"]["state"]) for it in sent if it["event"] == "STEP"]
    assert states[-1] == ("Install zeroth", "failed")
    assert not any(secret in session.log.read_text() for secret in SECRETS)


def test_a_refusal_is_told_with_its_hint(tmp_path: Path, image: InstallImage) -> None:
    with receiver() as server:
        refused = disk().model_copy(update={"table": "dos"})
        assert _session(tmp_path, refused, image, _webhook(server.url)).run().code is ExitCode.INPUT
        assert "is not empty" in _check_order(server, "FAILED")[-1]["cause"]


def test_a_plan_and_no_more(tmp_path: Path, image: InstallImage) -> None:
    """Shown, and told to the answer's webhook and to the address on the command line; no hook runs."""
    mark = tmp_path / "hook ran"
    with receiver() as server, receiver() as asked:
        hooks = [{"stage": "pre", "script": f"touch '{mark}'"}]
        session = _session(tmp_path, disk("/nonexistent/vda"), image, _webhook(server.url), hooks=hooks)
        session.cmdline = tmp_path / "cmdline"
        session.cmdline.write_text(f"quiet zeroth.plan={asked.url}\n")
        report = session.run()
        assert (report.ended, report.code) == (Ended.NOTHING_TO_DO, ExitCode.DONE)
        assert report.line == "zeroth: nothing to do: the plan was all that was asked for (zeroth.plan)"
        assert asked.events == ["STARTED", "PLANNED", "NOTHING_TO_DO"]
        plan = asked.taken[1].data["plan"]
        assert (plan["outcome"], plan["hooks"][0]["stage"]) == ("install", "pre")
        assert [post.data["plan"] for post in server.taken if post.data["event"] == "PLANNED"] == [plan]
        assert not any(secret in post.body.decode() for post in asked.tried for secret in SECRETS)
    assert not mark.exists()
    assert "Write the partition table (GPT)" in session.log.read_text()


@pytest.mark.parametrize("address", ["https://", "http://[", "https://x/ y"])
def test_a_plan_for_no_address_is_the_users_mistake(tmp_path: Path, image: InstallImage, address: str) -> None:
    session = _session(tmp_path, disk("/nonexistent/vda"), image)
    session.cmdline = tmp_path / "cmdline"
    session.cmdline.write_text(f'quiet zeroth.plan="{address}"\n')
    report = session.run()
    assert (report.ended, report.code) == (Ended.FAILED, ExitCode.INPUT)
    assert "zeroth.plan= names no address" in report.reason


def test_an_interruption_is_told_too(tmp_path: Path, image: InstallImage) -> None:
    with receiver() as server:
        script = "kill -INT $PPID; sleep 600"
        session = _session(tmp_path, disk(), image, _webhook(server.url), hooks=[{"stage": "pre", "script": script}])
        with pytest.raises(KeyboardInterrupt):
            session.run()
        assert _check_order(server, "FAILED")[-1]["cause"] == "it was interrupted"


def test_a_server_that_comes_late_gets_everything(tmp_path: Path) -> None:
    port = free_port()
    host = spec(notify={"webhooks": [_webhook(f"http://127.0.0.1:{port}/told")]})
    reporter = Reporter(host, pause=0.05)
    reporter.begin(machine(disk()))
    for kind in (EventKind.START, EventKind.DONE):
        reporter.handle(Event(kind, ("Install", "x"), "2026-11-25T11:00:00.000+00:00"))
    reporter.succeeded((), ())
    assert not reporter.idle
    with receiver(port=port) as server:
        assert reporter.close(20) == ()
        assert server.events == ["STARTED", "STEP", "STEP", "SUCCEEDED"]
    assert reporter.idle


def test_a_slow_server_holds_nothing_up(tmp_path: Path) -> None:
    with receiver() as server:
        server.delay = 0.02
        reporter = Reporter(spec(notify={"webhooks": [_webhook(server.url)]}))
        reporter.begin(machine(disk()))
        for number in range(40):
            reporter.handle(Event(EventKind.START, ("Install", str(number)), "2026-11-25T11:00:00.000+00:00"))
        assert not reporter.idle, "all that was handed over before it was delivered"
        assert reporter.close(20) == ()
        assert len(server.taken) == 41


def test_a_wrong_server_is_told_nothing_and_noted(
    tmp_path: Path, image: InstallImage, credentials: Credentials
) -> None:
    other = Authority(tmp_path).certificate("other")
    with receiver(credentials) as server:
        session = _session(tmp_path, disk("/nonexistent/vda"), image, _webhook(server.url, other))
        report = session.run()
        assert not server.tried
    assert report.ended is Ended.FAILED
    assert len(report.reservations) == 1
    assert report.reservations[0].startswith(
        f"{server.url} was not told everything: cannot send to {server.url}: its "
    )
    assert report.reservations[0] in session.log.read_text()


def test_percent_comes_by_tenths_and_log_lines_only_by_syslog() -> None:
    with receiver() as server, syslog_udp() as log:
        target = SyslogTarget.model_construct(server="127.0.0.1", port=log.port, protocol=SyslogProtocol.UDP)
        notify = NotifySpec.model_validate({"webhooks": [_webhook(server.url)]}).model_copy(
            update={"syslog": (target,)}
        )
        host: HostSpec = spec().model_copy(update={"notify": notify})
        reporter = Reporter(host)
        for hundredth in range(101):
            reporter.handle(
                Event(EventKind.PROGRESS, ("a",), "2026-11-25T11:00:00.000+00:00", fraction=hundredth / 100)
            )
        reporter.handle(Event(EventKind.LOG, ("a",), "2026-11-25T11:00:00.000+00:00", "a line"))
        assert reporter.close(20) == ()
        assert wait_for(lambda: any(it.endswith(b"a line") for it in log.datagrams))
        assert [json.loads(post.body)["step"]["percent"] for post in server.taken] == list(range(10, 101, 10))
        assert len(log.datagrams) == 11

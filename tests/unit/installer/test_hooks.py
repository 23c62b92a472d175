"""Hooks: run at their stages, judged by their exit codes, ended in time, and heard but not read."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from installer.apply import Places
from installer.ending import Ended
from installer.hooks import HookRunner
from installer.image import InstallImage, read_image
from installer.main import Session
from installer.plan import ActionKind, InstallPlan
from installer.planner import plan_installation
from tests.unit.installer.loopdisk import LoopDisk, loop_disk
from tests.unit.installer.machines import disk, machine, request, spec
from tests.unit.installer.medium import write_medium
from tests.unit.installer.networks import ModelNetwork
from tests.unit.installer.rootimage import make_root_image
from tests.unit.spec.webserver import Authority, web_server
from zeroth.deploy.layout import Part
from zeroth.deploy.marker import read_marker
from zeroth.errors import ExitCode, UserError
from zeroth.progress import Event, Stream
from zeroth.redaction import Redactor
from zeroth.spec.model import HostSpec, Stage
from zeroth.system.block import mounted, partition_path
from zeroth.system.facts import Facts, FirmwareFacts
from zeroth.system.size import GIB

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="loop devices and mounts need root")
SECRET = "hook-secret-8132"


class Kept:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def handle(self, event: Event) -> None:
        self.events.append(event)

    @property
    def text(self) -> str:
        return "\n".join(event.message for event in self.events)


def _run(
    tmp_path: Path,
    *hooks: dict[str, Any],
    stage: Stage = Stage.PRE,
    **more: Any,  # noqa: ANN401 - of HookRunner
) -> tuple[tuple[str, ...], Kept]:
    kept = Kept()
    runner = HookRunner(spec(hooks=list(hooks)), folder=tmp_path / "hooks", grace=0.3, **more)
    with Stream([kept]).step("Install") as step:
        told = (*runner.fetch_all(step), *runner.run_stage(stage, step))
    return told, kept


def test_output_is_kept_line_by_line_and_the_text_is_not_left(tmp_path: Path) -> None:
    script = f"# {SECRET}\necho one; echo two >&2; tr '\\0' ' ' < /proc/$$/cmdline; ls -l $0 | cut -c1-10"
    told, kept = _run(tmp_path, {"stage": "pre", "script": script}, environment={"ZEROTH_LOG": "/x"})
    assert told == ()
    messages = [event.message for event in kept.events if event.kind == "log"]
    assert messages[1:3] == ["one", "two"]
    assert messages[3].endswith("hook-1 -rwx------")
    assert all(event.path == ("Install", "Run hook 1 (%pre)") for event in kept.events if event.kind == "log")
    assert SECRET not in kept.text
    assert not list((tmp_path / "hooks").iterdir())


def test_known_secrets_are_not_repeated(tmp_path: Path) -> None:
    redact = Redactor()
    redact.learn([SECRET])
    hook = {"stage": "pre", "script": f"echo token {SECRET}; exit 1"}
    kept = Kept()
    runner = HookRunner(spec(hooks=[hook]), folder=tmp_path, redact=redact)
    with pytest.raises(UserError, match=r"token \*\*\*") as failure, Stream([kept]).step("Install") as step:
        runner.run_stage(Stage.PRE, step)
    assert SECRET not in kept.text + str(failure.value)


@pytest.mark.parametrize(
    ("hook", "message"),
    [
        ({"script": "echo why; exit 3"}, r"hook 1 \(%pre\) failed with exit code 3:\n  why"),
        ({"script": "exit 0", "ok": [1, 2]}, r"failed with exit code 0"),
        ({"script": "kill -9 $$"}, r"was killed by signal 9"),
        ({"script": "no-such-program"}, r"failed with exit code 127"),
        ({"script": "sleep 600", "timeout": 1}, r"did not end within 1 s"),
        ({"script": "x", "interpreter": "/no/perl"}, r"there is no /no/perl in the installer"),
        ({"script": "x", "interpreter": "/etc/passwd"}, r"/etc/passwd cannot be started: Permission denied"),
    ],
)
def test_a_failing_pre_stops_everything(tmp_path: Path, hook: dict[str, Any], message: str) -> None:
    after = {"stage": "pre", "script": f"touch {tmp_path}/after"}
    with pytest.raises(UserError, match=message):
        _run(tmp_path, {"stage": "pre", **hook}, after)
    assert not (tmp_path / "after").exists()
    with pytest.raises(UserError, match=message.replace("%pre", "%pre-install")):
        _run(tmp_path, {"stage": "pre-install", **hook}, stage=Stage.PRE_INSTALL)


def test_exit_codes_that_the_answer_allows_and_another_interpreter(tmp_path: Path) -> None:
    hook = {"stage": "pre", "interpreter": "/usr/bin/env", "script": "#!/bin/sh\nexit 3\n", "ok": [0, 3]}
    assert _run(tmp_path, hook)[0] == ()


def test_onerror_cannot_fail(tmp_path: Path) -> None:
    script = "echo $ZEROTH_STAGE: $ZEROTH_ERROR; exit 9"
    hooks = [{"stage": "onerror", "script": script}, {"stage": "onerror", "script": "echo second"}]
    kept = Kept()
    runner = HookRunner(spec(hooks=hooks), folder=tmp_path)
    with Stream([kept]).step("After the failure") as step:
        runner.on_error("the disk is full", step)
    assert "onerror: the disk is full" in kept.text
    assert "failed with exit code 9" in kept.text
    assert "second" in kept.text


def test_fetched_texts_are_checked_before_anything_is_written(tmp_path: Path) -> None:
    text = b"echo fetched\n"
    hook = {"stage": "pre", "url": "https://a/b?key=pw-in-query", "sha256": hashlib.sha256(text).hexdigest()}
    called: list[str] = []
    told, kept = _run(tmp_path, hook, fetch=lambda url, *_: text, online=lambda: called.append("online"))
    assert (told, called) == ((), ["online"])
    assert "fetched" in kept.text
    assert "pw-in" not in kept.text
    with pytest.raises(UserError, match="hook 1 at https://a/b is not the one that the answer means"):
        _run(tmp_path, hook, fetch=lambda *_: b"echo other\n")
    # One that may fail may also be missing: it is told, and not run.
    told, _ = _run(tmp_path, {**hook, "stage": "post"}, stage=Stage.POST, fetch=lambda *_: b"exit 1")
    assert len(told) == 1
    assert told[0].startswith("hook 1 (%post) is not run: ")


def test_a_text_from_a_server_that_the_medium_knows(tmp_path: Path) -> None:
    text = b"echo from the server\n"
    authority = Authority(tmp_path)
    with web_server(authority.certificate("server")) as web:
        web.files["/hook"] = text
        hook = {"stage": "pre", "url": web.url("/hook"), "sha256": hashlib.sha256(text).hexdigest()}
        assert "from the server" in _run(tmp_path, hook, authorities=authority.pem)[1].text
        with pytest.raises(UserError, match="certificate does not verify"):
            _run(tmp_path, hook)
        with pytest.raises(UserError, match="404"):
            _run(tmp_path, {**hook, "url": web.url("/missing/hook")}, authorities=authority.pem)


def test_the_plan_shows_them_without_their_words() -> None:
    hooks = [{"stage": "pre", "script": SECRET}, {"stage": "post", "script": "x", "must_succeed": True}]
    outcome = plan_installation(machine(disk()), request(spec(hooks=hooks)))
    assert isinstance(outcome, InstallPlan)
    shown: Any = outcome.as_json()["hooks"]
    assert [(hook["number"], hook["stage"], hook["fatal"]) for hook in shown] == [(1, "pre", True), (2, "post", True)]
    assert shown[0]["sha256"] == hashlib.sha256(SECRET.encode() + b"\n").hexdigest()
    assert SECRET not in str(outcome.as_json())
    kinds = [action.kind for action in outcome.actions]
    assert kinds.index(ActionKind.STATE) < kinds.index(ActionKind.HOOK) < kinds.index(ActionKind.FINISH)
    assert kinds.count(ActionKind.HOOK) == 1


# Whole installations


@dataclass(frozen=True)
class OneDisk:
    disk: LoopDisk

    def facts(self) -> Facts:
        return machine(self.disk.facts(), firmware=FirmwareFacts(kind="bios"))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> InstallImage:
    folder = tmp_path_factory.mktemp("medium")
    root = make_root_image(tmp_path_factory.mktemp("root"))
    write_medium(folder, {"root.squashfs": root, "xen.gz": b"x", "vmlinuz": b"v", "initrd.img": b"i"}, "1")
    return read_image(folder, Path("/nonexistent"))


@pytest.fixture
def target(tmp_path: Path) -> Iterator[LoopDisk]:
    with loop_disk(tmp_path / "disk", 16 * GIB) as made:
        yield made


def _session(tmp_path: Path, target: LoopDisk, image: InstallImage, *hooks: dict[str, Any]) -> Session:
    answer = tmp_path / "answer.json"
    host = spec(hooks=list(hooks)).model_dump_json(context={"revealed": True})
    answer.write_text(host)
    return Session(
        [io.StringIO()], answer, machine=OneDisk(target), image=lambda: image, links=lambda: None,
        trial=ModelNetwork(),
        places=Places(mounts=tmp_path / "mounts", efi_loader=image.root.path), log=tmp_path / "log" / "install.log",
        hooks=tmp_path / "hooks",
    )  # fmt: skip


def _hook(stage: str, script: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - of the model
    return {"stage": stage, "script": script, **more}


@needs_root
def test_all_stages_in_their_order(tmp_path: Path, target: LoopDisk, image: InstallImage) -> None:
    seen = tmp_path / "seen"
    inside = (
        "set -e; echo changed > /etc/motd; mkdir /var/lib/mine; touch /var/log/mine /var/lib/zeroth/mine; "
        "id -u > /etc/uid; ls /proc/1/exe; if touch /usr/bin/x; then exit 8; fi 2>/tmp/why; sleep 600 & exit 0"
    )
    session = _session(
        tmp_path, target, image,
        _hook("onerror", f"echo onerror >> {seen}"),
        _hook("post", inside, must_succeed=True, interpreter="/bin/sh"),
        _hook("post", f"echo post $(cat $ZEROTH_ROOT/etc/motd) >> {seen}", nochroot=True, must_succeed=True),
        _hook("post", "exit 4"),
        _hook("pre-install", f"echo pre-install $ZEROTH_DISK >> {seen}"),
        _hook("pre", f"echo pre >> {seen}"),
    )  # fmt: skip
    report = session.run()
    assert (report.ended, report.code) == (Ended.FINISHED, ExitCode.RESERVATIONS), session.log.read_text()
    assert report.reservations == ("hook 4 (%post) failed with exit code 4",)
    assert seen.read_text() == f"pre\npre-install {target.node}\npost changed\n"
    with mounted(partition_path(target.node, Part.STATE), tmp_path / "look") as state:
        assert (state / "a/etc/upper/motd").read_text() == "changed\n"
        assert (state / "a/etc/upper/uid").read_text() == "0\n"
        assert (state / "var/lib/mine").is_dir()
        assert (state / "a/store/mine").exists()
        stored = HostSpec.model_validate_json((state / "a/store/hostspec.json").read_text())
        assert stored.hooks == ()
    with mounted(partition_path(target.node, Part.LOG), tmp_path / "look") as log:
        assert (log / "mine").exists()
        assert "hook 4 (%post): /bin/sh, at most 600 s" in (log / "zeroth/install.log").read_text()
    # What it left running is gone, and so nothing is mounted any more.
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()


@pytest.mark.thorough
@needs_root
@pytest.mark.parametrize("stage", ["pre", "pre-install"])
def test_nothing_is_written_when_one_fails_before(
    tmp_path: Path, target: LoopDisk, image: InstallImage, stage: str
) -> None:
    hooks = [_hook(stage, "echo my reason; exit 1"), _hook("onerror", f"echo $ZEROTH_ERROR > {tmp_path}/told; exit 5")]
    session = _session(tmp_path, target, image, *hooks)
    report = session.run()
    assert (report.ended, report.code) == (Ended.FAILED, ExitCode.MACHINE)
    assert report.reason == f"hook 1 (%{stage}) failed with exit code 1:"
    assert (tmp_path / "told").read_text() == f"{report.reason}\n"
    assert "my reason" in session.log.read_text()
    with target.node.open("rb") as file:
        while data := file.read(64 << 20):
            assert not any(data)
            if file.tell() >= GIB:
                break


@pytest.mark.thorough
@needs_root
def test_a_failing_post_leaves_a_disk_that_is_not_bootable_and_is_begun_again(
    tmp_path: Path, target: LoopDisk, image: InstallImage
) -> None:
    good = tmp_path / "good"
    session = _session(tmp_path, target, image, _hook("post", f"test -e {good}", nochroot=True, must_succeed=True))
    report = session.run()
    assert report.reason == "hook 1 (%post) failed with exit code 1"
    marker = read_marker(target.node)
    assert marker
    assert marker.phase == "installing"
    with target.node.open("rb") as file:
        assert b"GRUB" not in file.read(512)
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()
    good.touch()
    assert session.run().ended is Ended.FINISHED
    assert read_marker(target.node) is None


@pytest.mark.thorough
@needs_root
def test_an_interpreter_that_is_not_in_the_installed_system(
    tmp_path: Path, target: LoopDisk, image: InstallImage
) -> None:
    session = _session(tmp_path, target, image, _hook("post", "x", interpreter="/usr/bin/env", must_succeed=True))
    assert session.run().reason == "hook 1 (%post) failed: there is no /usr/bin/env in the installed system"


@pytest.mark.thorough
@needs_root
def test_an_interruption_during_a_hook(tmp_path: Path, target: LoopDisk, image: InstallImage) -> None:
    begun = tmp_path / "begun"
    script = f"touch {begun}; sleep 600"
    session = _session(tmp_path, target, image, _hook("post", script, nochroot=True), _hook("onerror", "exit 1"))

    def interrupt() -> None:
        while not begun.exists():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        session.run()
    thread.join()
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()
    assert not list((tmp_path / "hooks").iterdir())
    # And the next start of the medium begins again.
    marker = read_marker(target.node)
    assert marker
    assert marker.phase == "installing"

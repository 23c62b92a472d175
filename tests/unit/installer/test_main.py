"""The installer as a whole: what it tells, and how it ends."""

from __future__ import annotations

import errno
import io
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from installer.apply import Application, Places
from installer.ending import Ended, Report
from installer.image import InstallImage, read_image
from installer.main import Session
from installer.plan import InstallPlan
from tests.unit.installer.machines import HASH, disk, machine, recorded
from tests.unit.installer.networks import ModelNetwork
from tests.unit.installer.test_image import make_medium
from zeroth.errors import ExitCode, UserError
from zeroth.progress import Event
from zeroth.spec.answer import AnswerText
from zeroth.spec.embedded import AREA, Embedded, write_area
from zeroth.spec.model import EndAction, OnFailure
from zeroth.system.facts import AppliedFacts, DiskFacts, Facts, ZerothFacts
from zeroth.system.run import run

ANSWER = f"""
hostname: host1
root: {{password_hash: "{HASH}"}}
disk: {{select: /dev/vda}}
end_action: poweroff
on_failure: poweroff
"""


@dataclass(frozen=True)
class Recorded:
    recording: Facts

    def facts(self) -> Facts:
        return self.recording


@pytest.fixture
def image(tmp_path: Path) -> InstallImage:
    return read_image(make_medium(tmp_path / "medium"), Path("/nonexistent"))


def _session(tmp_path: Path, facts: Facts, image: InstallImage, answer: str = ANSWER) -> tuple[Session, io.StringIO]:
    path = tmp_path / "answer.yaml"
    path.write_text(answer)
    out = io.StringIO()
    places = Places(mounts=tmp_path / "mounts", efi_loader=image.root.path)
    session = Session(
        [out],
        path,
        machine=Recorded(facts),
        image=lambda: image,
        links=lambda: None,
        trial=ModelNetwork(),
        places=places,
        log=tmp_path / "log" / "install.log",
    )
    return session, out


def _empty() -> DiskFacts:
    return recorded("lab-bios-empty").disks[0]


def test_a_refusal(tmp_path: Path, image: InstallImage) -> None:
    facts = machine(_empty().model_copy(update={"table": "dos"}))
    session, out = _session(tmp_path, facts, image)
    report = session.run()
    assert report.ended is Ended.FAILED
    assert report.code is ExitCode.INPUT
    assert report.end_action is EndAction.POWEROFF
    assert report.on_failure is OnFailure.POWEROFF
    last = out.getvalue().splitlines()[-1]
    assert last.startswith("zeroth: installation failed: /dev/vda is not empty")
    assert "disk.wipe" in out.getvalue()
    assert max(len(line) for line in out.getvalue().splitlines() if line.startswith(("|", "+"))) <= 80
    log = session.log.read_text()
    assert last in log
    assert "not empty" in log
    assert HASH not in log + out.getvalue()


def test_a_network_that_does_not_work(tmp_path: Path, image: InstallImage) -> None:
    """Refused before anything is written; asked of by the answer or at boot, it is told at the end instead."""
    session, out = _session(tmp_path, machine(_empty()), image)
    session.trial = broken = ModelNetwork(leases={})
    session.cmdline = tmp_path / "cmdline"
    session.cmdline.write_text("quiet\n")
    report = session.run()
    assert report.code is ExitCode.MACHINE
    assert report.reason.startswith("the management network does not work: no DHCP server answered on enp1s0")
    assert re.search(r"\bDHCP *\| FAIL", out.getvalue())
    assert "management.try_first: false" in out.getvalue()
    assert "Check the image" not in out.getvalue()
    # What comes next is a disk that is not there.
    broken.tried.clear()
    session.cmdline.write_text("quiet zeroth.network_try=no\n")
    assert "/dev/vda" in session.run().reason
    session, out = _session(tmp_path, machine(_empty()), image, ANSWER + "management: {try_first: false}\n")
    session.trial = broken
    assert "/dev/vda" in session.run().reason
    assert "Note: the management network is not tried before the disk is written to" in out.getvalue()
    assert not broken.tried
    session, _ = _session(tmp_path, machine(_empty()), image)
    session.cmdline = tmp_path / "cmdline"
    session.cmdline.write_text("zeroth.network_try=perhaps")
    assert "neither yes nor no" in session.run().reason


def test_a_wrong_answer(tmp_path: Path, image: InstallImage) -> None:
    session, out = _session(tmp_path, machine(_empty()), image, "hostname: UPPER\n")
    report = session.run()
    assert report.ended is Ended.FAILED
    assert report.on_failure is OnFailure.SHELL
    assert report.code is ExitCode.INPUT
    assert "answer.yaml:1" in out.getvalue()
    assert out.getvalue().splitlines()[-1].startswith("zeroth: installation failed: ")


def test_nothing_to_do(tmp_path: Path, image: InstallImage) -> None:
    path = tmp_path / "answer.yaml"
    path.write_text(ANSWER)
    mark = AppliedFacts(digest=AnswerText.from_file(path).digest(), time="2026-11-22T00:00:00", version="0.1.0")
    done = _empty().model_copy(update={"table": "gpt", "zeroth": ZerothFacts(applied=mark)})
    facts = recorded("lab-bios-empty").model_copy(update={"disks": (done,)})
    session, out = _session(tmp_path, facts, image)
    report = session.run()
    assert report.ended is Ended.NOTHING_TO_DO
    assert report.code is ExitCode.DONE
    wanted = "zeroth: nothing to do: this answer was applied to this machine on 2026-11-22 (/dev/vda)"
    assert out.getvalue().splitlines()[-1] == wanted


@pytest.mark.parametrize("made", [False, True])
def test_the_log_goes_to_no_partition_that_is_not_ours(
    tmp_path: Path, image: InstallImage, monkeypatch: pytest.MonkeyPatch, made: bool
) -> None:
    """Before it is made, the partition of that number is an earlier system's."""
    kept = []

    def fail(application: Application, _: object) -> tuple[str, ...]:
        application.log_made |= made
        raise UserError("the machine refuses", code=ExitCode.MACHINE)

    monkeypatch.setattr(Application, "run", fail)
    monkeypatch.setattr("installer.main.keep_log", lambda log, plan, places: kept.append(plan.disk.path))
    session, _ = _session(tmp_path, machine(_empty()), image)
    assert session.run().reason == "the machine refuses"
    assert kept == (["/dev/vda"] if made else [])


def test_a_damaged_image_is_found_before_the_first_write(tmp_path: Path, image: InstallImage) -> None:
    image.root.path.write_bytes(image.root.path.read_bytes()[:-1] + b"!")
    # A node that does not exist: whatever tried to write to it would fail otherwise.
    session, out = _session(tmp_path, machine(_empty()), image)
    report = session.run()
    assert "root.squashfs is damaged" in report.reason
    assert "Write to the disk" not in out.getvalue()


def test_an_incomplete_image(tmp_path: Path, image: InstallImage) -> None:
    session, _ = _session(tmp_path, machine(_empty()), image)
    session.places = Places(efi_loader=tmp_path / "none.efi")
    assert "none.efi cannot be read" in session.run().reason

    def missing() -> InstallImage:
        raise UserError("the medium is incomplete")

    session.image = missing
    assert session.run().reason == "the medium is incomplete"


def test_a_machine_that_refuses(tmp_path: Path, image: InstallImage) -> None:
    gone = disk("/nonexistent/vda")
    session, out = _session(tmp_path, machine(gone), image, ANSWER.replace("/dev/vda", "only"))
    report = session.run()
    assert report.ended is Ended.FAILED
    assert report.code is not ExitCode.INPUT
    assert out.getvalue().splitlines()[-1].startswith("zeroth: installation failed: ")


@pytest.mark.parametrize(
    "error",
    [OSError(errno.EIO, "of Python", "/dev/vda"), FileNotFoundError(errno.ENOENT, "of Python", "/dev/vda")],
)
def test_a_failing_disk_is_no_defect(tmp_path: Path, image: InstallImage, error: OSError) -> None:
    session, out = _session(tmp_path, machine(_empty()), image)

    def broken() -> None:
        raise error

    session.links = broken
    report = session.run()
    assert report.code is ExitCode.MACHINE
    assert report.reason == f"/dev/vda: {os.strerror(error.errno or 0)}"
    assert "journalctl -k" in report.hint
    assert "hint:  A disk or the medium fails" in out.getvalue()
    assert "Traceback" not in out.getvalue()


def test_a_file_that_we_forgot_is_a_defect(tmp_path: Path, image: InstallImage) -> None:
    session, _ = _session(tmp_path, machine(_empty()), image)
    session.links = lambda: Path("/nonexistent/file").open()  # type: ignore[assignment]  # noqa: SIM115
    assert session.run().code is ExitCode.BUG


def test_a_defect_is_told_and_not_raised(tmp_path: Path, image: InstallImage) -> None:
    session, out = _session(tmp_path, machine(_empty()), image)

    def broken() -> None:
        raise ZeroDivisionError("oops")

    session.links = broken
    report = session.run()
    assert report.reason == "a defect of the installer: oops"
    assert report.code is ExitCode.BUG
    assert "Traceback" in out.getvalue()


def test_last_lines() -> None:
    report = Report(Ended.FINISHED)
    assert (report.line, report.code) == ("zeroth: installation finished", ExitCode.DONE)
    assert replace(report, reservations=("x",)).code is ExitCode.RESERVATIONS


def test_what_is_embedded_in_the_medium_counts(tmp_path: Path, image: InstallImage) -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    area = tmp_path / "medium" / AREA
    area.write_bytes(write_area(Embedded(ssh_keys=(key,))))
    session, out = _session(tmp_path, machine(_empty().model_copy(update={"table": "dos"})), image)
    session = replace(session, medium=tmp_path / "medium")
    assert session.run().code is ExitCode.INPUT
    assert session._spec
    assert session._spec.root.ssh_keys == (key,)
    data = bytearray(area.read_bytes())
    data[100] ^= 1
    area.write_bytes(data)
    assert session.run().code is ExitCode.MACHINE
    assert "what is embedded in the medium is damaged" in out.getvalue()


@dataclass
class Somebody:
    """A person who says this, and wants to stop before the first write if told so."""

    answer: AnswerText
    stops: bool = False
    found: AnswerText | None = None
    seen: list[str] = field(default_factory=list)

    def ask(
        self, found: AnswerText | None, facts: Facts, image: InstallImage, keys: Sequence[str] = ()
    ) -> AnswerText:  # fmt: skip
        self.found = found
        return self.answer

    def writing(self, plan: InstallPlan) -> None:
        self.seen.append("writing")
        if self.stops:
            raise UserError("it was stopped at the screen; nothing was written")

    def say(self, text: str) -> None:
        self.seen.append(text)

    def handle(self, event: Event) -> None:
        self.seen.append(event.path[-1])


def _with_person(
    tmp_path: Path, image: InstallImage, monkeypatch: pytest.MonkeyPatch, person: Somebody, found: AnswerText | None
) -> Session:
    session, _ = _session(tmp_path, machine(_empty()), image)
    session.answer_file, session.person = None, person
    monkeypatch.setattr(Session, "_find_answer", lambda *_: found)
    return session


def test_who_stands_there_is_asked_where_there_is_no_answer(
    tmp_path: Path, image: InstallImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = Somebody(AnswerText(ANSWER, "screen.yaml"), stops=True)
    report = _with_person(tmp_path, image, monkeypatch, person, None).run()
    assert report.reason == "it was stopped at the screen; nothing was written"
    assert "writing" in person.seen
    assert "Check the image" in person.seen
    assert not any("Write to the disk" in word for word in person.seen)


def test_nobody_is_asked_where_there_is_an_answer(
    tmp_path: Path, image: InstallImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = Somebody(AnswerText("", "screen.yaml"))
    found = AnswerText("hostname: UPPER\n", "answer.yaml")
    report = _with_person(tmp_path, image, monkeypatch, person, found).run()
    assert report.ended is Ended.FAILED
    assert person.seen == []


def test_the_kernel_command_line_has_them_asked_all_the_same(
    tmp_path: Path, image: InstallImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("installer.main.asks_at_screen", lambda _: True)
    person = Somebody(AnswerText(ANSWER, "screen.yaml"), stops=True)
    found = AnswerText("hostname: xen1\n", "answer.yaml")
    _with_person(tmp_path, image, monkeypatch, person, found).run()
    assert person.found == found


def test_without_anybody_a_missing_answer_is_an_error(
    tmp_path: Path, image: InstallImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = _with_person(tmp_path, image, monkeypatch, Somebody(AnswerText("", "a.yaml")), None)
    session.person = None
    assert session.run().reason == "no answer was found"


def test_textual_is_loaded_for_people_only() -> None:
    code = "import sys, installer.cli, installer.main; sys.exit('textual' in sys.modules)"
    run([sys.executable, "-c", code])

"""Planning an upgrade, and writing it with the power going off at every step."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.deploy.upgrading import CONTENT, HEADER, HOST, SIGNED, FileHost, header
from zeroth.deploy.bootenv import BootState, write_boot_state
from zeroth.deploy.journal import read_journal
from zeroth.deploy.slotstate import Pending
from zeroth.deploy.upgrade import is_older, plan_upgrade
from zeroth.deploy.upgrade_status import upgrade_status
from zeroth.deploy.zup import Damaged
from zeroth.errors import UserError
from zeroth.system.run import run as run_command


def test_the_other_slot_is_written() -> None:
    plan = plan_upgrade(HOST, HEADER)
    assert plan is not None
    assert (plan.slot, plan.notes, plan.replaces) == ("b", (), "")
    facts = plan.as_json()
    assert facts["from"] == {"slot": "a", "version": "1.1.0"}
    assert facts["boot"] == sum(len(CONTENT[name][1]) for name in ("xen.gz", "vmlinuz", "initrd.img"))
    back = plan_upgrade(replace(HOST, slot="b", boot=BootState("b")), HEADER)
    assert back is not None
    assert back.slot == "a"


def test_the_image_that_runs_already_is_not_written() -> None:
    assert plan_upgrade(replace(HOST, root_hash=HEADER.tree.root_hash), HEADER) is None


def test_an_older_version_only_when_asked() -> None:
    with pytest.raises(UserError, match="older version") as refused:
        plan_upgrade(HOST, header("1.0.9"))
    assert "--allow-downgrade" in refused.value.hint
    plan = plan_upgrade(HOST, header("1.0.9"), allow_downgrade=True)
    assert plan is not None
    assert "older" in plan.notes[0]
    same = plan_upgrade(HOST, header("1.1.0"))
    assert same is not None
    assert "same version" in same.notes[0]


@pytest.mark.parametrize(("version", "than", "older"), [
    ("1.0~rc1", "1.0", True), ("1.9.0", "1.10.0", True), ("1.0+site1", "1.0", False), ("1.0", "1.0", False),
])  # fmt: skip
def test_versions_sort_as_dpkg_sorts_them(version: str, than: str, older: bool) -> None:
    assert is_older(version, than) is older


def test_all_reasons_are_told_at_once() -> None:
    content = {name: CONTENT[name] for name in ("manifest.json", "root.squashfs", "vmlinuz")}
    content["Entry.cfg"] = CONTENT["xen.gz"]
    host = replace(HOST, trial=True, room=100, state_free=1, architecture="arm64")
    with pytest.raises(UserError) as refused:
        plan_upgrade(host, header("1.0", content))
    for reason in (
        "has not proved itself yet", "is for amd64, and this is arm64", "does not fit", "partition has 1 B free",
        "holds no xen.gz", "holds no initrd.img", "holds entry.cfg", "older version",
    ):  # fmt: skip
        assert reason in refused.value.message


def test_a_host_with_secure_boot_takes_signed_programs_alone() -> None:
    host = replace(HOST, signed=True)
    with pytest.raises(UserError, match=r"Secure Boot is on, and the file holds no host.efi"):
        plan_upgrade(host, HEADER)
    assert plan_upgrade(host, header("1.2.0", SIGNED)) is not None


def test_a_slot_that_somebody_chose_in_the_menu_is_not_upgraded() -> None:
    with pytest.raises(UserError, match="slot b is the one that is started by default"):
        plan_upgrade(replace(HOST, boot=BootState("b")), HEADER)


def test_an_upgrade_that_waits_is_given_up() -> None:
    plan = plan_upgrade(replace(HOST, boot=BootState("a", "b", 2), held="zeroth 1.1.5"), HEADER)
    assert plan is not None
    assert plan.replaces == "zeroth 1.1.5"
    assert "slot b is given up" in plan.notes[0]


@pytest.fixture
def host(tmp_path: Path) -> FileHost:
    return FileHost.make(tmp_path)


def test_the_whole(host: FileHost) -> None:
    before = host.running()
    write_boot_state(host.esp, BootState("a", "b", 1))
    (host.state.folder("b") / "store").mkdir(parents=True)
    host.upgrade()
    assert host.running() == before
    assert host.boot == BootState("a", "b", 2)
    assert host.verified == 1
    for name in ("xen.gz", "vmlinuz", "initrd.img"):
        assert host.esp.sha256(f"/zeroth/b/{name}") in host.esp.read_text("/zeroth/b/SHA256SUMS")
    assert host.esp.sha256("/zeroth/b/host.efi") == hashlib.sha256(SIGNED["host.efi"][1]).hexdigest()
    assert "host.efi" not in host.esp.read_text("/zeroth/b/SHA256SUMS")
    entry = host.esp.read_text("/zeroth/b/entry.cfg")
    assert "'Example Host 1.2.0 (slot b)'" in entry
    assert f"zeroth.roothash={HEADER.tree.root_hash}" in entry
    note = host.state.pending("b")
    assert note is not None
    assert (note.version, note.source, note.source_version) == ("1.2.0", "a", "1.1.0")
    assert (host.state.base / "motd").read_text() == "old\n"
    assert not host.state.folder("b").exists()
    said = [(entry["what"], entry["status"]) for entry in read_journal(host.state.upgrades / "journal.jsonl")]
    assert said == [("apply", "begin"), ("apply", "done")]
    status = upgrade_status(host.state, "a", host.boot)
    assert status.lines() == ["the upgrade to 1.2.0 in slot b is tried at the next start of this machine"]
    assert not status.failed


@pytest.mark.parametrize("cut", [-1, -4000, 700])
def test_a_damaged_file_never_arms_the_menu(host: FileHost, cut: int) -> None:
    before, raw = host.running(), bytearray((host.folder / "x.zup").read_bytes())
    raw[cut if cut < 0 else len(raw) - sum(len(data) for _, data in SIGNED.values()) + cut] ^= 1
    with pytest.raises(Damaged):
        host.upgrade(bytes(raw))
    assert (host.running(), host.boot) == (before, BootState())
    assert not host.esp.exists("/zeroth/b/entry.cfg")
    assert read_journal(host.state.upgrades / "journal.jsonl")[-1]["status"] == "failed"
    host.upgrade()
    assert host.boot.trial == "b"


class PowerCut(BaseException):
    """Nothing catches it, as nothing catches a power cut."""


class Fuse:
    """Goes off at the n-th thing that is written."""

    def __init__(self, left: int) -> None:
        self.left = left

    def around(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*words: Any, **more: Any) -> Any:  # noqa: ANN401
            self.left -= 1
            if self.left < 0:
                raise PowerCut
            return real(*words, **more)

        return guarded


_READING = frozenset({"mtype", "mdir", "mshowfat"})


def _cut(monkeypatch: pytest.MonkeyPatch, fuse: Fuse) -> None:
    """Let the fuse stand before every write: each tool that changes something, each write, each renaming."""
    real = run_command

    def run(words: Any, **more: Any) -> Any:  # noqa: ANN401
        reads = words[0] in _READING or (words[0] == "mcopy" and str(words[-2]).startswith("::"))
        return real(words, **more) if reads else fuse.around(real)(words, **more)

    for module in ("esp", "upgrade_apply"):
        monkeypatch.setattr(f"zeroth.deploy.{module}.run", run)
    for name in ("write", "pwrite"):
        monkeypatch.setattr(os, name, fuse.around(getattr(os, name)))
    for name in ("replace", "unlink", "mkdir"):
        real_method = getattr(Path, name)
        monkeypatch.setattr(Path, name, fuse.around(real_method))


@pytest.mark.thorough
def test_a_power_cut_at_any_write_leaves_the_old_slot(host: FileHost, monkeypatch: pytest.MonkeyPatch) -> None:
    # Of an earlier upgrade: something to lose, and an order to try it.
    host.upgrade()
    before = host.running()
    at = 0
    while True:
        write_boot_state(host.esp, BootState("a", "b", 2))
        fuse = Fuse(at)
        with monkeypatch.context() as patch:
            _cut(patch, fuse)
            try:
                host.upgrade()
                break
            except PowerCut:
                pass
        assert host.running() == before
        assert host.boot.committed == "a"
        whole = host.slot.read_bytes().startswith(CONTENT["root.squashfs"][1])
        if host.boot.trial:
            # Either nothing was touched yet, or everything is in place.
            assert host.esp.exists("/zeroth/b/entry.cfg")
            assert host.esp.exists("/zeroth/b/host.efi")
        if host.esp.exists("/zeroth/b/entry.cfg") or host.esp.exists("/zeroth/b/host.efi"):
            assert whole
            assert host.esp.exists("/zeroth/b/host.efi.sig")
            assert host.state.pending("b") is not None
            assert host.esp.exists("/zeroth/b/SHA256SUMS")
        at += 1 if at < 12 else 3
    assert at > 30
    assert host.boot == BootState("a", "b", 2)


def test_a_failed_upgrade_is_told_of(host: FileHost) -> None:
    host.upgrade()
    host.state.journal().add("trial", "failed", slot="b", error="agent: it does not answer on port 443")
    status = upgrade_status(host.state, "a", BootState("a", "b", 0))
    assert status.failed
    assert status.lines() == ["the upgrade to 1.2.0 in slot b failed: agent: it does not answer on port 443"]
    assert status.as_json()["failed"] is True
    trying = upgrade_status(host.state, "b", BootState("a", "b", 0))
    assert not trying.failed
    host.state.prove("b")
    proved = upgrade_status(host.state, "b", BootState("b"))
    assert proved.waiting is None
    assert isinstance(proved.proved, Pending)
    assert proved.lines()[0].startswith("upgraded from 1.1.0 to 1.2.0, ")
    assert upgrade_status(host.state, "a", BootState()).lines() == ["no upgrade was applied"]

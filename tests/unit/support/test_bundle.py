"""Bundles: everything that helps is in them, and no planted secret."""

from __future__ import annotations

import json
import os
import sys
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.installer.machines import spec
from zeroth.cli import run_cli
from zeroth.errors import UserError
from zeroth.progress import Stream
from zeroth.spec.model import REVEALED
from zeroth.support import collect as collecting
from zeroth.support.bundle import CONTENTS, Member, write_bundle
from zeroth.support.collect import Item, collect
from zeroth.support.scrub import Scrubber

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nplanted-key-one\nplanted-key-two\n-----END OPENSSH PRIVATE KEY-----\n"
HASH = "$y$j9T$planted.salt$planted-hash/of.a.password"
PLANTED = (
    f"user root has {HASH}",
    KEY,
    "GET https://admin:planted-in-url@server.example.com/x?sig=planted-query failed",
    "Authorization: Bearer planted-bearer",
    '{"name": "x", "bmc_password": "planted \\"quoted\\" word", "token": "planted-token"}',
    "chap_secret: planted-chap",
    "ipmitool --password planted-argv chassis status",
    "PASSWORD=planted-environment",
    "the tool said: odd-webhook-secret is wrong",  # of the answer; nothing but knowing it can tell
    "and odd-shadow-field too",
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    host = tmp_path / "host"
    for folder in ("var/log/zeroth", "var/lib/zeroth", "etc", "run/zeroth/state/install", "proc"):
        (host / folder).mkdir(parents=True)
    notify = {"webhooks": [{"url": "https://a.example.com/x", "secret": "odd-webhook-secret"}]}
    hooks = [{"stage": "post", "script": "curl planted-in-a-hook"}]
    answer = spec(notify=notify, hooks=hooks)
    (host / "var/lib/zeroth/hostspec.json").write_text(answer.model_dump_json(context=REVEALED))
    (host / "etc/shadow").write_text(f"root:{HASH}:1::::::\nolder:odd-shadow-field:1::::::\ndaemon:*:1::::::\n")
    (host / "etc/os-release").write_text("ID=debian\n")
    (host / "var/log/zeroth/install.log").write_text("\n".join(("begin", *PLANTED, "end")))
    (host / "run/zeroth/state/install/journal.jsonl").write_text(json.dumps({"error": "\n".join(PLANTED)}) + "\n")
    (host / "var/log/zeroth/link.log").symlink_to("/etc/shadow")
    return host


def _bundle(root: Path, path: Path, commands: dict[str, tuple[str, ...]]) -> tuple[tuple[Member, ...], dict[str, str]]:
    with Stream().step("Collect") as step:
        members = write_bundle(path, collect(step, root, commands), Scrubber(root))
    with tarfile.open(path) as archive:
        texts = {}
        for entry in archive:
            file = archive.extractfile(entry)
            assert file
            texts[entry.name.removeprefix("zeroth-support/")] = file.read().decode()
    return members, texts


def test_no_secret_is_in_it(root: Path, tmp_path: Path) -> None:
    said = [
        sys.executable,
        "-c",
        "import sys; print(open(sys.argv[1]).read())",
        str(root / "var/log/zeroth/install.log"),
    ]
    members, texts = _bundle(root, tmp_path / "b.tar.gz", {"said.txt": tuple(said)})
    for name, text in texts.items():
        for word in ("planted", "odd-webhook", "odd-shadow"):
            assert word not in text, f"{name}: {text[max(0, text.index(word) - 40) :][:90]}"
    for name in ("files/var/log/zeroth/install.log", "said.txt"):
        assert texts[name].startswith("begin\n")
        assert "***@server.example.com/x" in texts[name]
        assert "chassis status" in texts[name]
        assert texts[name].strip().endswith("end")
    answer = json.loads(texts["answer.json"])
    assert answer["hostname"] == "host1"
    assert answer["notify"]["webhooks"][0] | {"secret": None} == answer["notify"]["webhooks"][0]
    assert not any("shadow" in name or "link" in name for name in texts)
    listed = json.loads(texts[CONTENTS])
    assert [it["name"] for it in listed] == [member.name for member in members]
    assert (tmp_path / "b.tar.gz").stat().st_mode & 0o777 == 0o600


def test_what_is_missing_is_named(root: Path, tmp_path: Path) -> None:
    commands = {"a.txt": ("/no/such/tool",), "b.txt": ("sh", "-c", "echo out; exit 3")}
    members, texts = _bundle(root, tmp_path / "b.tar.gz", commands)
    notes = {member.name: member.note for member in members}
    assert notes["a.txt"] == "/no/such/tool failed with status 127: /no/such/tool: not found"
    assert notes["b.txt"] == "ended with 3"
    assert texts["b.txt"] == "out\n"
    assert "a.txt" not in texts


def test_of_a_long_log_the_end(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "_MOST", 30)
    (root / "var/log/zeroth/long.log").write_text("password=planted-and-cut-in-the-middle\nlast line\n")
    members, texts = _bundle(root, tmp_path / "b.tar.gz", {})
    assert texts["files/var/log/zeroth/long.log"] == "last line\n"
    assert next(it.note for it in members if it.name.endswith("long.log")) == "its end only"


def test_all_or_nothing(tmp_path: Path) -> None:
    def broken() -> object:
        yield Item("a", "a", "text")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_bundle(tmp_path / "b.tar.gz", broken(), str)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="the bundle cannot be written: File exists"):
        write_bundle(tmp_path / "file" / "b.tar.gz", (), str)


@given(st.text(st.characters(codec="utf-8"), max_size=60), st.integers(0, 3))
def test_a_secret_in_json_in_json(middle: str, depth: int) -> None:
    text = json.dumps({"a": 1, "bmc_password": f"planted{middle}planted", "b": 2})
    for _ in range(depth):
        text = json.dumps({"message": text})
    assert "planted" not in Scrubber(Path("/nonexistent"))(text)


def test_the_command(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tool = tmp_path / "bin"
    tool.mkdir()
    path = tmp_path / "b.tar.gz"
    old = os.environ["PATH"]
    os.environ["PATH"] = str(tool)  # No tool of this machine: only files.
    try:
        assert run_cli(["support", "bundle", "--output", str(path), "--root", str(root)]) == 0
    finally:
        os.environ["PATH"] = old
    out = capsys.readouterr().out
    assert "files/var/log/zeroth/install.log" in out
    assert "nothing  xen.txt" in out
    assert out.splitlines()[-1].startswith(f"{path}: ")

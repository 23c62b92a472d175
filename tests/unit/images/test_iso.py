"""``zeroth iso`` on small images that were made like the real ones.

They need root and the tools tree of a build, as :mod:`tests.unit.images.test_media` does.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from images.iso import layout, write
from images.iso.cli import iso
from images.iso.content import embedded
from images.iso.layout import open_iso, parse_layout
from images.iso.wanted import read_arguments, read_authorities, read_keys
from images.iso.write import Stick, refusal, stick_lines, write_stick
from images.tools import ToolsTree
from tests.unit.images.medium import make_medium
from zeroth.errors import ExitCode, UserError
from zeroth.keys.keyring import make_key, secret_key, sign_file
from zeroth.keys.signing import Purpose
from zeroth.progress import Stream
from zeroth.spec.arguments import Wanted
from zeroth.spec.fetch.found import Found
from zeroth.spec.sources import Volume, find_answer
from zeroth.system.facts import DiskFacts
from zeroth.system.size import GIB, MIB

PASSWORD = "correct horse"
ANSWER = f'{{"hostname": "host1", "root": {{"password": "{PASSWORD}"}}, "disk": {{"select": "only", "wipe": true}}}}'
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHVpGBk3l3mGN1vPZCsXB3aKOhE3JmBPNBpvE0JmC0kn somebody"


@pytest.fixture(scope="module")
def medium(tmp_path_factory: pytest.TempPathFactory, tools: ToolsTree) -> Path:
    return make_medium(tmp_path_factory.mktemp("iso"), "one", tools)


@pytest.fixture(autouse=True)
def own_xorriso(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "medium" in request.fixturenames:
        found = request.getfixturevalue("tools")
        monkeypatch.setattr(layout, "xorriso", lambda: found)


def run(*words: str | Path, code: int = 0) -> Result:
    runner = CliRunner(mix_stderr=False)
    done = runner.invoke(iso, [str(word) for word in words], standalone_mode=False, catch_exceptions=False)
    assert (done.return_value or 0) == code, done.stdout + done.stderr
    return done


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def facts_of(path: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(run("inspect", path, "--json").stdout)
    return found


def test_embed_changes_a_few_bytes_and_remove_gives_the_image_back(medium: Path, tmp_path: Path) -> None:
    answer, key, out = tmp_path / "host1.json", tmp_path / "id.pub", tmp_path / "host1.iso"
    answer.write_text(ANSWER)
    key.write_text(KEY + "\n")
    said = run("embed", medium, "--answer", answer, "--ssh-key", key, "--args", "zeroth.wait=77 x='a b'", "-o", out)
    assert "hashed" in said.stderr
    assert PASSWORD.encode() not in out.read_bytes()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert out.stat().st_size == medium.stat().st_size
    before, after = medium.read_bytes(), out.read_bytes()
    sectors = {at // 2048 for at in range(0, len(before), 64) if before[at : at + 64] != after[at : at + 64]}
    assert 0 < len(sectors) < 10
    facts = facts_of(out)
    content = facts["embedded"]
    assert isinstance(content, dict)
    assert content["answer"]["name"] == "host1.json"
    assert content["arguments"] == ["zeroth.wait=77", "x=a b"]
    assert "$y$" not in json.dumps(facts)
    assert facts["pristine_sha256"] == sha256(medium)
    assert facts["sha256"] == sha256(out)
    # The medium's own checksums stay true.
    assert json.loads(run("verify", out, "--json").stdout)["damaged"] == []
    # What is not given stays.
    run("embed", out, "--args", "quiet", "--in-place")
    content = facts_of(out)["embedded"]
    assert isinstance(content, dict)
    assert content["answer"]
    assert content["arguments"] == ["quiet"]
    run("embed", out, "--remove", "--in-place")
    assert out.read_bytes() == before


def test_a_wrong_answer_is_not_embedded(medium: Path, tmp_path: Path) -> None:
    answer, out = tmp_path / "bad.json", tmp_path / "out.iso"
    answer.write_text('{"hostname": "host1", "rot": {}}')
    with pytest.raises(UserError, match="rot"):
        run("embed", medium, "--answer", answer, "-o", out)
    assert not out.exists()
    assert list(tmp_path.iterdir()) == [answer]


@pytest.mark.usefixtures("medium")
def test_arguments_are_not_put_beside_a_signed_menu(tmp_path: Path, tools: ToolsTree) -> None:
    signed = make_medium(tmp_path, "signed", tools, signed=True)
    with pytest.raises(UserError, match="inside its signed menu"):
        run("embed", signed, "--args", "quiet", "-o", tmp_path / "out.iso")
    assert not (tmp_path / "out.iso").exists()


@pytest.mark.parametrize("words", [[], ["--remove", "--args", "x", "-o", "y"], ["--args", "x"],
                                   ["--args", "x", "-o", "y", "--in-place"]])  # fmt: skip
def test_what_is_meant_must_be_clear(medium: Path, words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        run("embed", medium, *words)
    assert caught.value.code == ExitCode.USAGE


def test_inspect_shows_how_it_boots(medium: Path) -> None:
    facts = facts_of(medium)
    boot = facts["boot"]
    assert isinstance(boot, dict)
    assert [image["platform"] for image in boot["el_torito"]] == ["BIOS", "UEFI"]
    assert boot["problems"] == []
    shown = run("inspect", medium).stdout
    assert "zeroth 1.2.3 for amd64" in shown
    assert "systemd 257" in shown
    assert "embedded: nothing" in shown


def test_a_flipped_byte_is_named(medium: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.iso"
    raw = bytearray(medium.read_bytes())
    place = open_iso(medium).files["zeroth/vmlinuz"].extents[0][0]
    raw[place] ^= 1
    bad.write_bytes(raw)
    done = run("verify", bad, code=1)
    assert "zeroth/vmlinuz is damaged" in done.stderr
    assert "root.squashfs" not in done.stderr
    bad.write_bytes(medium.read_bytes()[: place + 3])
    with pytest.raises(UserError):
        run("verify", bad)


def test_the_signature_beside_it(medium: Path, tmp_path: Path) -> None:
    copy = tmp_path / "zeroth.iso"
    copy.write_bytes(medium.read_bytes())
    key, other = make_key(tmp_path, "release", None), make_key(tmp_path, "other", None)
    with pytest.raises(UserError, match="nothing beside it is signed"):
        run("verify", copy, "--key", key.public_path)
    (tmp_path / "SHA256SUMS").write_text(f"{sha256(copy)}  zeroth.iso\n")
    sign_file(tmp_path / "SHA256SUMS", [secret_key(key.secret_path, lambda: b"")], Purpose.IMAGE)
    run("embed", copy, "--args", "quiet", "--in-place")
    said = json.loads(run("verify", copy, "--key", key.public_path, "--json").stdout)
    assert said["signer"] == key.public.name
    with pytest.raises(UserError, match="not trusted"):
        run("verify", copy, "--key", other.public_path)
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  zeroth.iso\n")
    sign_file(tmp_path / "SHA256SUMS", [secret_key(key.secret_path, lambda: b"")], Purpose.IMAGE)
    with pytest.raises(UserError, match="does not name this image"):
        run("verify", copy, "--key", key.public_path)


def test_diff_names_packages_and_files(medium: Path, tmp_path: Path, tools: ToolsTree) -> None:
    other = make_medium(tmp_path, "two", tools, "network\n", version="258")
    found = json.loads(run("diff", medium, other, "--json").stdout)
    assert not found["same"]
    assert found["packages"]["changed"] == {"systemd": ["257", "258"]}
    assert "zeroth/answer.ks" in found["files"]["added"]
    assert "zeroth/manifest.json" in found["files"]["changed"]
    assert "systemd" in run("diff", medium, other).stdout
    assert "the same" in run("diff", medium, medium).stdout


def test_what_is_no_image(tmp_path: Path, medium: Path) -> None:
    path = tmp_path / "x.iso"
    for data in (b"", b"no image" * 5000):
        path.write_bytes(data)
        with pytest.raises(UserError, match="no ISO image"):
            run("inspect", path)
    with pytest.raises(UserError, match="no such file"):
        run("inspect", tmp_path / "missing.iso")


def test_rows_of_xorriso() -> None:
    text = (
        "Report layout: xt , Startlba ,   Blocks , Filesize , ISO image path\n"
        "File data lba:  0 ,      100 ,        2 ,     4000 , '/a/b c'\n"
        "File data lba:  0 ,      200 ,        1 ,     2050 , '/it'\"'\"'s'\n"
        "File data lba:  1 ,      300 ,        1 ,     2050 , '/it'\"'\"'s'\n"
    )
    found = parse_layout(text)
    assert found["a/b c"].extents == ((204800, 4000),)
    assert found["it's"].extents == ((409600, 2048), (614400, 2))


@pytest.mark.parametrize(("text", "said"), [
    ("a 'b", "cannot be split"), ('a="b"x\\"', "cannot stand"), ("zeroth.mode=host", "differ by"),
    ("boot=live", "differ by"), ("ä", "cannot stand"), ("x" * 1600, "fit"),
])  # fmt: skip
def test_arguments_that_would_break_the_menu(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_arguments(text)


def test_private_keys_and_nonsense_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("-----BEGIN PRIVATE KEY-----\n")
    with pytest.raises(UserError, match="private key"):
        read_authorities(path)
    with pytest.raises(UserError, match="private key"):
        read_keys([path])
    path.write_text("nothing\n")
    with pytest.raises(UserError, match="no certificate"):
        read_authorities(path)
    with pytest.raises(UserError):
        read_keys([path])


# Writing to a stick


@pytest.fixture
def stick(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("loop devices need root")
    backing = tmp_path / "stick"
    backing.touch()
    os.truncate(backing, 64 * MIB)
    device = subprocess.run(["losetup", "--find", "--show", backing], check=True, capture_output=True, text=True)
    yield Path(device.stdout.strip())
    subprocess.run(["losetup", "--detach", device.stdout.strip()], check=True)


def test_a_stick_holds_the_image_afterwards(medium: Path, stick: Path) -> None:
    found = open_iso(medium)
    disk = DiskFacts(path=str(stick), size=64 * MIB, transport="usb")
    with Stream([]).step("write") as step:
        write_stick(found, Stick(stick, disk), step)
    with stick.open("rb") as device:
        assert device.read(found.size) == medium.read_bytes()


def test_only_whole_disks_are_written_to(medium: Path, tmp_path: Path, stick: Path) -> None:
    for path, said in ((tmp_path, "no block device"), (tmp_path / "none", "no such device"), (stick, "no whole disk")):
        with pytest.raises(UserError, match=said):
            run("write", medium, path, "--yes")


@pytest.mark.parametrize(("fields", "said"), [
    ({"in_use": ("mounted at /",)}, "mounted at /"), ({"read_only": True}, "write-protected"), ({"size": 4}, "holds"),
    ({}, ""),
])  # fmt: skip
def test_why_a_disk_is_not_written_to(fields: dict[str, object], said: str) -> None:
    disk = DiskFacts.model_validate({"path": "/dev/sdx", "size": 8 * GIB, **fields})
    assert said in write.refusal(disk, 300 * MIB)
    assert bool(refusal(disk, 300 * MIB)) == bool(said)


def test_a_stick_in_words() -> None:
    disk = DiskFacts(path="/dev/sdx", size=8 * GIB, model="Ultra", serial="4C53", transport="usb")
    assert stick_lines(Stick(Path("/dev/sdx"), disk)) == ["/dev/sdx: Ultra serial 4C53, 8.0 GiB", "  it is empty"]
    inside = DiskFacts(path="/dev/sda", size=8 * GIB, transport="sata")
    assert "  this is no USB disk" in stick_lines(Stick(Path("/dev/sda"), inside))


def test_ways_to_fetch_and_check_an_answer_are_embedded(medium: Path, tmp_path: Path) -> None:
    answer, out, token = tmp_path / "host1.json", tmp_path / "site.iso", tmp_path / "token"
    answer.write_text(json.dumps({"hostname": "host1", "root": {"ssh_keys": [KEY]}}))
    token.write_text("hunter2-token\n")
    make_key(tmp_path, "site", None)
    pin = "sha256//" + "A" * 43 + "="
    words: list[str | Path] = ["--answer", answer, "--signer", tmp_path / "site.pub", "--require-signed", "--pin", pin]
    with pytest.raises(UserError, match="has no signature"):
        run("embed", medium, *words, "-o", out)
    sign_file(answer, [secret_key(tmp_path / "site.key", lambda: b"")], Purpose.ANSWER)
    token.chmod(0o644)
    with pytest.raises(UserError, match="others can read this token"):
        run("embed", medium, *words, "--token", token, "-o", out)
    token.chmod(0o600)
    run("embed", medium, *words, "--token", token, "-o", out)
    facts = facts_of(out)
    content = facts["embedded"]
    assert isinstance(content, dict)
    assert content["answer"]["signed"] is True
    assert (content["pins"], content["token"], content["require_signed"]) == ([pin], "***", True)
    assert len(content["signers"]) == 1
    assert "hunter2" not in json.dumps(facts)
    assert "hunter2" not in run("inspect", out).stdout
    found = find_answer(_NoVolumes(), fetch=_no_network, cmdline="", embedded=embedded(open_iso(out)))
    assert found
    assert found.text == answer.read_text()
    assert "signed by" in found.origin
    run("embed", out, "--no-require-signed", "--in-place")
    content = facts_of(out)["embedded"]
    assert isinstance(content, dict)
    assert not content["require_signed"]
    with pytest.raises(UserError, match="not a pin"):
        run("embed", medium, "--pin", "sha256//x", "-o", out)
    with pytest.raises(UserError, match="not a public key"):
        run("embed", medium, "--signer", tmp_path / "site.key", "-o", out)


class _NoVolumes:
    def labelled(self, label: str) -> Sequence[Volume]:
        raise AssertionError(label)

    def mounted(self, volume: Volume) -> AbstractContextManager[Path]:
        raise AssertionError(volume)


def _no_network(wanted: Wanted, signature: bool) -> Found:
    raise AssertionError(wanted, signature)

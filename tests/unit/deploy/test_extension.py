"""Extension files: what is signed, what is refused; and the store of a host."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zeroth.deploy import extensions
from zeroth.deploy.extension import FACTS, IMAGE, Extension, ExtensionFile, open_extension, write_extension
from zeroth.deploy.extensions import Extensions, RunningImage, misfits, running_image
from zeroth.deploy.verity import RootTree
from zeroth.errors import UserError
from zeroth.keys.signing import Purpose, SecretKey, SignatureRefused, sign
from zeroth.progress import Stream
from zeroth.system.run import Completed

KEY = SecretKey.generate("site")
CONTENT = bytes(range(256)) * 64
HERE = RunningImage("0.1.0", {"libc6": "2.41-12", "bash": "5.2"})


def made(**changes: object) -> Extension:
    values = {
        "name": "tree", "version": "0.1.0", "architecture": "amd64", "packages": {"tree": "2.2.1-1"},
        "needs": {"libc6": "2.41-12"}, "size": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "tree": RootTree(root_hash="a" * 64, hash_offset=8192), **changes,
    }  # fmt: skip
    return Extension.model_validate(values)


def write(folder: Path, extension: Extension | None = None, key: SecretKey = KEY) -> Path:
    image = folder / "content"
    image.write_bytes(CONTENT)
    path = folder / "tree-0.1.0.zext"
    with path.open("wb") as out:
        write_extension(out, extension or made(), image, [key])
    return path


def opened(path: Path) -> AbstractContextManager[ExtensionFile]:
    return open_extension(path, [KEY.public])


def test_a_file_comes_back_and_is_the_same_each_time(tmp_path: Path) -> None:
    path = write(tmp_path)
    before = path.read_bytes()
    with opened(path) as file:
        assert file.extension == made()
        assert file.signer == KEY.public
        assert b"".join(file.chunks()) == CONTENT
    assert write(tmp_path).read_bytes() == before


def test_a_foreign_key_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, key=SecretKey.generate("other"))
    with pytest.raises(SignatureRefused, match="not trusted"), opened(path):
        pass


def test_a_signature_for_something_else_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path)
    facts = made().facts
    with tarfile.open(path, "w") as archive:
        for name, data in ((FACTS, facts), (f"{FACTS}.minisig", sign(facts, [KEY], Purpose.IMAGE, "x").encode())):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    with pytest.raises(SignatureRefused, match="something else"), opened(path):
        pass


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_changed_byte_is_taken(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("changed")
    path = write(folder)
    raw = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw)
    try:
        with opened(path) as file:
            # Only what says nothing may change: tar's padding, owners and times.
            assert file.extension == made()
            assert b"".join(file.chunks()) == CONTENT
    except UserError:
        pass


@pytest.mark.parametrize("size", [0, 100, 600, 2000, 6000])
def test_a_file_that_is_cut_off(tmp_path: Path, size: int) -> None:
    path = write(tmp_path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UserError), opened(path) as file:
        list(file.chunks())


def test_what_is_no_extension(tmp_path: Path) -> None:
    path = tmp_path / "x.zext"
    path.write_bytes(b"\x7fELF" * 1000)
    with pytest.raises(UserError, match="not an extension"), opened(path):
        pass
    with tarfile.open(path, "w") as archive:
        link = tarfile.TarInfo(FACTS)
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/shadow"
        archive.addfile(link)
    with pytest.raises(UserError, match="not an extension"), opened(path):
        pass


@pytest.mark.parametrize("name", ["../etc", "", ".hidden", "a/b", "A", "x" * 41])
def test_names_that_could_be_paths_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        made(name=name)


# What fits.


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, []),
        ({"version": "0.2.0"}, ["it was built for version 0.2.0, and this host runs 0.1.0"]),
        ({"needs": {"libc6": "2.42"}}, ["it needs libc6 2.42, and this image has 2.41-12"]),
        ({"needs": {"perl": "5.40"}}, ["it needs perl 5.40, and this image has none"]),
        ({"packages": {"bash": "5.3"}}, ["this image has bash itself"]),
    ],
)
def test_what_does_not_fit_is_told(changes: Mapping[str, object], said: list[str]) -> None:
    assert misfits(made(**changes), HERE) == said


def test_the_running_image_says_its_version_and_packages(tmp_path: Path) -> None:
    (tmp_path / "usr/lib/sysimage/dpkg").mkdir(parents=True)
    release = tmp_path / "usr/lib/os-release"
    release.write_text("ID=debian\nIMAGE_VERSION=0.1.0\n")
    gone = "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: all\n"
    there = "Package: libc6\nStatus: install ok installed\nVersion: 2:2.41-12\nArchitecture: amd64\n"
    (tmp_path / "usr/lib/sysimage/dpkg/status").write_text(f"{there}\n{gone}\n")
    assert running_image(tmp_path) == RunningImage("0.1.0", {"libc6": "2:2.41-12"})
    release.write_text("ID=debian\n")
    with pytest.raises(UserError, match="no image of zeroth"):
        running_image(tmp_path)


# The store.


@pytest.fixture
def store(tmp_path: Path) -> Extensions:
    return Extensions(HERE, (KEY.public,), tmp_path / "state/extensions", tmp_path / "run")


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, store: Extensions) -> list[list[str]]:
    """What would be run; a folder counts as mounted from its mount to its umount."""
    done: list[list[str]] = []
    mounted: set[Path] = set()

    def fake(argv: list[object], **_: object) -> Completed:
        words = [str(word) for word in argv]
        done.append(words)
        if words[0] == "mount":
            mounted.add(Path(words[-1]))
        if words[0] == "umount":
            mounted.remove(Path(words[-1]))
        return Completed(tuple(words), 0, "", "")

    monkeypatch.setattr(extensions, "run", fake)
    monkeypatch.setattr(Path, "is_mount", lambda self: self in mounted)
    return done


def keep(store: Extensions, path: Path) -> None:
    with open_extension(path, store.trusted) as file, Stream([]).step("Test") as step:
        store.check(file)
        store.add(file, step)


def test_an_extension_is_kept_activated_and_removed(
    store: Extensions, commands: list[list[str]], tmp_path: Path
) -> None:
    store.store.parent.mkdir()
    keep(store, write(tmp_path))
    assert [path.name for path in store.store.iterdir()] == ["tree"]
    (kept,) = store.activate()
    assert kept.active
    assert not kept.problem
    ran = [words[0] for words in commands]
    assert ran == ["veritysetup", "mount", "systemd-sysext"]
    assert commands[0][-2:] == ["a" * 64, "--hash-offset=8192"]
    assert commands[-1][-1] == "refresh"
    commands.clear()
    assert store.activate()[0].active
    assert [words[0] for words in commands] == ["systemd-sysext"]
    commands.clear()
    assert store.remove("tree")
    assert not store.remove("tree")
    assert store.activate() == []
    assert [words[:2] for words in commands] == [["umount", str(store.place / "tree")], ["systemd-sysext", "unmerge"]]
    assert list(store.store.iterdir()) == []


def test_what_does_not_fit_the_other_slot_stays_out(
    store: Extensions, commands: list[list[str]], tmp_path: Path
) -> None:
    store.store.parent.mkdir()
    keep(store, write(tmp_path))
    store.activate()
    commands.clear()
    newer = Extensions(RunningImage("0.2.0", HERE.packages), store.trusted, store.store, store.place)
    (kept,) = newer.activate()
    assert not kept.active
    assert kept.problem == "it was built for version 0.1.0, and this host runs 0.2.0"
    assert [words[0] for words in commands] == ["umount", "systemd-sysext"]
    # Back in the old slot it is there again.
    assert store.activate()[0].active


def test_what_was_changed_on_the_disk_stays_out(store: Extensions, commands: list[list[str]], tmp_path: Path) -> None:
    store.store.parent.mkdir()
    keep(store, write(tmp_path))
    facts = store.store / "tree" / FACTS
    facts.write_bytes(facts.read_bytes().replace(b"0.1.0", b"0.1.1"))
    (kept,) = store.activate()
    assert "does not match" in kept.problem
    assert not kept.active
    assert [words[0] for words in commands] == ["systemd-sysext"]
    facts.unlink()
    assert "damaged" in store.activate()[0].problem


def test_one_that_cannot_be_opened_keeps_no_other_out(
    store: Extensions, commands: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.store.parent.mkdir()
    keep(store, write(tmp_path))
    keep(store, write(tmp_path, made(name="other")))
    fake = vars(extensions)["run"]

    def failing(argv: list[object], **more: object) -> Completed:
        if argv[0] == "veritysetup" and "other" in str(argv[3]):
            raise UserError("no device:\n  loop")
        done: Completed = fake(argv, **more)
        return done

    monkeypatch.setattr(extensions, "run", failing)
    found = {one.name: one for one in store.activate()}
    assert found["tree"].active
    assert not found["other"].active
    assert found["other"].problem == "its image cannot be used: no device: loop"
    assert commands[-1] == ["systemd-sysext", "refresh"]


def test_a_damaged_image_leaves_the_one_before(store: Extensions, commands: list[list[str]], tmp_path: Path) -> None:
    store.store.parent.mkdir()
    keep(store, write(tmp_path))
    path = write(tmp_path, made(packages={"tree": "2.3"}))
    raw = path.read_bytes()
    at = raw.index(CONTENT) + 5000
    path.write_bytes(raw[:at] + b"?" + raw[at + 1 :])
    with pytest.raises(UserError, match="not the one that was signed"):
        keep(store, path)
    (kept,) = store.kept()
    assert kept.extension == made()
    assert (store.store / "tree" / IMAGE).read_bytes() == CONTENT
    assert [path.name for path in store.store.iterdir()] == ["tree"]


def test_an_extension_for_another_image_is_not_copied(store: Extensions, tmp_path: Path) -> None:
    store.store.parent.mkdir()
    with pytest.raises(UserError, match=r"does not fit this host:\n  it was built for version 9") as caught:
        keep(store, write(tmp_path, made(version="9")))
    assert caught.value.hint.startswith("Build it for this image")
    assert not store.store.exists()

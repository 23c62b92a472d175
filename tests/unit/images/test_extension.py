"""Extensions: which packages they take, what of them, and what they may not hold."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from images.extension import Made, Wanted, _check_files, _unpack, make_extension
from images.index import PackageIndex
from images.manifest import DATABASE
from images.pool import PackagePool
from images.tools import ToolsTree
from tests.unit.images.archive import Deb, Signer, make_archive
from tests.unit.images.test_archives import BASE, JANUARY, fetch
from zeroth.errors import UserError
from zeroth.system.run import run

PACKAGES = (
    *BASE,
    Deb("libc6", "2"),
    Deb("hello", "1:1.5", {"Depends": "libc6 (>= 1), libhello"}),
    Deb("libhello", fields={"Depends": "libc6"}),
    Deb("modern", fields={"Depends": "libc6 (>= 2)"}),
    Deb("hostile", fields={"Conflicts": "libc6"}),
)
STATUS = """\
Package: {}
Status: install ok installed
Version: {}
Architecture: all
Maintainer: T <t@t>
Description: t

"""


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signer]:
    signer = Signer(tmp_path_factory.mktemp("signer"))
    yield signer
    signer.end()


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, signer: Signer) -> PackageIndex:
    folder = tmp_path_factory.mktemp("archive")
    make_archive(folder / "debian", PACKAGES, signer, made=JANUARY)
    return fetch(folder, f"file:{folder}/debian", signer.keyring)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A finished tree with libc6 in version 1."""
    tree = tmp_path / "tree"
    (tree / DATABASE).mkdir(parents=True)
    (tree / DATABASE / "status").write_text(STATUS.format("libc6", "1") + STATUS.format("dpkg", "1"))
    (tree / "usr/lib/os-release").write_text("ID=debian\nVERSION_ID=13\nNAME=Debian\n")
    (tree / "usr/bin").mkdir()
    (tree / "usr/bin/there").write_text("x")
    return tree


def deb(folder: Path, name: str, files: dict[str, str], scripts: tuple[str, ...] = ()) -> Path:
    """A package file with these files."""
    root = folder / f"{name}.d"
    (root / "DEBIAN").mkdir(parents=True, mode=0o755)
    (root / "DEBIAN" / "control").write_text(
        f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: T <t@t>\nDepends: libc6\nDescription: t\n"
    )
    for script in scripts:
        (root / "DEBIAN" / script).write_text("#!/bin/sh\n")
        (root / "DEBIAN" / script).chmod(0o755)
    for file, text in files.items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(text)
    path = folder / f"{name}.deb"
    run(["dpkg-deb", "--root-owner-group", "--build", root, path])
    shutil.rmtree(root)
    return path


def make(
    wanted: Wanted, tree: Path, index: PackageIndex, work: Path, tools: ToolsTree, *, alone: bool = False
) -> Made:
    work.mkdir()
    return make_extension(
        wanted, tree, index=index, pool=PackagePool(work.parent / "pool"), tools=tools, version="0.1.0", epoch=10**9,
        work=work, alone=alone,
    )  # fmt: skip


def test_an_extension_holds_what_the_image_lacks(
    tmp_path: Path, tree: Path, index: PackageIndex, tools: ToolsTree
) -> None:
    own = deb(tmp_path, "own", {"opt/own/data": "o", "usr/bin/own": "b", "etc/own.conf": "c"}, ("postinst",))
    wanted = Wanted("greeting", ("hello",), (own,))
    wanted.check(index)
    made = make(wanted, tree, index, tmp_path / "one", tools)
    assert made.extension.packages == {"hello": "1:1.5", "libhello": "1", "own": "1"}
    assert made.extension.needs == {"libc6": "1"}
    assert made.notes == (
        "own: left out, since it is not in /usr or /opt: /etc/own.conf",
        "own: its postinst will not run: users, alternatives and caches are not made",
    )
    again = make(wanted, tree, index, tmp_path / "two", tools, alone=True)
    image = made.image.read_bytes()
    assert again.image.read_bytes() == image
    listed = tools.run(["unsquashfs", "-l", "-d", "", made.image], show=[made.image.parent]).stdout.splitlines()
    files = {line for line in listed if "." in line or line.endswith(("own", "data"))}
    assert {"/opt/own/data", "/usr/bin/own", "/usr/lib/extension-release.d/extension-release.greeting"} <= files
    assert not any(line.startswith("/etc") for line in listed)


@pytest.mark.parametrize(
    ("package", "said"),
    [
        ("modern", "need newer ones of the image itself: libc6 1"),
        ("libc6", "need newer ones of the image itself: libc6 1"),
        ("dpkg", "the image has dpkg already"),
        ("hostile", "cannot be installed together"),
    ],
)
def test_the_image_itself_does_not_change(
    tmp_path: Path, tree: Path, index: PackageIndex, package: str, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        make(Wanted("x", (package,)), tree, index, tmp_path / "work", ToolsTree(tmp_path))


def test_nobody_is_asked_when_alone(tmp_path: Path, tree: Path, index: PackageIndex) -> None:
    with pytest.raises(UserError, match="2 of 2 packages"):
        make(Wanted("x", ("hello",)), tree, index, tmp_path / "work", ToolsTree(tmp_path), alone=True)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Wanted("X y", ("hello",)), "no name for an extension"),
        (Wanted("x", ()), "would be empty"),
        (Wanted("x", ("helo",)), r"--package: helo \(did you mean hello\?\)"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_done(wanted: Wanted, said: str, index: PackageIndex) -> None:
    with pytest.raises(UserError, match=said):
        wanted.check(index)


def test_files_of_the_image_are_not_hidden(tmp_path: Path, tree: Path) -> None:
    content = tmp_path / "content"
    _unpack(deb(tmp_path, "a", {"usr/bin/there": "y", "usr/bin/new": "z"}), "a", content, tmp_path / "scratch")
    with pytest.raises(UserError, match=r"in the image, too:\n  /usr/bin/there$"):
        _check_files(content, tree)


def test_old_folders_and_documentation(tmp_path: Path) -> None:
    files = {
        "lib/udev/rules.d/50-a.rules": "r", "sbin/tool": "t", "usr/share/doc/a/copyright": "c",
        "usr/share/doc/a/changelog": "l", "usr/share/man/man1/a.1": "m", "usr/share/a/data": "d",
    }  # fmt: skip
    content = tmp_path / "content"
    assert _unpack(deb(tmp_path, "a", files), "a", content, tmp_path / "scratch") == []
    found = {str(path.relative_to(content)) for path in content.rglob("*") if path.is_file()}
    assert found == {
        "usr/lib/udev/rules.d/50-a.rules", "usr/sbin/tool", "usr/share/doc/a/copyright", "usr/share/a/data"
    }  # fmt: skip


def test_a_damaged_package_file(tmp_path: Path) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(b"!<arch>\ndebian-binary")
    with pytest.raises(UserError, match="cannot be unpacked"):
        _unpack(path, "x", tmp_path / "content", tmp_path / "scratch")

"""What goes into an image: package lists, wheels, elements, boot menu, manifest."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from images.config import BuildConfig, checkout
from images.customise import element_hooks
from images.graph import Step
from images.index import PackageIndex, _explain
from images.licences import Licences
from images.manifest import describe, installed_packages
from images.menu import ARGUMENTS_SIZE, SERIAL, arguments_script, entries, kernel_arguments
from images.meter import Meter, explained
from images.packages import PackageList, read_list
from images.pool import PackagePool
from images.publish import _place, publish
from images.render import render
from images.wheels import NOT_IN_DEBIAN, locked, room_sources
from zeroth.errors import ExitCode, UserError
from zeroth.keys.keyring import check_file
from zeroth.keys.signing import Purpose, SecretKey
from zeroth.system.run import CommandFailed, Completed, run

ROOT = checkout()
PACKAGES = """\
Package: grub-common
Version: 2.12-9
Architecture: amd64
SHA256: {grub}

Package: vim-tiny
Version: 2:9.1.1230-2
Architecture: amd64
Provides: editor, vim-abi (= 9)
SHA256: {vim}
"""


def index(folder: Path, **digests: str) -> PackageIndex:
    folder.mkdir(exist_ok=True)
    values = {"grub": "1" * 64, "vim": "2" * 64, **digests}
    (folder / "mirror_dists_trixie_main_binary-amd64_Packages").write_text(PACKAGES.format(**values))
    return PackageIndex("", folder, ())


def test_lists_are_sorted_and_know_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.list"
    path.write_text("# head\nzstd\n\ncpio   # why\n")
    packages = read_list(path)
    assert packages.names == ("cpio", "zstd")
    assert dict(packages.lines)["zstd"] == f"{path}:2"
    assert (packages + PackageList((("zstd", "other:1"), ("bash", "other:2")))).names == ("bash", "cpio", "zstd")


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("zstd\nBash\n", ":2", "not a package name"),
        ("a+ b\n", ":1", "not a package name"),
        ("vi\nvi\n", ":2", "twice"),
    ],
)
def test_lists_with_mistakes(tmp_path: Path, text: str, where: str, message: str) -> None:
    path = tmp_path / "x.list"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        read_list(path)
    assert caught.value.where == f"{path}{where}"


def test_a_missing_list(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read"):
        read_list(tmp_path / "none.list")


@pytest.mark.parametrize("name", ["base", "firmware-server", "firmware-desktop", "tools"])
def test_our_lists_can_be_read(name: str) -> None:
    assert read_list(ROOT / "images" / "packages" / f"{name}.list").names


def test_unknown_packages_are_named_with_what_was_meant(tmp_path: Path) -> None:
    found = index(tmp_path / "lists")
    found.check(PackageList((("editor", "l:1"), ("grub-common", "l:2"))))
    with pytest.raises(UserError) as caught:
        found.check(PackageList((("grub-comon", "base.list:7"), ("qqqq", "base.list:8"), ("vim-tiny", "base.list:9"))))
    assert "base.list:7: grub-comon (did you mean grub-common?)" in caught.value.message
    assert "base.list:8: qqqq" in caught.value.message
    assert "vim-tiny" not in caught.value.message


def test_the_pool_offers_only_what_debian_signed(tmp_path: Path) -> None:
    pool = PackagePool(tmp_path / "pool")
    pool.folder.mkdir()
    good, forged, old = "grub-common_2.12-9_amd64.deb", "vim-tiny_2%3a9.1.1230-2_amd64.deb", "gone_1_all.deb"
    other = "of-another-snapshot_1_all.deb"
    for name in (good, forged, old, other):
        (pool.folder / name).write_text(name)
    os.utime(pool.folder / old, (1, 1))
    known = index(tmp_path / "lists", grub=hashlib.sha256(good.encode()).hexdigest())
    assert pool.offer(known, tmp_path / "offered") == 1
    assert [path.name for path in (tmp_path / "offered").iterdir()] == [good]
    assert {path.name for path in pool.folder.iterdir()} == {good, other}


def test_the_pool_keeps_what_was_downloaded(tmp_path: Path) -> None:
    pool = PackagePool(tmp_path / "pool")
    pool.folder.mkdir()
    archives = tmp_path / "archives"
    archives.mkdir()
    (archives / "a_1_all.deb").write_text("a")
    (archives / "lock").write_text("")
    pool.keep(archives)
    pool.keep(archives)
    assert [path.name for path in pool.folder.iterdir()] == ["a_1_all.deb"]


def test_the_meter_follows_apt_to_the_end() -> None:
    seen: list[float] = []
    meter = Meter(seen.append)
    for phase, count in (("I: installing essential packages...", 2), ("I: installing remaining packages...", 3)):
        meter.read(phase)
        meter.read(f"0 upgraded, {count} newly installed, 0 to remove and 0 not upgraded.")
        for act in ("Unpacking", "Setting up"):
            for number in range(count):
                meter.read(f"{act} p{number} (1) ...")
    assert seen == sorted(set(seen))
    assert 0 < seen[0] < 0.2
    assert seen[-1] == pytest.approx(0.99)


@given(
    st.lists(
        st.sampled_from(
            ["Get:1 http://x", "Unpacking a", "Setting up a", "9 newly installed", "I: extracting archives"]
        )
    )
)
def test_the_meter_stays_within_bounds(lines: list[str]) -> None:
    seen: list[float] = []
    meter = Meter(seen.append)
    for line in lines:
        meter.read(line)
    assert all(0 <= fraction < 1 for fraction in seen)
    assert seen == sorted(seen)


@pytest.mark.parametrize(
    ("stderr", "message"),
    [
        ("E: The repository 'http://x trixie InRelease' is not signed.", "not signed by whom it should be"),
        ("W: GPG error: http://x: NO_PUBKEY 0E98404D386FA1D9\nE: failed", "not signed by whom it should be"),
        ("Err:1 http://x trixie InRelease\n  Could not resolve 'x'\nE: Failed to fetch", "cannot reach a mirror"),
        ("E: The repository 'http://x trixie Release' does not have a Release file.", "cannot reach a mirror"),
    ],
)
def test_trouble_with_mirrors_is_told_apart(stderr: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        _explain(CommandFailed(Completed(("apt-get", "update"), 100, "", stderr)))
    assert caught.value.hint
    assert caught.value.code is ExitCode.MACHINE


@pytest.mark.parametrize(
    ("output", "message", "hint"),
    [
        (
            "noise\nE: Failed to fetch http://x/a.deb  404\nI: done\n",
            "E: Failed to fetch http://x/a.deb  404",
            "mirror",
        ),
        ("dpkg: error processing package a (--configure):\n", "dpkg: error processing package a", "build.log"),
        ("E: cannot write: No space left on device\n", "No space left", "disk is full"),
        (" a : Depends: b but it is not installable\nE: Unable to correct problems\n", "a : Depends: b", "build.log"),
        ("something else\n", "something else", "build.log"),
    ],
)
def test_a_failed_transaction_is_explained(output: str, message: str, hint: str) -> None:
    error = explained(CommandFailed(Completed(("unshare", "x" * 5000), 25, output, "")))
    assert message in error.message
    assert hint in error.hint
    assert "xxx" not in error.message
    assert error.code is ExitCode.MACHINE


@pytest.mark.parametrize("name", NOT_IN_DEBIAN)
def test_third_party_wheels_are_locked_by_hash(name: str) -> None:
    assert re.fullmatch(rf"{name}==\S+( \\\n    --hash=sha256:[0-9a-f]{{64}})+", locked(ROOT, name))


def test_a_wheel_that_is_not_locked(tmp_path: Path) -> None:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "dev.lock").write_text("other==1 \\\n    --hash=sha256:00\n")
    with pytest.raises(UserError, match="not locked"):
        locked(tmp_path, "pykickstart")


def test_our_wheel_holds_the_rooms_without_the_builder() -> None:
    names = {str(path.relative_to(ROOT)) for path in room_sources(ROOT)}
    assert {"pyproject.toml", "zeroth/spec/load.py"} <= names
    assert not any(name.startswith(("images/", "tests/")) or "/units/" in name for name in names)


def test_elements_have_hooks_that_will_run() -> None:
    hooks = element_hooks(ROOT / "images" / "elements")
    assert "root/50-zeroth-os-tree" in hooks
    names = [hook.split("/")[1] for hook in hooks]
    assert all("zeroth-" in name for name in names), "another element's hook may have the same name"


def test_a_hook_that_would_be_passed_over_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "zeroth-os" / "install.d"
    folder.mkdir(parents=True)
    (folder / "10-x").write_text("#!/bin/sh\n")
    with pytest.raises(UserError, match="cannot be executed"):
        element_hooks(tmp_path)
    (folder / "10-x").rename(folder / "10-x.sh")
    with pytest.raises(UserError, match="letters, digits"):
        element_hooks(tmp_path)


def menu_text() -> str:
    return render("grub.cfg.j2", entries=entries(), product="zeroth", version="1", arguments_file="embedded.cfg")


def test_the_boot_menu_follows_the_contract() -> None:
    menu = menu_text()
    assert menu.count("menuentry ") == len(entries()) + 2
    assert "set timeout=10" in menu
    assert "set default=install" in menu
    assert {entry.id for entry in entries()} == {"install", "serial", "ask", "safe", "rescue", "xen", "verify"}
    for entry in entries():
        words = entry.arguments.split()
        assert words[0] == "boot=zeroth"
        assert words[1] in {"zeroth.mode=install", "zeroth.mode=rescue", "zeroth.mode=verify"}
        start = "module2" if entry.xen else "linux"
        assert f"with_arguments {start} /zeroth/vmlinuz {entry.arguments}\n" in menu
    assert menu.count("multiboot2 ") == 1
    assert kernel_arguments("install", SERIAL).endswith("console=ttyS0,115200n8")
    hotkeys = re.findall(r"--hotkey (\w)", menu)
    assert len(hotkeys) == menu.count("menuentry ")
    # GRUB's own keys in the menu; v moves the cursor down.
    assert len({*hotkeys, "c", "e", "v"}) == len(hotkeys) + 3
    titles = re.findall(r'menuentry "(.*?)"', menu)
    assert max(len(title) for title in titles) <= 70, "it would not fit the menu's frame on a screen of 80 columns"


def test_kernel_arguments_keep_the_size_of_their_file() -> None:
    for words in ((), ("console=ttyS1",), ("a=it's", "b=two words", "c=$x;&`y`")):
        script = arguments_script(words)
        assert len(script) == ARGUMENTS_SIZE
        assert script.endswith(b"#\n")
    assert b"  \"$@\" console=ttyS1 'b=x y'\n}\n" in arguments_script(("console=ttyS1", "b=x y"))
    with pytest.raises(UserError, match="room"):
        arguments_script(("x" * ARGUMENTS_SIZE,))
    with pytest.raises(ValueError, match="control character"):
        arguments_script(("a\nb",))


def test_published_netboot_tree_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = {name: tmp_path / name for name in ("root", "boot", "netboot", "manifest", "iso", "base", "bills")}
    for folder in results.values():
        folder.mkdir()
    contents = {
        "root/root.squashfs": "r", "root/root.verity": json.dumps({"root_hash": "a" * 64, "hash_offset": 4096}),
        "netboot/netboot.img": "n", "netboot/grubx64.efi": "g",
        "boot/vmlinuz": "v", "boot/initrd.img": "i", "boot/xen.gz": "x", "iso/zeroth.iso": "o",
        "base/origin.json": '{"as_of": "now", "releases": []}', "bills/zeroth.spdx.json": "{}",
    }  # fmt: skip
    for name, text in contents.items():
        (tmp_path / name).write_text(text)
    made = [tmp_path / name for name in contents if name.startswith(("root/", "boot/"))]
    document = {"security_updates": False, "files": {path.name: describe(path) for path in made}}
    (tmp_path / "manifest" / "manifest.json").write_text(json.dumps(document))
    monkeypatch.setattr(BuildConfig, "dist", tmp_path / "dist")
    config = BuildConfig(ROOT)
    published = publish(config, results, Step("iso", "ISO", {}, lambda *_: None))
    assert published.iso.read_text() == (tmp_path / "dist" / "zeroth.iso").read_text() == "o"
    assert published.reservations
    for folder in (tmp_path / "dist", tmp_path / "dist" / "netboot"):
        run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder)
    netboot = {path.name for path in (tmp_path / "dist" / "netboot").iterdir()}
    script = (tmp_path / "dist" / "netboot" / "boot.ipxe").read_text()
    assert script.startswith("#!ipxe\n")
    loaded = re.findall(r"^(?:kernel|initrd) \$\{zeroth_url\}(\S+)", script, re.MULTILINE)
    assert loaded == ["vmlinuz", "initrd.img", "netboot.img"]
    sums = (tmp_path / "dist" / "netboot" / "SHA256SUMS").read_text()
    fetched = {line.split()[1] for line in sums.splitlines()}
    assert fetched == {"root.squashfs", "root.verity", "vmlinuz", "initrd.img", "xen.gz", "manifest.json"}
    assert netboot == fetched | {"SHA256SUMS", "netboot.img", "boot.ipxe", "grub.cfg", "grubx64.efi"}
    dist = (tmp_path / "dist" / "SHA256SUMS").read_text()
    assert all(f"  netboot/{name}\n" in dist for name in netboot)
    before = (tmp_path / "dist" / "manifest.json").stat().st_mtime_ns
    publish(config, results, Step("iso", "ISO", {}, lambda *_: None))
    assert (tmp_path / "dist" / "manifest.json").stat().st_mtime_ns == before
    assert "zeroth.spdx.json" in (tmp_path / "dist" / "SHA256SUMS").read_text()
    key = SecretKey.generate("release")
    publish(config, results, Step("iso", "ISO", {}, lambda *_: None), [key])
    for name in ("manifest.json", "SHA256SUMS"):
        assert check_file(tmp_path / "dist" / name, [key.public], Purpose.IMAGE) == key.public
    # What is not signed this time does not keep the signature of another time.
    publish(config, results, Step("iso", "ISO", {}, lambda *_: None))
    assert not list((tmp_path / "dist").glob("*.minisig"))


def test_a_template_without_its_values_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render("grub.cfg.j2", entries=entries(), product="zeroth")


def test_packages_of_a_tree(tmp_path: Path) -> None:
    folder = tmp_path / "usr/lib/sysimage/dpkg"
    folder.mkdir(parents=True)
    (folder / "status").write_text(
        "Package: b\nStatus: install ok installed\nVersion: 1:2-3\nSource: src (1.0)\n\n"
        "Package: a\nStatus: install ok installed\nVersion: 4\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nVersion: 5\n"
    )
    licences = Licences({"a": "MIT"})
    assert installed_packages(tmp_path, licences, {"b": "12ab"}) == {
        "a": {"version": "4", "architecture": "", "source": "a", "source_version": "4", "licence": "MIT"},
        "b": {"version": "1:2-3", "architecture": "", "source": "src", "source_version": "1.0",
              "licence": "NOASSERTION", "sha256": "12ab"},
    }  # fmt: skip


def test_published_files_are_placed_once(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "dist" / "target"
    source.write_text("one")
    assert not _place(source, target)
    assert _place(source, target)
    other = tmp_path / "other"
    other.write_text("two")
    assert not _place(other, target)
    assert (target.read_text(), source.read_text()) == ("two", "one")

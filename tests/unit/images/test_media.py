"""Packing with the real tools: the same bytes twice, and a medium that every firmware finds its way on.

These need root (mount namespaces) and the tools tree that a build leaves in the store; without them they are skipped,
and the lab looks at the real image instead.
"""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

import pytest

from images.cache import Store
from images.isolate import isolated
from images.menu import ARGUMENTS_FILE, arguments_script
from images.pack import boot_files, root_image
from images.report import medium_problems, medium_report
from images.tools import ToolsTree
from tests.unit.images.medium import EPOCH, make_medium
from zeroth.deploy.verity import read_root_tree
from zeroth.errors import UserError
from zeroth.spec.embedded import AREA, Embedded, read_area
from zeroth.system.files import sha256_file
from zeroth.system.run import CommandFailed, run


def make_tree(folder: Path) -> Path:
    for name, content in {
        "etc/hostname": "zeroth\n",
        "usr/bin/tool": "#!/bin/sh\n",
        "boot/vmlinuz-6.1": "kernel",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    # Of several blocks, whatever the compressor does.
    (folder / "usr" / "noise").write_bytes(random.Random(1).randbytes(40_000))
    (folder / "boot" / "initrd.img-6.1").write_text("initrd")
    (folder / "boot" / "xen-4.gz").write_text("xen")
    (folder / "boot" / "xen.gz").symlink_to("xen-4.gz")
    (folder / "lib").symlink_to("usr/lib")
    return folder


def test_the_same_tree_gives_the_same_root_image(tmp_path: Path, tools: ToolsTree) -> None:
    sums = []
    for number, jobs in enumerate((1, 2)):
        tree = make_tree(tmp_path / f"tree{number}")
        os.utime(tree / "etc" / "hostname", (EPOCH + 5000 + number,) * 2)
        out = tmp_path / f"out{number}"
        out.mkdir()
        root_image(tree, out, tools=tools, level=3, epoch=EPOCH, jobs=jobs, progress=lambda _: None)
        sums.append(sha256_file(out / "root.squashfs"))
        tree_of_hashes = read_root_tree(out / "root.verity")
        where = f"--hash-offset={tree_of_hashes.hash_offset}"
        image = out / "root.squashfs"
        check: list[str | Path] = ["veritysetup", "verify", image, image, tree_of_hashes.root_hash, where]
        tools.run(check, show=[out])
        # Every byte counts: of the data, and of the tree.
        whole = image.read_bytes()
        for place in (100, tree_of_hashes.hash_offset + 4096 + 5):
            image.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            with pytest.raises(CommandFailed):
                tools.run(check, show=[out])
        image.write_bytes(whole)
    assert sums[0] == sums[1]
    listing = tools.run(["unsquashfs", "-l", out / "root.squashfs"], show=[out]).stdout
    assert "etc/hostname" in listing
    assert "vmlinuz" not in listing


def test_boot_files_are_found_by_what_they_are(tmp_path: Path) -> None:
    tree, out = make_tree(tmp_path / "tree"), tmp_path / "out"
    out.mkdir()
    boot_files(tree, out)
    assert {path.name: path.read_text() for path in out.iterdir()} == {
        "vmlinuz": "kernel", "initrd.img": "initrd", "xen.gz": "xen",
    }  # fmt: skip
    (tree / "boot" / "vmlinuz-6.2").write_text("another")
    with pytest.raises(UserError, match=r"vmlinuz-6\.1, vmlinuz-6\.2"):
        boot_files(tree, out)


def test_the_medium_boots_everywhere(tmp_path: Path, tools: ToolsTree) -> None:
    image = make_medium(tmp_path, "one", tools)
    assert medium_problems(medium_report(image, tools)) == []


def test_a_medium_without_its_parts_is_found_out(tmp_path: Path, tools: ToolsTree) -> None:
    content = tmp_path / "content"
    content.mkdir()
    image = tmp_path / "plain.iso"
    tools.run(["xorriso", "-as", "mkisofs", "-V", "OTHER", "-o", image, content], show=[tmp_path])
    problems = medium_problems(medium_report(image, tools))
    assert len(problems) >= 5
    assert any("ZEROTH" in problem for problem in problems)


def test_the_same_files_give_the_same_medium(tmp_path: Path, tools: ToolsTree) -> None:
    one, two = (make_medium(tmp_path, name, tools) for name in ("one", "two"))
    assert sha256_file(one) == sha256_file(two)
    assert sha256_file(make_medium(tmp_path, "three", tools, "rootpw --lock\n")) != sha256_file(one)


def test_what_lies_on_the_medium(tmp_path: Path, tools: ToolsTree) -> None:
    image = make_medium(tmp_path, "one", tools, "rootpw --lock\n")
    out = tmp_path / "extracted"
    tools.run(["xorriso", "-osirrox", "on", "-indev", image, "-extract", "/", out], show=[tmp_path])
    assert (out / "zeroth/answer.ks").read_text() == "rootpw --lock\n"
    sums = subprocess.run(["sha256sum", "--check", "SHA256SUMS"], cwd=out / "zeroth", capture_output=True, text=True)
    assert sums.returncode == 0, sums.stdout + sums.stderr
    for name in ("boot/grub/grub.cfg", "EFI/BOOT/grub.cfg", "EFI/BOOT/BOOTX64.EFI", "boot/grub/efi.img"):
        assert (out / name).stat().st_size > 0
    inside = tools.run(["mdir", "-b", "-/", "-i", out / "boot/grub/efi.img", "::"], show=[tmp_path]).stdout
    assert "::/EFI/BOOT/BOOTX64.EFI" in inside
    # A script that only defines something is none to its checker.
    with_words = arguments_script(("a=it's", "b=$x; y"))
    (out / "words.cfg").write_bytes(with_words + b"with_arguments echo\n")
    for script in ("boot/grub/grub.cfg", "words.cfg"):
        tools.run(["grub-script-check", out / script], show=[tmp_path])
    (out / "words.cfg").unlink()
    # Everything is in the sums but what xorriso makes, what is written into later, and the sums themselves.
    named = {line.split("  ")[1] for line in (out / "zeroth/SHA256SUMS").read_text().splitlines()}
    present = {os.path.relpath(path, out / "zeroth") for path in out.rglob("*") if path.is_file()}
    assert present - named == {
        "../boot/grub/boot.cat", "../boot/grub/eltorito.img", "../boot/grub/embedded.cfg", "embedded", "SHA256SUMS",
    }  # fmt: skip
    assert read_area((out / AREA).read_bytes()) == Embedded()
    assert (out / ARGUMENTS_FILE).read_bytes() == arguments_script()


def test_tools_see_only_what_is_shown_and_change_nothing_else(tmp_path: Path, tools: ToolsTree) -> None:
    shown, hidden = tmp_path / "shown, or: not", tmp_path / "hidden"
    for folder in (shown, hidden):
        folder.mkdir()
    tools.run(
        ["sh", "-c", 'echo x > file; echo x > /usr/bin/scratch; test ! -e "$0"', hidden], show=[shown], cwd=shown
    )
    assert (shown / "file").read_text() == "x\n"
    assert not tools.path("usr/bin/scratch").exists()
    assert str(tools.folder) not in Path("/proc/self/mountinfo").read_text()


def test_isolated_commands_take_their_mounts_with_them(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    place = tmp_path / "place"
    place.mkdir()
    run(isolated(["sh", "-c", f"mount -t tmpfs none {place} && : > {place}/x && test -e {place}/x"]))
    assert list(place.iterdir()) == []
    store = Store(tmp_path / "store")
    store.clear_work()

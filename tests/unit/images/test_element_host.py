"""The zeroth-host element: its hooks, and the tools it runs in the tree."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.images.elements import tool

IMAGES = Path(__file__).parents[3] / "images"
ELEMENT = IMAGES / "elements" / "zeroth-host"
FILES = ELEMENT / "zeroth-host-files"
INITRAMFS = FILES / "usr/share/initramfs-tools"
HOOKS = sorted(ELEMENT.glob("*.d/*"))
SHELL = [
    *HOOKS,
    INITRAMFS / "hooks/zeroth",
    INITRAMFS / "scripts/zeroth",
    *sorted((INITRAMFS / "scripts/zeroth-lib").iterdir()),
    FILES / "usr/lib/systemd/system-generators/zeroth-mode-generator",
]


def relative(path: Path) -> str:
    return str(path.relative_to(ELEMENT))


@pytest.mark.parametrize("hook", HOOKS, ids=relative)
def test_hooks_would_not_be_passed_over(hook: Path) -> None:
    # dib-run-parts skips, silently, what is not executable or has another name.
    assert re.fullmatch(r"[0-9]{2}-zeroth-host-[0-9A-Za-z_-]+", hook.name)
    assert hook.stat().st_mode & stat.S_IXUSR
    assert hook.parent.name in {"extra-data.d", "install.d", "post-install.d"}


@pytest.mark.parametrize("script", SHELL, ids=relative)
def test_shell_parses(script: Path) -> None:
    shell = "bash" if script.read_text().startswith("#!/bin/bash") else "sh"
    subprocess.run([shell, "-n", script], check=True)


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_shellcheck_is_content() -> None:
    # The parts of the boot script are sourced into initramfs-tools' shell and read each other's variables.
    parts = [path for path in SHELL if "scripts" in path.parts and "initramfs-tools" in path.parts]
    others = [path for path in SHELL if path not in parts]
    subprocess.run(["shellcheck", "-s", "dash", "-e", "SC1091,SC2013,SC2154", *parts], check=True)
    subprocess.run(["shellcheck", "-e", "SC1091", *others], check=True)


def test_what_runs_in_the_tree_is_executable() -> None:
    assert os.access(INITRAMFS / "hooks/zeroth", os.X_OK)
    assert os.access(FILES / "usr/lib/systemd/system-generators/zeroth-mode-generator", os.X_OK)


@pytest.mark.parametrize("name", ["base.list", "firmware-server.list"])
def test_package_lists_are_sorted_and_name_each_package_once(name: str) -> None:
    lines = [line for line in (IMAGES / "packages" / name).read_text().splitlines() if not line.startswith("#")]
    assert lines == sorted(set(lines))
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", line) for line in lines)


def test_no_directory_of_ours_would_change_the_mode_of_the_machine() -> None:
    # Links and folders of the element must exist as such in a checkout, else tar replaces folders of the tree.
    for folder in ("bin", "sbin", "lib", "var", "root", "home"):
        assert not (FILES / folder).exists()


# Fixed ids.

ids = tool("zeroth-host", "static_ids")


def test_the_table_of_ids_is_sound() -> None:
    table = ids.parse((FILES / "usr/lib/sysusers.d/00-zeroth-ids.conf").read_text())
    assert table.users["zeroth"] == table.groups["zeroth"]
    assert all(ids.FIRST_DYNAMIC <= number <= ids.LAST_DYNAMIC for number in table.groups.values())


@pytest.mark.parametrize("text", ["u a 800\nu b 800\n", "g a 800\nu a2 801:800\ng c 800\n", "m a b\n", "u a\n"])
def test_an_unsound_table_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"id"):
        ids.parse(text)


def test_renumbering_names_who_lacks_an_id() -> None:
    with pytest.raises(ValueError, match="newcomer"):
        ids.renumbering({"root": 0, "newcomer": 104, "users": 100}, {}, "user")
    with pytest.raises(ValueError, match="belongs to www-data"):
        ids.renumbering({"www-data": 33, "a": 101}, {"a": 33}, "user")


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.integers(100, 999), min_size=1))
def test_renumbering_is_one_to_one(current: dict[str, int]) -> None:
    if len(set(current.values())) != len(current):
        return
    fixed = {name: 800 + place for place, name in enumerate("abcdefgh")}
    mapping = ids.renumbering(current, fixed, "user")
    after = {name: mapping.get(number, number) for name, number in current.items()}
    assert after == {name: fixed[name] for name in current}


def test_account_files_are_rewritten_in_their_columns_only() -> None:
    text = "a:x:101:103:101:/:/bin/sh\nb:x:0:0:root:/root:/bin/bash\n"
    assert ids.rewrite(text, {2: {101: 801}, 3: {103: 803}}) == text.replace("x:101:103", "x:801:803")


# The initrd of netboot.

newer = tool("zeroth-host", "new_files")


def test_new_files_are_those_that_were_not_there_as_they_are(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    for folder in (before, after):
        (folder / "lib").mkdir(parents=True)
        (folder / "lib/same").write_text("same")
        (folder / "lib/other").write_text(folder.name.zfill(8))
        (folder / "link").symlink_to("lib/same")
        (folder / "moved").symlink_to(folder.name)
    (after / "lib/net").mkdir()
    (after / "lib/net/card.ko").write_text("x")
    (after / "lib.d").symlink_to("lib")
    (before / "gone").write_text("x")

    assert list(newer.new_files(before, after)) == [
        "./lib.d",
        "./lib/net",
        "./lib/net/card.ko",
        "./lib/other",
        "./moved",
    ]


# /var as a template.

var = tool("zeroth-host", "factory_var")


def test_var_becomes_a_template_of_itself(tmp_path: Path) -> None:
    for folder in ("var/lib/app", "var/lib/known", "var/cache/apt", "var/log/daemon", "usr/lib/tmpfiles.d"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "usr/lib/tmpfiles.d/app.conf").write_text("# known\nd /var/lib/known 0700 - - -\n")
    (tmp_path / "var/lib/app/data").write_text("x")
    (tmp_path / "var/lib/app/empty").write_text("")
    (tmp_path / "var/lib/app/link").symlink_to("../known")
    (tmp_path / "var/log/daemon/old.log").write_text("x")
    (tmp_path / "var/cache/apt/pkg").write_text("x")
    (tmp_path / "var/lib/app").chmod(0o750)
    (tmp_path / "var/lib/app/data").chmod(0o640)

    var.main(tmp_path)

    lines = (tmp_path / "usr/lib/tmpfiles.d/zeroth-var.conf").read_text().splitlines()
    kinds = {line.split()[1]: line for line in lines if not line.startswith("#")}
    assert kinds["/var/lib/app"].startswith("d /var/lib/app 0750 ")
    assert kinds["/var/lib/app/data"].startswith("C /var/lib/app/data 0640 ")
    assert kinds["/var/lib/app/empty"].startswith("f ")
    assert kinds["/var/lib/app/link"] == "L /var/lib/app/link - - - - ../known"
    assert kinds["/var/log/daemon"].startswith("d ")
    assert "/var/lib/known" not in kinds
    assert not [path for path in kinds if "apt" in path or "old.log" in path]
    assert not list((tmp_path / "var").iterdir())
    assert (tmp_path / "usr/share/factory/var/lib/app/data").read_text() == "x"


def test_names_that_tmpfiles_would_misread_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a b").write_text("")
    with pytest.raises(ValueError, match="misread"):
        var.line_for(tmp_path / "a b", "/var/a b")

"""The zeroth-host element: its hooks, the boot script, and the tools it runs in the tree."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import subprocess
import zipfile
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


# The boot script's reading of the kernel command line, run for real by a shell.


def read_arguments(tmp_path: Path, cmdline: str) -> dict[str, str]:
    source = (INITRAMFS / "scripts/zeroth-lib/arguments").read_text()
    (tmp_path / "cmdline").write_text(cmdline + "\n")
    script = source.replace("/proc/cmdline", str(tmp_path / "cmdline"))
    script += """
zeroth_say() { :; }
zeroth_read_arguments
for name in mode medium slot root state log roothash hash_offset root_sha256 disk trial on_failure wait \\
    netboot sums_digest address card; do
    eval "printf '%s=%s\\n' $name \\"\\$zeroth_$name\\""
done
"""
    out = subprocess.run(["sh", "-eu", "-c", script], check=True, capture_output=True, text=True).stdout
    return dict(line.split("=", 1) for line in out.splitlines())


def test_arguments_of_a_host(tmp_path: Path) -> None:
    found = read_arguments(
        tmp_path,
        "console=hvc0 zeroth.mode=host zeroth.slot=b zeroth.root=PARTUUID=AB-1 zeroth.state=PARTUUID=AB-2"
        " zeroth.log=PARTUUID=AB-3 zeroth.roothash=0123ab zeroth.hash_offset=8192 zeroth.trial"
        " zeroth.on_failure=poweroff zeroth.wait=5",
    )
    assert found == {
        "mode": "host",
        "medium": "ZEROTH",
        "slot": "b",
        "root": "PARTUUID=AB-1",
        "state": "PARTUUID=AB-2",
        "log": "PARTUUID=AB-3",
        "roothash": "0123ab",
        "hash_offset": "8192",
        "root_sha256": "",
        "disk": "",
        "trial": "yes",
        "on_failure": "poweroff",
        "wait": "5",
        "netboot": "",
        "sums_digest": "",
        "address": "",
        "card": "",
    }


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        ("zeroth.disk=own", "disk", "own"),
        ("zeroth.root_sha256=0123ab", "root_sha256", "0123ab"),
        ("zeroth.on_failure=reboot", "on_failure", "reboot"),
        ("zeroth.on_failure=halt", "on_failure", "shell"),
        ("zeroth.trial=no", "trial", ""),
        ("zeroth.wait=soon", "wait", "60"),
        ("zeroth.wait=", "wait", "60"),
        ("zeroth.wait=99999", "wait", "60"),
        ("zeroth.mode=* zeroth.medium=[a-z]*", "mode", "*"),
        ("zeroth.medium=MY$(touch x)", "medium", "MY$(touch"),
    ],
)
def test_odd_arguments_are_tamed(tmp_path: Path, words: str, name: str, value: str) -> None:
    assert read_arguments(tmp_path, words)[name] == value


@pytest.mark.parametrize(
    ("line", "good"),
    [
        ("{}  root.squashfs", True),
        ("{} *root.squashfs", True),
        ("{}  ./root.squashfs", True),
        ("{}  zeroth/root.squashfs", True),
        ("{}  other-root.squashfs", False),
        ("{}  root.squashfs.old", False),
        ("{}  vmlinuz", False),
    ],
)
def test_checksum_lines_of_the_image(tmp_path: Path, line: str, good: bool) -> None:
    source = (INITRAMFS / "scripts/zeroth-lib/memory").read_text()
    command = re.search(r"wanted=\$\((.*)\)\n", source)
    assert command
    (tmp_path / "sums").write_text("0" * 64 + "  initrd.img\n" + line.format("a" * 64) + "\n")
    out = subprocess.run(
        ["sh", "-c", command[1]],
        check=True,
        capture_output=True,
        text=True,
        env={"zeroth_sums": str(tmp_path / "sums")},
    ).stdout
    assert out.strip() == ("a" * 64 if good else "")


def check_image(tmp_path: Path, trusted: str, listed: str) -> str:
    """What the check of the copied image says: the image's digest is that of ``image``."""
    (tmp_path / "image").write_bytes(b"image")
    (tmp_path / "sums").write_text(f"{listed}  root.squashfs\n")
    source = (INITRAMFS / "scripts/zeroth-lib/memory").read_text()
    script = source.replace("/run/zeroth/image/root.squashfs", str(tmp_path / "image"))
    script += """
zeroth_say() { echo "$1"; }
zeroth_fail() { echo "$1"; exit; }
zeroth_sums=$1 zeroth_root_sha256=$2
zeroth_check_image
"""
    words: list[str | Path] = ["sh", "-u", "-c", script, "sh", tmp_path / "sums", trusted]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()[-1]


def test_a_signed_menu_is_believed_before_the_medium(tmp_path: Path) -> None:
    true = hashlib.sha256(b"image").hexdigest()
    assert check_image(tmp_path, "", true) == "the system image is intact"
    assert check_image(tmp_path, "", "0" * 64) == "the system image on the medium is damaged"
    assert check_image(tmp_path, true, "0" * 64) == "the system image is intact"
    assert check_image(tmp_path, "0" * 64, true) == "the system image on the medium is damaged"


# Finding the disk under Secure Boot, run for real by a shell on folders that stand for /sys.

ESP = "0f0e0d0c-0001-4000-8000-000000000002"


def own_disk(tmp_path: Path, variable: bytes | None, left: str | None) -> dict[str, str]:
    """What the initrd finds: slot, partitions, trial; ``fail`` when it stops.

    :param variable: what the boot loader left in the firmware.
    :param left: the environment block on the ESP; None when that cannot be mounted.
    """
    variables, disk, run = tmp_path / "efivars", tmp_path / "devices" / "nvme0n1", tmp_path / "run"
    for folder in (variables, tmp_path / "class", run / "zeroth" / "esp" / "boot" / "grub", tmp_path / "panic"):
        folder.mkdir(parents=True)
    if variable is not None:
        (variables / "LoaderDevicePartUUID-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f").write_bytes(variable)
    for number in range(1, 8):
        part = disk / f"nvme0n1p{number}"
        part.mkdir(parents=True)
        (part / "partition").write_text(f"{number}\n")
        (tmp_path / "class" / part.name).symlink_to(part)
    if left is not None:
        (run / "zeroth/esp/boot/grub/grubenv").write_text(left)
    source = (INITRAMFS / "scripts/zeroth-lib/own-disk").read_text()
    stand_ins = {
        "/run/": f"{run}/", "/proc/sys/kernel/panic": run / "panic",
        "/sys/class/block": tmp_path / "class", "/sys/firmware/efi/efivars": variables,
    }  # fmt: skip
    for real, stand_in in stand_ins.items():
        source = source.replace(real, str(stand_in))
    script = (
        source
        + """
modprobe() { :; }
umount() { :; }
mount() { [ -e "$grubenv" ]; }
blkid() { for last; do :; done; echo "UUID-OF-${last##*/}"; }
zeroth_wait_for() { [ "$1" = "PARTUUID=$esp_uuid" ] && echo /dev/nvme0n1p2; }
zeroth_no_device() { echo "fail=$2"; exit; }
zeroth_fail() { echo "fail=$1"; exit; }
grubenv=$1 esp_uuid=$2 zeroth_trial= zeroth_on_failure=shell
zeroth_find_own_disk
for name in slot root state log trial on_failure; do eval "printf '%s=%s\\n' $name \"\\$zeroth_$name\""; done
"""
    )
    words: list[str | Path] = ["sh", "-u", "-c", script, "sh", run / "zeroth/esp/boot/grub/grubenv", ESP]
    out = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return dict(line.split("=", 1) for line in out.splitlines())


SAID = b"\x06\0\0\0" + (ESP.upper() + "\0").encode("utf-16-le")
BLOCK = "# GRUB Environment Block\ncommitted=a\ntrial=b\ntries=1\nstarted={}\n" + "#" * 900


@pytest.mark.parametrize(
    ("left", "slot", "trial"),
    [
        (BLOCK.format("a"), "a", ""),
        (BLOCK.format("b"), "b", ""),
        (BLOCK.format("b-trial"), "b", "yes"),
        (BLOCK.format("$(reboot)"), "a", ""),
        ("", "a", ""),
        (None, "a", ""),
    ],
)
def test_the_disk_that_was_started_from(tmp_path: Path, left: str | None, slot: str, trial: str) -> None:
    found = own_disk(tmp_path, SAID, left)
    number = {"a": 3, "b": 4}[slot]
    assert found == {
        "slot": slot,
        "root": f"PARTUUID=uuid-of-nvme0n1p{number}",
        "state": "PARTUUID=uuid-of-nvme0n1p5",
        "log": "PARTUUID=uuid-of-nvme0n1p6",
        "trial": trial,
        "on_failure": "reboot" if trial else "shell",
    }
    told = (tmp_path / "run/zeroth/booted").read_text().split()
    assert told == [f"zeroth.slot={slot}", f"zeroth.root={found['root']}", *(["zeroth.trial"] if trial else [])]
    watchdog = tmp_path / "run/systemd/system.conf.d/zeroth-trial.conf"
    assert watchdog.is_file() == bool(trial)


@pytest.mark.parametrize("variable", [None, b"", b"\x06\0\0\0", b"\x06\0\0\0" + "../x".encode("utf-16-le")])
def test_without_the_boot_loader_s_word_nothing_is_started(tmp_path: Path, variable: bytes | None) -> None:
    assert "does not say which disk" in own_disk(tmp_path, variable, BLOCK.format("a"))["fail"]


# Verify mode, run for real by a shell on a folder that stands for a medium.


def verify(medium: Path, tmp_path: Path) -> str:
    source = (INITRAMFS / "scripts/zeroth-lib/verify").read_text()
    script = (
        source
        + """
zeroth_say() { echo "$*"; }
zeroth_progress() { echo "$*" >&2; }
zeroth_fail() { echo "$1"; exit; }
zeroth_restart_on_enter() { exit; }
zeroth_source_medium() { zeroth_sums=$medium/zeroth/SHA256SUMS; }
medium=$1
zeroth_verify_medium
"""
    )
    done = subprocess.run(["sh", "-u", "-c", script, "sh", medium], capture_output=True, text=True, check=True)
    (tmp_path / "progress").write_text(done.stderr)
    return done.stdout


@pytest.fixture
def medium(tmp_path: Path) -> Path:
    folder = tmp_path / "medium"
    (folder / "zeroth").mkdir(parents=True)
    (folder / "EFI").mkdir()
    # More than one piece, and a part of one.
    (folder / "zeroth" / "root.squashfs").write_bytes(os.urandom(1 << 20) * 33 + b"tail")
    (folder / "zeroth" / "empty").write_bytes(b"")
    (folder / "EFI" / "B.EFI").write_bytes(b"efi")
    names = ["root.squashfs", "empty", "../EFI/B.EFI"]
    with (folder / "zeroth" / "SHA256SUMS").open("w") as sums:
        subprocess.run(["sha256sum", *names], cwd=folder / "zeroth", stdout=sums, check=True)
    return folder


def test_a_good_medium_is_verified(medium: Path, tmp_path: Path) -> None:
    assert verify(medium, tmp_path) == "verification OK: all 3 files of this medium are intact (33 MiB)\n"
    progress = (tmp_path / "progress").read_text().splitlines()
    assert progress[0] == "verifying: 16 of 33 MiB (48 %), root.squashfs"
    assert progress[-1] == "verifying: 33 of 33 MiB (100 %), ../EFI/B.EFI"


@pytest.mark.parametrize("name", ["zeroth/root.squashfs", "EFI/B.EFI"])
def test_a_flipped_byte_is_named(medium: Path, tmp_path: Path, name: str) -> None:
    path = medium / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    said = verify(medium, tmp_path)
    shown = os.path.relpath(path, medium / "zeroth")
    assert f"DAMAGED: {shown}\n" in said
    assert f"verification failed: {shown}\n" in said
    assert "OK" not in said
    path.unlink()
    said = verify(medium, tmp_path)
    assert f"MISSING: {shown}\n" in said
    assert f"verification failed: {shown}\n" in said


def test_a_medium_without_sums(medium: Path, tmp_path: Path) -> None:
    (medium / "zeroth" / "SHA256SUMS").write_text("")
    assert verify(medium, tmp_path) == "the medium holds no checksums (zeroth/SHA256SUMS)\n"


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


# Wheels.

wheels = tool("zeroth-host", "install_wheel")


def wheel(path: Path, files: dict[str, str], *, pure: str = "true") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a-1.dist-info/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: {pure}\n")
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def test_a_wheel_is_installed_with_its_command(tmp_path: Path) -> None:
    (tmp_path / "usr/bin").mkdir(parents=True)
    points = "[console_scripts]\nDo-It = a.cli:main\n[other]\nx = y:z\n"
    made = wheel(
        tmp_path / "a.whl",
        {"a/cli.py": "def main(): return 3\n", "a-1.dist-info/entry_points.txt": points, "a-1.data/data/man": ""},
    )
    site = tmp_path / "usr/lib/python3/dist-packages"
    assert wheels.install(made, tmp_path) == [site / "a/cli.py"]
    command = tmp_path / "usr/bin/Do-It"
    assert os.access(command, os.X_OK)
    run = subprocess.run(["python3", command], env={"PYTHONPATH": str(site), "PATH": os.environ["PATH"]})
    assert run.returncode == 3
    with pytest.raises(ValueError, match="another package"):
        wheels.install(made, tmp_path)
    shutil.rmtree(site)
    with pytest.raises(ValueError, match="Do-It: belongs"):
        wheels.install(made, tmp_path)


def test_wheels_go_below_another_root(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "usr/bin").mkdir(parents=True)
    wheels.main(["--root", str(tmp_path), str(wheel(tmp_path / "b.whl", {"b.py": ""}))])
    assert capsys.readouterr().out.split() == [str(tmp_path / wheels.SITE / "b.py")]
    with pytest.raises(SystemExit, match="not a wheel|zip"):
        (tmp_path / "c.whl").write_text("no archive")
        wheels.main([str(tmp_path / "c.whl")])


@pytest.mark.parametrize("name", ["../a.py", "/etc/a.py", "a/../../b.py"])
def test_a_wheel_cannot_write_outside(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="leads out"):
        wheels.install(wheel(tmp_path / "a.whl", {name: ""}), tmp_path)


def test_compiled_wheels_and_odd_commands_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="pure"):
        wheels.install(wheel(tmp_path / "a.whl", {}, pure="false"), tmp_path)
    with pytest.raises(ValueError, match="cannot be installed|can be installed"):
        wheels.console_scripts("[console_scripts]\na = b:c(); import os\n")

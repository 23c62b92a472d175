"""The boot script of the zeroth-host element, run for real by a shell."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from pathlib import Path

import pytest

IMAGES = Path(__file__).parents[3] / "images"
ELEMENT = IMAGES / "elements" / "zeroth-host"
FILES = ELEMENT / "zeroth-host-files"
INITRAMFS = FILES / "usr/share/initramfs-tools"


# Its reading of the kernel command line.


def read_arguments(tmp_path: Path, cmdline: str) -> dict[str, str]:
    source = (INITRAMFS / "scripts/zeroth-lib/arguments").read_text()
    (tmp_path / "cmdline").write_text(cmdline + "\n")
    script = source.replace("/proc/cmdline", str(tmp_path / "cmdline"))
    script += """
zeroth_say() { :; }
zeroth_read_arguments
for name in mode medium slot root state log multipath roothash hash_offset root_sha256 disk trial on_failure wait \\
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
        "multipath": "",
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
        ("zeroth.multipath=3600a", "multipath", "3600a"),
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

"""Which slot runs, on which disk; and reading an image whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zeroth.deploy.booted import Booted, booted
from zeroth.deploy.bootenv import BootState
from zeroth.deploy.scrub import scrub
from zeroth.deploy.slot_cli import status_lines
from zeroth.errors import UserError
from zeroth.progress import Stream

UUID = "0f0e0d0c-0001-4000-8000-000000000003"
HOST = f"zeroth.mode=host zeroth.slot=b zeroth.root=PARTUUID={UUID.upper()} zeroth.roothash=ab zeroth.trial\n"


def _cmdline(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "cmdline"
    path.write_text(text)
    return path


def test_what_the_kernel_was_told(tmp_path: Path) -> None:
    assert booted(_cmdline(tmp_path, HOST)) == Booted("b", UUID, "ab", trial=True)


def test_what_the_initrd_found_out_under_secure_boot(tmp_path: Path) -> None:
    found = tmp_path / "booted"
    cmdline = _cmdline(tmp_path, "zeroth.mode=host zeroth.disk=own zeroth.roothash=ab\n")
    with pytest.raises(UserError, match="not started from a slot"):
        booted(cmdline, found)
    found.write_text(f"zeroth.slot=a zeroth.root=PARTUUID={UUID} \n")
    assert booted(cmdline, found) == Booted("a", UUID, "ab", trial=False)
    found.write_text(f"zeroth.slot=b zeroth.root=PARTUUID={UUID} zeroth.trial\n")
    assert booted(cmdline, found) == Booted("b", UUID, "ab", trial=True)


@pytest.mark.parametrize("text", ["", "zeroth.mode=install", "zeroth.mode=host zeroth.slot=c zeroth.root=PARTUUID=x",
                                  "zeroth.mode=host zeroth.slot=a zeroth.root=/dev/sda3"])  # fmt: skip
def test_what_is_no_host(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError, match="not started from a slot"):
        booted(_cmdline(tmp_path, text))


@pytest.mark.parametrize(("disk", "slot", "esp"), [("sda", "sda3", "sda2"), ("nvme0n1", "nvme0n1p4", "nvme0n1p2")])
def test_the_esp_is_that_of_the_same_disk(tmp_path: Path, disk: str, slot: str, esp: str) -> None:
    devices, sys = tmp_path / "by-partuuid", tmp_path / "class"
    real = tmp_path / "devices" / disk / slot
    for folder in (devices, sys, real):
        folder.mkdir(parents=True)
    (real / "partition").write_text("3\n")
    (sys / slot).symlink_to(real)
    (devices / UUID).symlink_to(f"/dev/{slot}")
    here = Booted("a", UUID, "", trial=False)
    assert here.esp(devices, sys).device == Path("/dev") / esp
    with pytest.raises(UserError, match="not on a disk"):
        Booted("a", "other", "", trial=False).esp(devices, sys)


def test_the_partitions_of_a_disk_over_several_paths_are_its_map_s(tmp_path: Path) -> None:
    wwid = "3600c0ff00050aaaa0001000001000000"
    here = booted(_cmdline(tmp_path, f"{HOST.strip()} zeroth.multipath={wwid}\n"))
    assert here.multipath == wwid
    assert here.esp(tmp_path, tmp_path).device == Path(f"/dev/mapper/{wwid}-part2")
    # What is no WWID leads nowhere.
    assert booted(_cmdline(tmp_path, f"{HOST.strip()} zeroth.multipath=../sda\n")).multipath == ""


def test_in_words() -> None:
    assert status_lines(Booted("a", "", "", trial=False), BootState()) == [
        "running from slot a",
        "slot a has proved itself, and is started by default",
    ]
    failed = status_lines(Booted("a", "", "", trial=False), BootState("a", "b", 0))
    assert failed[-1] == "slot b is on trial: no try left: it failed"
    assert "could not be started" in status_lines(Booted("b", "", "", trial=False), BootState("a"))[2]


def test_every_bad_block_is_found_and_the_others_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = tmp_path / "image"
    size = (5 << 20) + 3 * 4096
    image.write_bytes(b"x" * size)
    broken = {4096, (2 << 20) + 8192, size - 4096}
    real = os.preadv

    def preadv(handle: int, buffers: list[memoryview], start: int) -> int:
        if any(start <= at < start + len(buffers[0]) for at in broken):
            raise OSError(5, "Input/output error")
        return real(handle, buffers, start)

    with Stream([]).step("scrub") as step:
        assert scrub(image, step).bad == ()
        monkeypatch.setattr(os, "preadv", preadv)
        found = scrub(image, step)
    assert found.size == size
    assert set(found.bad) == broken

"""How the initrd joins the paths of a host's disk, run for real by a shell on folders that stand for /sys and /dev."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.unit.images.test_element_boot import FILES, INITRAMFS

WWID, OTHER = "3600c0ff00050aaaa0001000001000000", "35000c500a0000001"
UUIDS = {3: "AAAA-3", 5: "aaaa-5"}


class Initrd:
    """What a machine has when the script begins, and what the script said and did."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "called"
        for name in ("block", "mapper", "run/multipath"):
            (folder / name).mkdir(parents=True)
        self.log.touch()

    def disk(self, name: str, serial: str, *, since: int = 0) -> None:
        """A disk that the kernel sees, from that second on."""
        (self.folder / "block" / name).mkdir()
        (self.folder / "block" / name / "dev").touch()
        (self.folder / f"serial-{name}").write_text(serial)
        (self.folder / f"since-{name}").write_text(str(since))

    def play(self, wwid: str = WWID, *, works: bool = True, then: str = "") -> list[str]:
        """Run it; returns what it said."""
        parts = "\n".join((INITRAMFS / "scripts/zeroth-lib" / name).read_text() for name in ("devices", "multipath"))
        places = {
            "/sys/class/block": self.folder / "block", "/dev/mapper": self.folder / "mapper",
            "/run/zeroth": self.folder / "run", "[ -b ": "[ -e ", "readlink -f": "echo",
        }  # fmt: skip
        for real, stand_in in places.items():
            parts = parts.replace(real, str(stand_in))
        script = f"""{parts}
zeroth_say() {{ echo "$*"; }}
zeroth_fail() {{ echo "FAIL $1"; exit; }}
zeroth_list_devices() {{ :; }}
# A second passes with each look at the clock.
zeroth_seconds() {{ echo x >>"$here/clock"; wc -l <"$here/clock"; }}
sleep() {{ :; }}
modprobe() {{ :; }}
udevadm() {{
	for last; do :; done
	name=${{last##*/}}
	[ "$(cat "$here/since-$name")" -gt "$(wc -l <"$here/clock")" ] || echo "ID_SERIAL=$(cat "$here/serial-$name")"
	echo DEVTYPE=disk
}}
blkid() {{ for last; do :; done; cat "$last"; }}
multipath() {{
	echo "multipath $*" >>"$here/called"
	if [ -n "$works" ]; then : >"$here/mapper/$zeroth_multipath"; else echo "sda: in use"; return 1; fi
}}
kpartx() {{ echo "kpartx $*" >>"$here/called"; }}
here=$1 zeroth_multipath=$2 works=$3 zeroth_wait=60
zeroth_open_multipath
{then}
"""
        words = ["sh", "-u", "-c", script, "sh", str(self.folder), wwid, "yes" if works else ""]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()

    @property
    def called(self) -> list[str]:
        return self.log.read_text().splitlines()

    @property
    def seconds(self) -> int:
        return len((self.folder / "clock").read_text().splitlines())


@pytest.fixture
def initrd(tmp_path: Path) -> Initrd:
    return Initrd(tmp_path)


def test_without_the_argument_nothing_is_done(initrd: Initrd) -> None:
    initrd.disk("sda", WWID)
    initrd.disk("sdb", WWID)
    assert initrd.play("") == []
    assert initrd.called == []
    assert list((initrd.folder / "run/multipath").iterdir()) == []


def test_two_paths_are_joined_at_once(initrd: Initrd) -> None:
    initrd.disk("sda", OTHER)
    initrd.disk("sdb", WWID)
    initrd.disk("sdc", WWID)
    (initrd.folder / "block/sdb1").mkdir()
    assert initrd.play() == []
    assert initrd.called == ["multipath -v1", f"kpartx -a -s -p -part {initrd.folder}/mapper/{WWID}"]
    assert initrd.seconds < 5
    # Nothing else may be joined.
    assert (initrd.folder / "run/multipath/wwids").read_text() == f"/{WWID}/\n"
    assert "no_path_retry 24" in (initrd.folder / "run/multipath/conf.d/host.conf").read_text()


def test_a_second_path_is_waited_for_and_one_is_enough(initrd: Initrd) -> None:
    initrd.disk("sda", WWID)
    assert initrd.play() == [f"one path only leads to the disk {WWID}"]
    assert initrd.called[0] == "multipath -v1"
    assert 10 <= initrd.seconds < 20


def test_a_path_that_comes_late_is_taken(initrd: Initrd) -> None:
    initrd.disk("sda", WWID, since=20)
    initrd.disk("sdb", WWID, since=24)
    assert initrd.play() == []
    assert 24 <= initrd.seconds < 30


def test_without_a_path_it_says_so(initrd: Initrd) -> None:
    initrd.disk("sda", OTHER)
    said = initrd.play()
    assert said[-1] == f"FAIL the disk over several paths ({WWID}) did not appear within 60 seconds"
    assert initrd.called == []


def test_paths_that_cannot_be_joined_are_told_of(initrd: Initrd) -> None:
    initrd.disk("sda", WWID)
    initrd.disk("sdb", WWID)
    said = initrd.play(works=False)
    assert said == ["  sda: in use", f"FAIL the 2 paths to the disk {WWID} cannot be joined"]


@pytest.mark.parametrize("text", ["mpatha", "3600;reboot", "../sda", "3600 a"])
def test_what_is_no_wwid_is_refused(initrd: Initrd, text: str) -> None:
    assert initrd.play(text) == [f"FAIL zeroth.multipath={text} is no WWID"]


@pytest.mark.parametrize(("uuid", "number"), [("aaaa-3", 3), ("AAAA-5", 5), ("aaaa-6", 0)])
def test_partitions_are_those_of_the_map(initrd: Initrd, uuid: str, number: int) -> None:
    initrd.disk("sda", WWID)
    initrd.disk("sdb", WWID)
    for part, text in UUIDS.items():
        (initrd.folder / "mapper" / f"{WWID}-part{part}").write_text(text)
    said = initrd.play(then=f"zeroth_device PARTUUID={uuid} || echo none")
    assert said == [f"{initrd.folder}/mapper/{WWID}-part{number}" if number else "none"]


def test_multipath_itself_joins_nothing_unasked() -> None:
    text = (FILES / "etc/multipath.conf").read_text()
    for line in ("find_multipaths strict", "user_friendly_names no", "skip_kpartx yes", "no_path_retry fail"):
        assert f"\t{line}\n" in text
    unit = (FILES / "usr/lib/systemd/system/multipathd.service.d/zeroth.conf").read_text()
    assert "\nConditionKernelCommandLine=zeroth.multipath\n" in unit

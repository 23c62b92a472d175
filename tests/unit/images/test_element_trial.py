"""A slot on trial: how the boot script gives it its state, run for real by a shell."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

TRIAL = (
    Path(__file__).parents[3] / "images" / "elements" / "zeroth-host" / "zeroth-host-files" / "usr" / "share"
    / "initramfs-tools" / "scripts" / "zeroth-lib" / "trial"
)  # fmt: skip


def prepare(tmp_path: Path, *, trial: bool, note: bool, state: bool, code: int = 0) -> list[str]:
    """What the boot script does and says about slot b."""
    run, root = tmp_path / "run", tmp_path / "root"
    (run / "zeroth/state/upgrade").mkdir(parents=True)
    root.mkdir()
    if note:
        (run / "zeroth/state/upgrade/b.json").write_text("{}")
    if state:
        (run / "zeroth/state/b/store").mkdir(parents=True)
    script = TRIAL.read_text().replace("/run/", f"{run}/")
    script += f"""
zeroth_say() {{ echo "say $*"; }}
zeroth_fail() {{ echo "fail $1"; exit; }}
mount() {{ for last; do :; done; echo "mount ${{last#"$rootmnt"}}"; }}
umount() {{ echo "umount ${{1#"$rootmnt"}}"; }}
chroot() {{ shift; echo "zeroth: $*"; return {code}; }}
rootmnt={root}
zeroth_slot=b
zeroth_trial={"yes" if trial else ""}
zeroth_prepare_slot
"""
    return subprocess.run(["sh", "-u", "-c", script], check=True, capture_output=True, text=True).stdout.splitlines()


_MOUNTS = ["mount /dev", "mount /proc", "mount /tmp", "mount /mnt"]
_UNMOUNTS = ["umount /mnt", "umount /tmp", "umount /proc", "umount /dev"]
_CLEAN = "/usr/bin/env -i PATH=/usr/sbin:/usr/bin LC_ALL=C.UTF-8"
_PREPARES = f"say {_CLEAN} /usr/bin/python3 -I -m zeroth slot prepare b --state /mnt"


@pytest.mark.parametrize(
    ("trial", "state"), [(True, False), (True, True), (False, False)], ids=["first try", "later try", "by hand"]
)
def test_a_slot_on_trial_gets_its_state(tmp_path: Path, trial: bool, state: bool) -> None:
    assert prepare(tmp_path, trial=trial, note=True, state=state) == [*_MOUNTS, _PREPARES, *_UNMOUNTS]
    # What the units of the running system go by.
    assert (tmp_path / "run/zeroth/on-trial").exists() is trial


def test_a_slot_that_has_its_state_keeps_it(tmp_path: Path) -> None:
    # Chosen by hand after its tries, committed with the note still there, or installed.
    assert prepare(tmp_path / "1", trial=False, note=True, state=True) == []
    assert prepare(tmp_path / "2", trial=False, note=False, state=True) == []
    assert prepare(tmp_path / "3", trial=False, note=False, state=False) == []


def test_a_slot_that_cannot_get_its_state_is_not_started(tmp_path: Path) -> None:
    said = prepare(tmp_path / "1", trial=True, note=True, state=True, code=4)
    assert said[-5:] == [*_UNMOUNTS, "fail slot b cannot be given its state"]
    assert prepare(tmp_path / "2", trial=True, note=False, state=True) == [
        "fail slot b is on trial, and there is no upgrade in it"
    ]


def watchdog(tmp_path: Path, *, trial: bool, xen: bool = True) -> tuple[str, str]:
    """What the boot script does about the watchdog, and what it tells systemd."""
    script = TRIAL.read_text().replace("/run/", f"{tmp_path}/run/").replace("/dev/watchdog0", "/dev/null")
    script += f"""
zeroth_say() {{ echo "say $*"; }}
modprobe() {{ echo "$*"; return {int(not xen)}; }}
zeroth_trial={"yes" if trial else ""}
zeroth_start_watchdog
"""
    said = subprocess.run(["sh", "-u", "-c", script], check=True, capture_output=True, text=True).stdout.strip()
    told = tmp_path / "run/systemd/system.conf.d/zeroth-trial.conf"
    return said, told.read_text() if told.exists() else ""


def test_a_slot_on_trial_has_a_watchdog_that_systemd_takes_over(tmp_path: Path) -> None:
    assert watchdog(tmp_path, trial=False) == ("", "")
    said = watchdog(tmp_path, trial=True)
    assert said == ("-q xen_wdt timeout=300", "[Manager]\nRuntimeWatchdogSec=300\n")


def test_without_xen_s_watchdog_systemd_is_told_of_none(tmp_path: Path) -> None:
    said, told = watchdog(tmp_path, trial=True, xen=False)
    assert "there is no watchdog" in said
    assert told == ""

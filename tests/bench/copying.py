"""The installer's copying of the root image beside `dd`: the same bytes, the same disk of 100 MB/s, both read back."""

from __future__ import annotations

from rich.console import Console

from installer.image import RAM_COPY
from tests.bench.figures import Figures
from tests.bench.hosts import install_steps
from tests.bench.staging import measuring
from tests.lab.host import Host
from tests.lab.install import install, installer_machine, new_target
from tests.lab.machine import Firmware
from tests.lab.parts import opened
from tests.lab.scenarios.refusals import rescue_shell
from tests.lab.stage import Stage
from zeroth.deploy.layout import Part
from zeroth.system.live import MEDIUM
from zeroth.system.run import run
from zeroth.system.size import MIB

__all__ = ["copy_figures"]

RATE = 100_000_000
"""Bytes a second that the disk takes and gives."""
LIMIT = 1.3
_STEP = "Write the root image"
# The source is read once before, as the installer has when it checked it; uptime counts hundredths of a second.
_SCRIPT = f"""
S={RAM_COPY}; test -f $S || S={MEDIUM}/zeroth/root.squashfs
T=/dev/disk/by-partlabel/zeroth-a
now() {{ cut -d" " -f1 /proc/uptime; }}
cat $S > /dev/null; size=$(stat -Lc %s $S); begin=$(now)
dd if=$S of=$T bs=4M conv=fsync status=none; wrote=$(now)
echo 3 > /proc/sys/vm/drop_caches
dd if=$T of=/dev/null bs=4M count=$size iflag=count_bytes status=none; end=$(now)
echo "di""d $size $begin $wrote $end"
"""


def copy_figures(console: Console) -> list[Figures]:
    """Install on a slow disk, then copy the same there by `dd`."""
    with measuring("bench-copy", console) as stage:
        return _measure(stage)


def _measure(stage: Stage) -> list[Figures]:
    target = new_target(stage, Firmware.BIOS, rate=RATE)
    with stage.step("install"):
        install(stage, target)
    with opened(target, Part.LOG) as device:
        log = run(["debugfs", "-R", "cat /zeroth/install.log", device]).stdout
    steps = {name.strip(): seconds for name, seconds in install_steps(log)}
    with stage.step("dd"):
        host = rescue_shell(stage, installer_machine(stage, target))
        size, wrote, read = _dd(host)
    ours = (steps["Write"], steps["Read back"])
    rows = (
        ("dd", wrote, read, wrote + read, 1.0),
        ("zeroth (verifies what it reads back)", *ours, steps[_STEP], steps[_STEP] / (wrote + read)),
    )
    note = f"{size / MIB:.0f} MiB; at the disk's rate {2 * size / RATE:.1f} s. At most {LIMIT} is wanted."
    return [Figures("copy", "Copying the root image to a disk of 100 MB/s",
                    ("by", "write s", "read back s", "all s", "ratio"), rows, note, digits=2)]  # fmt: skip


def _dd(host: Host) -> tuple[int, float, float]:
    """Bytes, and seconds to write and to read them."""
    host.serial.send("cat > /tmp/dd.sh <<'END'\n")
    for line in _SCRIPT.strip().splitlines():
        host.serial.send(line + "\n")
    host.serial.send("END\nsh /tmp/dd.sh\n")
    said = host.wait_for(r"^did \d+ \S+ \S+ \S+", 600).split()
    begin, middle, end = map(float, said[2:5])
    return int(said[1]), middle - begin, end - middle

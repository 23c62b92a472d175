"""Answers that are wrong."""

from __future__ import annotations

from tests.lab import disks
from tests.lab.install import installer_machine, new_target
from tests.lab.machine import Disk, Firmware
from tests.lab.paths import ROOT
from tests.lab.scenario import scenario
from tests.lab.scenarios.refusals import rescue_shell
from tests.lab.stage import Stage, expect

TRIED = 30
"""How many of the collection are tried: each takes an emulated machine ten seconds. The unit tests try every one."""
BAD = ROOT / "tests" / "answers" / "bad"
_TRY = r"""
mkdir -p /tmp/bad; mount -o ro /dev/disk/by-id/virtio-answers /tmp/bad; cd /tmp/bad
for file in *; do
  zeroth installer run --no-end-action --answer "$file" >/tmp/said 2>&1 </dev/null; status=$?
  grep -q Traceback /tmp/said && echo "try: $file traceback"
  grep -q '^error:' /tmp/said || echo "try: $file silent"
  echo "try: $file exit $status"
done
echo "tried $(ls | wc -l) of them"
"""


@scenario(minutes=12)
def bad_answers(stage: Stage) -> None:
    """Thirty bad answers of the collection are refused with an error by the installer itself; no disk is changed."""
    every = sorted(path for path in BAD.iterdir() if path.suffix != ".expect")
    expect(len(every) >= TRIED, f"there should be {TRIED} bad answers at least, not {len(every)}")
    files = {path.name: path.read_bytes() for path in every[:: len(every) // TRIED][:TRIED]}
    target = new_target(stage, Firmware.BIOS)
    disks.fat_data(target.disk.path, "letters.txt", b"Dear all,\n")
    script = disks.fat_volume(stage.folder / "script.img", "SCRIPT", {"try.sh": _TRY})
    volume = disks.fat_volume(stage.folder / "bad.img", "BADANSWERS", files)
    machine = installer_machine(
        stage, target, extra=(Disk(volume, "answers", readonly=True), Disk(script, "script", readonly=True))
    )
    before = {disk.path: disks.digest(disk.path) for disk in machine.disks}
    with stage.step("start the rescue shell"):
        host = rescue_shell(stage, machine)
    with stage.step(f"try {len(files)} answers"):
        host.serial.send("mkdir -p /tmp/s; mount -o ro /dev/disk/by-id/virtio-script /tmp/s; sh /tmp/s/try.sh\n")
        host.wait_for(f"tried {len(files)} of them", 900)
    said = [line for line in host.serial.text().splitlines() if line.startswith("try: ")]
    wrong = [line for line in said if not line.endswith("exit 1")]
    expect(len(said) == len(files) and not wrong, "not refused as they should be:\n" + "\n".join(wrong or said))
    host.kill()
    for path, digest in before.items():
        expect(disks.digest(path) == digest, f"{path.name} was changed by a bad answer")

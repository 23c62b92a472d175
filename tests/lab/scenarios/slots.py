"""Bytes that changed on the disk, and a slot that does not start: what boots then, and who is told."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.lab import disks
from tests.lab.answers import TARGET
from tests.lab.checks import check_units
from tests.lab.golden import golden, resume
from tests.lab.host import Host
from tests.lab.install import FIRST_BOOT, Target
from tests.lab.machine import Disk, Firmware
from tests.lab.parts import copy_inside, flip, opened
from tests.lab.scenario import scenario
from tests.lab.stage import Stage, expect
from zeroth.deploy.bootenv import BootState, read_boot_state, write_boot_state
from zeroth.deploy.bootmenu import ENTRY
from zeroth.deploy.esp import Esp
from zeroth.deploy.layout import Part
from zeroth.system.run import run

_BOOT_FILES = ("xen.gz", "vmlinuz", "initrd.img", "SHA256SUMS")
_DAMAGED = "The boot files of slot a are damaged: not started"


@scenario(minutes=12, after=("iso-bios",))
def flipped_bytes(stage: Stage) -> None:
    """One flipped byte: in a boot file, in a block that the boot reads, in one that it does not; each is found."""
    with stage.step("a boot file"):
        target = _installed(stage, "boot-file")
        with opened(target, Part.ESP) as device:
            esp = Esp(device)
            (place, *_) = esp.extents("/zeroth/a/initrd.img")
            flip(device, place + 12345)
        host = stage.start(target.machine(), "boot-file")
        host.wait_for(_DAMAGED, 300, never="zeroth: ")
        host.kill()
    with stage.step("a block that the boot reads"):
        target = _installed(stage, "early-block")
        with opened(target, Part.SLOT_A) as device:
            flip(device, 1)
        host = stage.start(target.machine(), "early-block")
        host.wait_for("zeroth: cannot start: slot a .* (holds no root image|does not hold)", 900, never=FIRST_BOOT)
        host.kill()
    with stage.step("a block that nobody has read yet"):
        host = resume(stage)
        said = json.loads(host.ssh("zeroth slot scrub --json", seconds=600))
        expect(said["bad"] == [], f"the image should be whole: {said}")
        # The last data block: of the squashfs's tables, which were read at the start and stay in memory.
        size = int(host.ssh("blockdev --getsize64 /dev/mapper/zeroth-root"))
        bad = size - size // 3 // 4096 * 4096
        part = host.ssh("readlink -f /dev/disk/by-partlabel/zeroth-a").strip()
        _flip_inside(host, part, bad + 77)
        host.ssh("systemctl start zeroth-scrub.service", seconds=600, ok=(1,))
        told = host.ssh("journalctl -b -p alert -o cat -u zeroth-scrub.service")
        expect(str(bad) in told, f"no alert names the bad block {bad}: {told!r}")
        expect("Domain-0" in host.ssh("xl list"), "the host does not run on")
        host.kill()


@scenario(minutes=12, after=("iso-bios",))
def slot_on_trial(stage: Stage) -> None:
    """A slot on trial that cannot start is tried twice and left: the old one is back by itself, and says so."""
    target = _installed(stage, "trial")
    _put_on_trial(stage, target)
    for number in (1, 2):
        with stage.step(f"try {number}"):
            host = stage.start(target.machine(), f"try-{number}")
            host.wait_for("zeroth: cannot start: slot b .*", 900, never=FIRST_BOOT)
            host.wait_for("zeroth: restarting in 10 seconds", 60)
            stopped = host.wait_stopped(180)
            expect(stopped.reason == "guest-reset", f"it should have restarted by itself, not {stopped}")
            host.kill()
    with stage.step("back in the old slot"):
        host = stage.start(target.machine(), "back")
        host.wait_for(FIRST_BOOT, 1500, never="zeroth: (cannot start: |first boot failed).*")
        host.wait_ssh(300)
        said = json.loads(host.ssh("zeroth slot status --json"))
        wanted = {"booted": "a", "on_trial": False, "committed": "a", "trial": "b", "tries": 0}
        expect(wanted.items() <= said.items(), f"zeroth slot status says {said}")
        check_units(host)


@scenario(minutes=3, after=("iso-bios",))
def unrecorded_try(stage: Stage) -> None:
    """A slot on trial is not started from a disk that does not take the record of the try."""
    target = _installed(stage, "unrecorded")
    _put_on_trial(stage, target)
    locked = replace(target, disk=replace(target.disk, readonly=True))
    host = stage.start(locked.machine(), "unrecorded")
    host.wait_for("Checking .* in slot a", 300, never="in slot b")
    host.kill()
    with opened(target, Part.ESP) as device:
        expect(read_boot_state(Esp(device)) == BootState("a", "b", 2), "the try was recorded on a disk that is locked")


def _put_on_trial(stage: Stage, target: Target) -> None:
    """Order a trial of slot b, which boots as far as its initrd: its partition holds no image."""
    with opened(target, Part.ESP) as device:
        esp = Esp(device)
        expect(read_boot_state(esp) == BootState(committed="a"), "an installation should commit slot a")
        for name in _BOOT_FILES:
            copy_inside(esp, f"/zeroth/a/{name}", f"/zeroth/b/{name}", stage.folder)
        entry = esp.read_text(f"/zeroth/a/{ENTRY}")
        parts = {part: _partuuid(target, part) for part in (Part.SLOT_A, Part.SLOT_B)}
        for old, new in (("/zeroth/a", "/zeroth/b"), ("slot a", "slot b"), ("zeroth-a", "zeroth-b"),
                         ("zeroth.slot=a", "zeroth.slot=b"), ("= a ]", "= b ]"),
                         (parts[Part.SLOT_A], parts[Part.SLOT_B])):  # fmt: skip
            expect(old in entry, f"the entry of slot a does not hold {old!r}")
            entry = entry.replace(old, new)
        esp.put_text(entry, f"/zeroth/b/{ENTRY}")
        write_boot_state(esp, BootState("a", "b", 2))


def _installed(stage: Stage, name: str) -> Target:
    """A raw copy of a disk as the installer left it."""
    path = disks.copy(golden(stage, Firmware.BIOS).installed, stage.folder / f"{name}.raw")
    return Target(Firmware.BIOS, Disk(path, TARGET, boot=5), None)


def _partuuid(target: Target, part: Part) -> str:
    return run(["sfdisk", "--part-uuid", target.disk.path, str(int(part))]).stdout.strip().lower()


def _flip_inside(host: Host, device: str, place: int) -> None:
    """The same on a device of a running host, below its verification."""
    script = (
        "import os,sys; f=os.open(sys.argv[1],os.O_RDWR); p=int(sys.argv[2]); b=os.pread(f,1,p)[0]; "
        "os.pwrite(f,bytes([b^1]),p); os.fsync(f)"
    )
    host.ssh(f"python3 -c '{script}' {device} {place}")

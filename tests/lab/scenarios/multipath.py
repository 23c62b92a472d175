"""A disk that is seen over two paths, as in a SAN: installed on as one, and outlived by the loss of a path."""

from __future__ import annotations

import re
import time
from dataclasses import replace

from tests.lab.checks import check_host, check_units
from tests.lab.host import Host
from tests.lab.install import BOOT_SECONDS, Target, boot, install, new_target
from tests.lab.machine import Firmware
from tests.lab.scenario import scenario
from tests.lab.stage import Stage, expect

BACK_SECONDS = 120
"""multipathd looks at a lost path every 20 seconds at most; an emulated machine takes its time."""


@scenario(minutes=24)
def multipath(stage: Stage) -> None:
    """A host on a disk over two paths outlives the loss of one, takes it back, and starts with one alone."""
    target = _target(stage, Firmware.BIOS)
    with stage.step("installed over two paths"):
        install(stage, target)
    with stage.step("started over two paths"):
        host = boot(stage, target.machine())
        check_host(host)
        check_map(host, target, 2)
    with stage.step("a path is lost and comes back"):
        lose_and_find(host)
        check_units(host)
        host.ssh("sync")
        host.kill()
    with stage.step("started with one path alone"):
        left = replace(target, disk=replace(target.disk, paths=1))
        host = boot(stage, left.machine(), name="one-path", first=False)
        expect("one path only leads to the disk" in host.serial.text(), "the initrd did not tell of the path")
        check_host(host)
        check_map(host, left, 1)
        host.kill()
    with stage.step("started over two paths again"):
        host = boot(stage, target.machine(), name="again", first=False)
        check_map(host, target, 2)
        host.kill()


@scenario(minutes=12)
def multipath_uefi(stage: Stage) -> None:
    """A disk over two paths is installed on under UEFI, and its entry starts it."""
    target = _target(stage, Firmware.UEFI)
    install(stage, target)
    host = boot(stage, target.machine())
    check_host(host)
    check_map(host, target, 2)
    entries = host.ssh("efibootmgr --verbose")
    uuid = host.ssh(f"blkid -p -s PART_ENTRY_UUID -o value /dev/mapper/{wwid(target)}-part2").strip()
    expect(re.search(rf"zeroth\s.*GPT,{uuid}", entries, re.IGNORECASE), f"no entry names {uuid}:\n{entries}")
    host.kill()


def _target(stage: Stage, firmware: Firmware) -> Target:
    target = new_target(stage, firmware)
    return replace(target, disk=replace(target.disk, bus="scsi", paths=2))


def wwid(target: Target) -> str:
    """By what multipath knows the disk."""
    return f"3{target.disk.wwn.removeprefix('0x')}"


def paths(host: Host) -> dict[str, str]:
    """The kernel's names of the paths, and whether they are ``active`` or ``failed``."""
    said = host.ssh("multipathd show paths raw format '%d %t'")
    return dict(line.split()[:2] for line in said.splitlines() if line.startswith("sd"))


def check_map(host: Host, target: Target, count: int) -> None:
    """Everything of the host is on the map, which has so many paths that work; nothing uses a path past it."""
    known = wwid(target)
    expect(
        f"zeroth.multipath={known}" in host.ssh("cat /proc/cmdline").split(), "the kernel was not told of the paths"
    )
    shown = host.ssh("multipath -ll")
    expect(known in shown, f"there is no map {known}:\n{shown}")
    expect(shown.count("active ready running") == count, f"not {count} paths work:\n{shown}")
    expect(list(paths(host).values()) == ["active"] * count, f"multipathd says {paths(host)}")
    for place in ("/run/zeroth/state", "/var/log"):
        source = host.ssh(f"findmnt -no SOURCE {place}").strip()
        expect(source.startswith(f"/dev/mapper/{known}-part"), f"{place} is {source}, not on the map")
    below = host.ssh("dmsetup deps -o blkdevname zeroth-root").strip()
    expect(host.ssh(f"readlink -f /dev/mapper/{known}-part3").strip().removeprefix("/dev/") in below,
           f"the root image lies on {below}")  # fmt: skip
    # The paths' own partitions are gone, and every name of a partition leads to the map's.
    own = host.ssh(f"ls /dev | grep -E '^({'|'.join(paths(host))})[0-9]+$'", ok=(0, 1)).split()
    expect(not own, f"paths have partitions of their own: {own}")
    for link in host.ssh("readlink -f /dev/disk/by-partuuid/*").split():
        expect(link.startswith("/dev/dm-"), f"a name of a partition leads to {link}")
    facts = host.ssh("zeroth probe --json")
    expect(f'"path":"/dev/mapper/{known}"' in re.sub(r"\s", "", facts), "the host does not see its disk as one")
    for words in ("zeroth host status", "zeroth slot status"):
        host.ssh(words)


def lose_and_find(host: Host) -> None:
    """Take a path away, write, and give it back."""
    lost = sorted(paths(host))[0]
    host.ssh(f"echo offline >/sys/block/{lost}/device/state")
    host.ssh("for n in 1 2 3; do dd if=/dev/urandom of=/var/log/lost.$n bs=1M count=8 conv=fsync; done", seconds=300)
    _wait(host, lost, "failed")
    host.ssh("sha256sum /var/log/lost.* >/var/log/lost.sums && echo 3 >/proc/sys/vm/drop_caches")
    host.ssh(f"echo running >/sys/block/{lost}/device/state")
    _wait(host, lost, "active")
    host.ssh("sha256sum --quiet --check /var/log/lost.sums && rm /var/log/lost.*", seconds=300)


def _wait(host: Host, path: str, wanted: str) -> None:
    end = time.monotonic() + min(BACK_SECONDS * 2, BOOT_SECONDS)
    while (found := paths(host).get(path)) != wanted:
        expect(time.monotonic() < end, f"the path {path} is {found}, not {wanted}")
        time.sleep(3)

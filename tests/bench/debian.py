"""A plain Debian of the same packages, installed by its own tools in a lab machine, beside our installation."""

from __future__ import annotations

import os
import shutil
from itertools import pairwise
from pathlib import Path

from rich.console import Console

from images.config import SUITE, BuildConfig, checkout
from images.packages import read_list
from tests.bench.figures import Figures
from tests.bench.staging import measuring
from tests.lab import disks
from tests.lab.host import Host
from tests.lab.install import DISK_SIZE, install, installer_machine, new_target
from tests.lab.machine import Disk, Firmware
from tests.lab.scenarios.refusals import rescue_shell
from tests.lab.stage import Stage
from zeroth.system.run import run

__all__ = ["debian_figures"]

_TOOLS = ("apt-utils", "e2fsprogs", "fdisk", "grub-pc-bin", "grub2-common", "mmdebstrap", "udev")
_HOURS = 3600.0 * 2
# In the machine: the medium's rescue system lends its kernel, the tree beside it everything else.
_ENTER = """
mkdir -p /mnt; mount /dev/disk/by-id/virtio-debian /mnt
for name in dev proc sys; do mount --rbind /$name /mnt/$name; done
chroot /mnt sh /install.sh 2>&1 | tee /tmp/said | grep --line-buffered -E '^(step|E:)'
echo "deb""ian ended"
"""
_INSTALL = """
set -e
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
disk=$(readlink -f /dev/disk/by-id/virtio-target)
step() { echo "step $(cut -d' ' -f1 /proc/uptime) $1"; }
step 'partitions and file system'
printf 'label: gpt\\n,1MiB,21686148-6449-6E6F-744E-656564454649\\n,,L\\n' | sfdisk -q $disk
udevadm settle; mkfs.ext4 -q ${disk}2; mkdir -p /target; mount ${disk}2 /target
step 'packages (mmdebstrap)'
mmdebstrap --mode=root --variant=apt --skip=check/empty --include=@PACKAGES@ \\
  --setup-hook='mkdir -p "$1/repo"; mount --bind /repo "$1/repo"' \\
  --customize-hook='umount "$1/repo"; rmdir "$1/repo"' \\
  @SUITE@ /target 'deb [trusted=yes] file:/repo ./' >/tmp/mmdebstrap.log 2>&1 \\
  || { tail -20 /tmp/mmdebstrap.log | sed 's/^/E: /'; exit 1; }
step 'boot loader'
for name in dev proc sys; do mount --rbind /$name /target/$name; done
echo "/dev/disk/by-uuid/$(blkid -s UUID -o value ${disk}2) / ext4 errors=remount-ro 0 1" > /target/etc/fstab
chroot /target grub-install $disk; chroot /target update-grub
step 'to the disk'
sync
step end
"""


def debian_figures(console: Console) -> list[Figures]:
    """Install it once; its packages are on the machine already, as ours are."""
    with measuring("bench-debian", console) as stage:
        return _measure(stage)


def _measure(stage: Stage) -> list[Figures]:
    config = BuildConfig(checkout())
    packages = read_list(config.packages / "base.list").names
    with stage.step("tools and packages"):
        volume = _volume(stage.folder, config.cache, packages)
    target = new_target(stage, Firmware.BIOS)
    with stage.step("install Debian"):
        host = rescue_shell(stage, installer_machine(stage, target, extra=(Disk(volume, "debian"),)))
        started = host.seconds()
        steps = _install(host)
        host.kill()
    with stage.step("install zeroth"):
        ours = install(stage, new_target(stage, Firmware.BIOS, name="zeroth"), name="zeroth").seconds()
    times = [(name, end - begin) for (begin, name), (end, _) in pairwise(steps)]
    theirs = started + steps[-1][0] - steps[0][0]
    rows = (("starting the medium", started), *times, ("all", theirs), ("zeroth, all", ours), ("ratio", theirs / ours))
    return [Figures("debian", f"Installing Debian's {len(packages)} packages with its own tools", ("step", "s"), rows,
                    "mmdebstrap and grub-install in a lab machine of one processor, packages on a disk.")]  # fmt: skip


def _volume(folder: Path, cache: Path, packages: tuple[str, ...]) -> Path:
    """A disk with a Debian that has the tools, and a folder of packages with their index."""
    tree = folder / "tree"
    sources = cache / "index" / "sources.list"
    run(["mmdebstrap", "--mode=root", "--variant=apt", f"--include={','.join(_TOOLS)}", SUITE, tree, sources])
    (tree / "repo").mkdir()
    for path in (cache / "packages").glob("*.deb"):
        shutil.copy2(path, tree / "repo")
    with (tree / "repo" / "Packages").open("w") as listed:
        listed.write(run(["chroot", tree, "sh", "-c", "cd /repo && apt-ftparchive packages ."]).stdout)
    # mmdebstrap takes the essential packages of the suite it is asked for, and knows that by this file.
    (tree / "repo" / "Release").write_text(f"Suite: {SUITE}\nCodename: {SUITE}\n")
    text = _INSTALL.replace("@PACKAGES@", ",".join(packages)).replace("@SUITE@", SUITE)
    (tree / "install.sh").write_text(text)
    volume = disks.blank(folder / "debian.img", DISK_SIZE)
    run(["mkfs.ext4", "-q", "-d", os.fspath(tree), volume])
    shutil.rmtree(tree)
    return volume


def _install(host: Host) -> list[tuple[float, str]]:
    """Each step's begin, in seconds of the machine's uptime, and name; the last is the end."""
    host.serial.send("cat > /tmp/enter.sh <<'END'\n")
    for line in _ENTER.strip().splitlines():
        host.serial.send(line + "\n")
    host.serial.send("END\nsh /tmp/enter.sh\n")
    host.wait_for("^debian ended", _HOURS, never="^E: ")
    lines = [line.split(None, 2) for line in host.serial.text().splitlines() if line.startswith("step ")]
    return [(float(words[1]), words[2].strip()) for words in lines]

"""Other disks in the machine."""

from __future__ import annotations

from dataclasses import replace

from tests.lab import disks
from tests.lab.answers import HOSTNAME
from tests.lab.checks import check_host
from tests.lab.golden import booted_copy, golden, installed_copy
from tests.lab.host import Host
from tests.lab.install import BOOT_PROBLEMS, INSTALL_SECONDS, boot, start_installer
from tests.lab.machine import Disk, Firmware, Machine
from tests.lab.paths import ISO
from tests.lab.scenario import scenario
from tests.lab.stage import Stage, expect
from tests.lab.tools import tools
from zeroth.system.size import MIB, Size

_GUEST_SIZE = Size(256 * MIB)
_ANSWER = """\
network --hostname=taken-over.example.org --bootproto=dhcp
rootpw --plaintext taken-over
clearpart --all
"""
# What guests may have on their disks: a volume group, half of a mirror that says that it is this host's, an answer.
# It lies on the disk's partitions, on partitions inside a volume, and on bare volumes.
_FILL = """
set -e
fill() {
  lvm="--devices $2 --config devices/scan_lvs=1 --quiet --yes"
  vgcreate $lvm guest$1 $2 >/dev/null; lvcreate $lvm --size 16M --name data guest$1 >/dev/null
  echo guest | dd of=/dev/guest$1/data conv=fsync status=none; vgchange $lvm --activate n guest$1 >/dev/null
  mdadm --create /dev/md10$1 --name=guest$1 --run --level=1 --raid-devices=2 --metadata=1.2 --homehost=$(hostname) \\
    $3 missing
  mdadm --stop /dev/md10$1
  mkfs.ext4 -q -L ZEROTH-CFG $4; mount $4 /mnt; cat /tmp/answer.ks > /mnt/answer.ks; umount /mnt
}
parts() {
  printf 'label: gpt\n,72M,E6D6D379-F507-44C2-A23C-238F2A3DF928\n,72M,A19D880F-05FC-4D3B-A006-743F0F84911E\n,,L\n' \
    | sfdisk --quiet $2
  loop=$(losetup --find --show --partscan $2); udevadm settle
  fill $1 ${loop}p1 ${loop}p2 ${loop}p3
  losetup --detach $loop; udevadm settle
}
parts 1 /dev/disk/by-id/virtio-guest
lvcreate --quiet --yes --size 256M --name whole zeroth-sr; parts 2 /dev/zeroth-sr/whole
for name in pv md fs; do lvcreate --quiet --yes --size 72M --name $name zeroth-sr; done
fill 3 /dev/zeroth-sr/pv /dev/zeroth-sr/md /dev/zeroth-sr/fs
sync
"""
_VOLUMES = "cd /dev/zeroth-sr && sha256sum whole pv md fs"


@scenario(minutes=6, after=("iso-bios", "iso-uefi"))
def old_disk(stage: Stage) -> None:
    """A second disk with an older installation changes nothing, though it stands before the host's own."""
    for mine, other in ((Firmware.BIOS, Firmware.UEFI), (Firmware.UEFI, Firmware.BIOS)):
        with stage.step(f"under {mine}"):
            machine = booted_copy(stage, golden(stage, mine), f"mine-{mine}").machine()
            older = golden(stage, other)
            path = installed_copy(stage, older, f"old-{mine}").disk.path
            machine = replace(machine, disks=(Disk(path, "older", "qcow2"), *machine.disks))
            host = boot(stage, machine, name=f"beside-{mine}", first=False)
            check_host(host)
            host.ssh("sync")
            host.kill()
            # Equal content, cluster by cluster; it fails when anything was written.
            tools().run("qemu-img", "compare", "-f", "qcow2", "-F", "raw", path, older.installed)


@scenario(minutes=12, after=("iso-bios",))
def guest_disks(stage: Stage) -> None:
    """Guests' volume groups, arrays and answers, on a disk and in local storage, are nothing to host and installer."""
    target = booted_copy(stage, golden(stage, Firmware.BIOS))
    guest = Disk(disks.blank(stage.folder / "guest.raw", _GUEST_SIZE), "guest")
    machine = replace(target.machine(), disks=(guest, target.disk))
    with stage.step("give guests their disks"):
        host = boot(stage, machine, name="giving", first=False)
        host.ssh_full("cat > /tmp/answer.ks", send=_ANSWER)
        host.ssh(_FILL, seconds=600)
        wanted = host.ssh(_VOLUMES)
        _switch_off(host)
        before = disks.digest(guest.path)
    with stage.step("start the host beside them"):
        host = boot(stage, machine, name="beside", first=False)
        check_host(host)
        groups = host.ssh("vgs --noheadings -o vg_name").split()
        expect(groups == ["zeroth-sr"], f"the volume groups are {groups}")
        names = [line.split()[0] for line in host.ssh("dmsetup ls").splitlines()]
        expect(not any("guest" in name for name in names), f"the device mapper has {names}")
        arrays = [name for name in host.ssh("ls /sys/block").split() if name.startswith("md")]
        expect(not arrays, f"arrays are running: {arrays}")
        expect(host.ssh("hostname").strip() in (HOSTNAME, HOSTNAME.partition(".")[0]), "the host has another name")
        expect(host.ssh(_VOLUMES) == wanted, "a guest's volume was written to")
        _switch_off(host)
        expect(disks.digest(guest.path) == before, "the guest's disk was written to")
    with stage.step("start the medium"):
        copy = disks.raw(target.disk.path, stage.folder / "before.raw")
        asking = start_installer(stage, Machine(disks=(target.disk,), cd=ISO.resolve(), cpus=1), "asking")
        # With the answer in a guest's volume it would have installed.
        asking.wait_for("Press Enter here", INSTALL_SECONDS, never=f"taken-over|{BOOT_PROBLEMS}")
        asking.kill()
        tools().run("qemu-img", "compare", "-f", "qcow2", "-F", "raw", target.disk.path, copy)


def _switch_off(host: Host) -> None:
    host.ssh("systemctl poweroff", ok=(0, 255))
    host.wait_stopped(600)
    host.kill()

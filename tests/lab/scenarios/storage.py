"""Local storage: kept over a reinstallation, and spread over further disks."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.lab import disks
from tests.lab.answers import TARGET, answer
from tests.lab.checks import check_host
from tests.lab.golden import resume_with_disk
from tests.lab.host import Host
from tests.lab.install import boot, install, new_target
from tests.lab.machine import Disk, Firmware
from tests.lab.scenario import scenario
from tests.lab.stage import Stage, expect
from zeroth.system.size import GIB, MIB, Size

_GROUP = "zeroth-sr"
_VOLUME = f"/dev/{_GROUP}/guest"
_EXTRA = ("extra1", "extra2")
_EXTRA_SIZE = Size(4 * GIB)


@scenario(minutes=15, after=("iso-bios",))
def keep_sr(stage: Stage) -> None:
    """A host is installed anew over an earlier one, whose local storage and the volume in it stay as they are."""
    host, target = resume_with_disk(stage, name="old")
    with stage.step("put a volume into local storage"):
        host.ssh(f"lvcreate --quiet --yes --size 64M --name guest {_GROUP}")
        host.ssh(f"dd if=/dev/urandom of={_VOLUME} bs=1M count=64 conv=fsync status=none")
        wanted, before, identity = _content(host), _group(host), _identity(host)
        host.ssh("systemctl poweroff", ok=(0, 255))
        stopped = host.wait_stopped(600)
        expect(stopped.reason == "guest-shutdown", f"the machine should have switched itself off, not {stopped}")
        host.kill()
    with stage.step("install over it"):
        install(stage, target, answer(disk={"select": f"serial={TARGET}", "wipe": True, "keep_sr": True}))
    with stage.step("first boot"):
        host = boot(stage, target.machine(), name="new")
    with stage.step("look at it"):
        expect(_identity(host)["host"] != identity["host"], "it is the earlier host still")
        expect(_content(host) == wanted, "the volume's content is another one")
        expect(_group(host) == before, f"the volume group was {before}, and is {_group(host)}")
        expect(_identity(host)["sr"] == identity["sr"], "the storage repository has another UUID")
        expect(_identity(host)["part"] == identity["part"], "the partition has another PARTUUID")
        check_host(host)


@scenario(minutes=15)
def sr_disks(stage: Stage) -> None:
    """Two further disks, one with somebody's data and consent to erase it, are part of the local storage."""
    target = new_target(stage, Firmware.BIOS)
    extra = tuple(Disk(disks.blank(stage.folder / f"{name}.raw", _EXTRA_SIZE), name) for name in _EXTRA)
    disks.fat_data(extra[1].path, "data", b"old")
    chosen = [f"serial={name}" for name in _EXTRA]
    files = answer(disk={"select": f"serial={TARGET}", "sr_disks": chosen, "wipe_disks": chosen[1:]})
    with stage.step("install from CD"):
        install(stage, target, files, extra=extra)
    machine = replace(target.machine(), disks=(target.disk, *extra))
    with stage.step("first boot"):
        host = boot(stage, machine)
    with stage.step("look at it"):
        _check_spread(host)
        check_host(host)
        host.ssh(f"lvcreate --quiet --yes --type striped --stripes 3 --size 96M --name guest {_GROUP}")
        wanted = _content(host)
        host.ssh("systemctl poweroff", ok=(0, 255))
        host.wait_stopped(600)
        host.kill()
    with stage.step("start it with its disks in another order"):
        turned = replace(machine, disks=(*reversed(extra), target.disk))
        host = boot(stage, turned, name="again", first=False)
        _check_spread(host)
        expect(_content(host) == wanted, "the volume's content is another one")


def _check_spread(host: Host) -> None:
    """The group lies on a partition of each disk, and is as large as they are; LVM knows disks by their serials."""
    pvs = json.loads(host.ssh("pvs --reportformat json --units b --nosuffix -o pv_name,vg_name,pv_size"))
    rows = [row for row in pvs["report"][0]["pv"] if row["vg_name"] == _GROUP]
    known = json.loads(host.ssh("lsblk --json --paths --output NAME,PKNAME,SERIAL,PARTLABEL,SIZE --bytes --list"))
    parts = {one["name"]: one for one in known["blockdevices"]}
    serials = {parts[parts[row["pv_name"]]["pkname"]]["serial"] for row in rows}
    expect(serials == {TARGET, *_EXTRA}, f"the group lies on the disks {serials}")
    labels = {parts[row["pv_name"]]["partlabel"] for row in rows}
    expect(labels == {_GROUP}, f"its partitions are called {labels}")
    size, summed = int(_report(host, "vg_size")), sum(int(parts[row["pv_name"]]["size"]) for row in rows)
    expect(0 <= summed - size <= 16 * MIB, f"the group has {size} bytes, and its partitions {summed}")
    lines = host.ssh("grep ^IDTYPE= /etc/lvm/devices/system.devices").splitlines()
    named = {word.removeprefix("IDNAME=") for line in lines for word in line.split() if word.startswith("IDNAME=")}
    expect(len(lines) == len(rows), f"LVM's devices file lists {lines}")
    expect(not any("IDTYPE=devname" in line for line in lines), f"LVM knows disks by where they are: {lines}")
    expect(all(any(serial in name for name in named) for serial in serials), f"LVM knows the disks as {named}")


def _content(host: Host) -> str:
    return host.ssh(f"sha256sum {_VOLUME}").split()[0]


def _group(host: Host) -> tuple[str, ...]:
    """The group's UUID, its size, and what is in it."""
    return (
        _report(host, "vg_uuid"),
        _report(host, "vg_size"),
        host.ssh(f"lvs --noheadings -o lv_name {_GROUP}").strip(),
    )


def _report(host: Host, field: str) -> str:
    return host.ssh(f"vgs --noheadings --units b --nosuffix -o {field} {_GROUP}").strip()


def _identity(host: Host) -> dict[str, str]:
    """UUIDs of the host, of its storage repository, and of the partition."""
    return {
        "host": json.loads(host.ssh("zeroth host status --json"))["host"]["uuid"],
        "sr": json.loads(host.ssh("cat /var/lib/zeroth/local-sr.json"))["uuid"],
        "part": host.ssh("blkid -s PARTUUID -o value /dev/disk/by-partlabel/zeroth-sr").strip(),
    }

"""Two disks, of which either may be lost: installed as a mirror, started from each alone, made whole again."""

from __future__ import annotations

from dataclasses import replace

from tests.lab import disks
from tests.lab.answers import TARGET, answer
from tests.lab.checks import check_agent, check_running, check_units, check_xen
from tests.lab.host import Host
from tests.lab.install import Target, boot, install
from tests.lab.machine import Disk, Firmware
from tests.lab.newer import NEWER, newer
from tests.lab.pair import MIRROR, SECOND, SIZE, Pair, check_mirror, disk_status, golden_pair, install_pair, power_off
from tests.lab.scenario import scenario
from tests.lab.stage import Stage, expect
from tests.lab.trial import wait_proved

_FILL_SECONDS = 1500
_PROVE_SECONDS = 1800
_NEW = "new"


@scenario(minutes=12)
def mirror(stage: Stage) -> None:
    """A BIOS machine with two disks is installed as a mirror, and is a host."""
    golden_pair(stage, Firmware.BIOS)


@scenario(minutes=12)
def mirror_uefi(stage: Stage) -> None:
    """A UEFI machine with two disks is installed as a mirror, and is a host."""
    golden_pair(stage, Firmware.UEFI)


@scenario(minutes=15, after=("mirror",))
def mirror_pulled(stage: Stage) -> None:
    """Either disk of a BIOS machine starts the host alone; one that is put back is made whole."""
    _pulled(stage, Firmware.BIOS)


@scenario(minutes=15, after=("mirror-uefi",))
def mirror_pulled_uefi(stage: Stage) -> None:
    """Either disk of a UEFI machine starts the host alone; one that is put back is made whole."""
    _pulled(stage, Firmware.UEFI)


@scenario(minutes=12, after=("mirror",))
def mirror_replace(stage: Stage) -> None:
    """A lost disk is replaced by a new one on the running host, and the new one starts it alone."""
    pair = golden_pair(stage, Firmware.BIOS)
    new = Disk(disks.blank(stage.folder / "new.raw", SIZE), _NEW, boot=7)
    with stage.step("start with a new disk in the other's place"):
        host = boot(stage, pair.machine(pair.second, new), name="degraded", first=False)
        expect(not disk_status(host)["whole"], "the mirror cannot be whole")
    _replace_and_start(stage, pair, host, kept=SECOND, new=new)


@scenario(minutes=20)
def mirror_late(stage: Stage) -> None:
    """A UEFI machine that has one disk yet is installed as a mirror; the second comes later, and starts it alone."""
    with stage.step("install on one of two"):
        pair = install_pair(stage, Firmware.UEFI, second=False)
    with stage.step("first boot, with the second disk"):
        host = boot(stage, pair.machine(), name="first-boot")
        expect(not disk_status(host)["whole"], "the mirror cannot be whole")
        check_running(host)
    _replace_and_start(stage, pair, host, kept=TARGET, new=pair.second)


@scenario(minutes=25, after=("mirror",))
def mirror_medium(stage: Stage) -> None:
    """A newer medium upgrades a host on two disks, and either of them starts the new version alone."""
    with stage.step("build the later version"):
        built = newer()
    pair = golden_pair(stage, Firmware.BIOS)
    with stage.step("upgrade from CD"):
        target = Target(pair.firmware, pair.first, pair.variables)
        install(stage, target, answer(mode="upgrade", **MIRROR), name="medium", medium=built.medium,
                extra=(pair.second,))  # fmt: skip
    with stage.step("the new slot proves itself"):
        host = stage.start(pair.machine(), "new")
        wait_proved(host, _PROVE_SECONDS)
        check_mirror(host, TARGET, SECOND)
        check_units(host)
        power_off(host)
    for disk in (pair.second, pair.first):
        with stage.step(f"the disk {disk.serial} alone"):
            copy = replace(disk, path=disks.overlay(disk.path, stage.folder / f"{disk.serial}-alone.qcow2", "qcow2"))
            host = boot(stage, pair.machine(copy), name=f"{disk.serial}-alone", first=False)
            expect(NEWER in host.ssh("zeroth --version"), "the later version does not run")
            _check_alone(host)
            power_off(host)


def _pulled(stage: Stage, firmware: Firmware) -> None:
    pair = golden_pair(stage, firmware)
    with stage.step("the second disk alone"):
        host = boot(stage, pair.machine(pair.second), name="second-alone", first=False)
        _check_alone(host)
        host.ssh("echo written while the first disk was away > /etc/lab-note")
        power_off(host)
    with stage.step("the first disk is put back"):
        # It is behind: what it would start, and what is on it, does not count.
        host = boot(stage, pair.machine(), name="put-back", first=False)
        said = disk_status(host)
        expect(not said["whole"], f"a disk that was away cannot be whole: {said}")
        expect("away" in host.ssh("cat /etc/lab-note"), "the disk that was away won")
    with stage.step("it is made whole"):
        host.ssh(f"zeroth disk replace --disk serial={TARGET} --erase --yes", seconds=_FILL_SECONDS)
        check_mirror(host, TARGET, SECOND)
        check_units(host)
        power_off(host)
    with stage.step("the first disk alone"):
        host = boot(stage, pair.machine(pair.first), name="first-alone", first=False)
        expect("away" in host.ssh("cat /etc/lab-note"), "the disk that was filled misses what was written")
        _check_alone(host)


def _replace_and_start(stage: Stage, pair: Pair, host: Host, *, kept: str, new: Disk) -> None:
    with stage.step("replace the lost disk"):
        host.ssh(f"zeroth disk replace --disk serial={new.serial} --yes", seconds=_FILL_SECONDS)
        check_mirror(host, kept, new.serial)
        power_off(host)
    with stage.step("the new disk alone"):
        host = boot(stage, pair.machine(new), name="new-alone", first=False)
        _check_alone(host)


def _check_alone(host: Host) -> None:
    """A host with one disk of its two: well, and it says that the other is missing."""
    said = disk_status(host)
    expect(not said["whole"], f"one disk cannot be a whole mirror: {said}")
    expect([one["state"] for one in said["disks"]] == ["whole"], f"zeroth disk status says {said}")
    alerts = host.ssh("journalctl -b --no-pager -p alert -o cat")
    expect("the mirror has lost a disk" in alerts, f"nobody is alerted: {alerts}")
    check_units(host)
    check_xen(host)
    check_agent(host)

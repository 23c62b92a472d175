"""Upgrades: into the other slot and kept there, and back by itself when the new one is not well."""

from __future__ import annotations

import json

from tests.lab.answers import TARGET, answer
from tests.lab.checks import check_agent, check_crashes, check_network, check_units, check_xen
from tests.lab.golden import booted_copy, golden, resume_with_disk
from tests.lab.host import Host
from tests.lab.install import BOOT_PROBLEMS, Target, install
from tests.lab.machine import Firmware
from tests.lab.newer import NEWER, USER, newer
from tests.lab.scenario import scenario
from tests.lab.stage import Stage, expect
from tests.lab.trial import NOT_PROVED, OLD_SLOT, PROVED, apply_upgrade, wait_proved
from zeroth import __version__

_OLD_IS_BACK = "zeroth: the upgrade to .* failed: .*"
_BOOT_SECONDS = 1800
_ESP = "/dev/disk/by-partlabel/zeroth-esp"


@scenario(minutes=25, after=("iso-bios",))
def upgrade(stage: Stage) -> None:
    """A later version goes into the other slot, proves itself and stays: settings, accounts and stores come along."""
    host, target = _applied(stage, "old", "useradd -u 1234 ada", "sed -i '1i # Of this host.' /etc/mdadm/mdadm.conf",
                            "echo this host > /etc/issue", "echo mine > /etc/lab-own")  # fmt: skip
    uuid = json.loads(host.ssh("zeroth host status --json"))["host"]["uuid"]
    _restart(host)
    host = _proves_itself(stage, target)
    with stage.step("look at it"):
        said = json.loads(host.ssh("zeroth slot status --json"))
        wanted = {"booted": "b", "on_trial": False, "committed": "b", "trial": "", "tries": 0}
        expect(wanted.items() <= said.items(), f"zeroth slot status says {said}")
        expect(NEWER in host.ssh("zeroth --version"), "the later version does not run")
        _check_etc(host)
        status = json.loads(host.ssh("zeroth host status --json"))
        expect(status["host"]["uuid"] == uuid, "the host has another UUID")
        schemas = [_schema(host, slot) for slot in "ab"]
        expect(schemas[1] == schemas[0] + 1, f"the schemas of the stores are {schemas}: only the copy is migrated")
        upgraded = json.loads(host.ssh("zeroth upgrade status --json"))["upgraded"]
        expect(upgraded["source_version"] == __version__, f"zeroth upgrade status says {upgraded}")
        check_units(host)
        check_xen(host)
        check_network(host)
        check_agent(host)
        check_crashes(host)


@scenario(minutes=40, after=("iso-bios",))
def upgrade_back(stage: Stage) -> None:
    """A later version whose agent does not run is tried twice and left: the old slot has its stores as they were."""
    # Only on a trial, so that the old slot is well with the same file.
    folder = "/etc/systemd/system/zeroth-agent.service.d"
    lines = r"[Unit]\nConditionKernelCommandLine=!zeroth.trial\n"
    host, target = _applied(stage, "old", f"mkdir -p {folder}", f"printf '{lines}' > {folder}/lab.conf")
    _restart(host)
    for number in (1, 2):
        with stage.step(f"try {number}"):
            host = stage.start(target.machine(), f"try-{number}")
            host.wait_for(NOT_PROVED, _BOOT_SECONDS, never=f"{PROVED}|{BOOT_PROBLEMS}")
            stopped = host.wait_stopped(600)
            expect(stopped.reason == "guest-reset", f"it should have restarted by itself, not {stopped}")
            host.kill()
    with stage.step("back in the old slot"):
        host = stage.start(target.machine(), "back")
        told = host.wait_for(_OLD_IS_BACK, _BOOT_SECONDS, never=BOOT_PROBLEMS)
        expect("agent: " in told, f"the reason is not told: {told}")
        host.wait_ssh(300)
        _check_old(host)


@scenario(minutes=25, after=("iso-bios",))
def upgrade_from_medium(stage: Stage) -> None:
    """A newer medium upgrades the host on the disk, which proves itself at its next start."""
    with stage.step("build the later version"):
        built = newer()
    target = booted_copy(stage, golden(stage, Firmware.BIOS))
    files = answer(mode="upgrade", disk={"select": f"serial={TARGET}"})
    with stage.step("upgrade from CD"):
        install(stage, target, files, name="medium", medium=built.medium)
    _proves_itself(stage, target)


@scenario(minutes=15, after=("iso-bios",))
def upgrade_without_xen(stage: Stage) -> None:
    """A later version whose Xen is missing is not started: the menu takes the old slot in the same start."""
    host, target = _applied(stage, "old")
    host.ssh(f"MTOOLS_SKIP_CHECK=1 mdel -i {_ESP} ::/zeroth/b/xen.gz")
    _restart(host)
    with stage.step("back in the old slot"):
        host = stage.start(target.machine(), "back")
        host.wait_for("The boot files of slot b are damaged: not started", 600)
        host.wait_for("zeroth host .* is ready", _BOOT_SECONDS, never=f"{PROVED}|{BOOT_PROBLEMS}")
        host.wait_ssh(300)
        said = json.loads(host.ssh("zeroth slot status --json"))
        expect((said["booted"], said["committed"]) == ("a", "a"), f"zeroth slot status says {said}")


@scenario(minutes=20, after=("iso-bios",))
def upgrade_panics(stage: Stage) -> None:
    """A later version at whose kernel Xen panics is tried twice, and then the old slot is started."""
    host, target = _applied(stage, "old")
    host.ssh(f"""export MTOOLS_SKIP_CHECK=1; cd /tmp
        mtype -i {_ESP} ::/zeroth/b/SHA256SUMS > sums; dd if=/dev/urandom of=vmlinuz bs=1M count=1 status=none
        sed -i "/vmlinuz/s/^[0-9a-f]*/$(sha256sum vmlinuz | cut -d' ' -f1)/" sums
        mcopy -o -i {_ESP} vmlinuz ::/zeroth/b/vmlinuz; mcopy -o -i {_ESP} sums ::/zeroth/b/SHA256SUMS""")
    _restart(host)
    for number in (1, 2):
        with stage.step(f"try {number}"):
            host = stage.start(target.machine(), f"try-{number}")
            host.wait_for("Panic on CPU", 600, never=f"{PROVED}|damaged|Linux version")
            expect(host.wait_stopped(120).reason == "guest-reset", "Xen should have restarted the machine")
            host.kill()
    with stage.step("back in the old slot"):
        host = stage.start(target.machine(), "back")
        stage.log(host.wait_for(_OLD_IS_BACK, _BOOT_SECONDS, never=BOOT_PROBLEMS))
        host.wait_ssh(300)
        _check_old(host)


@scenario(minutes=20, after=("iso-bios",))
def upgrade_hangs(stage: Stage) -> None:
    """A later version whose systemd hangs is ended by Xen's watchdog."""
    unit = r"[Unit]\nConditionKernelCommandLine=zeroth.trial\n[Service]\nExecStart=/bin/kill -SEGV 1\n"
    folder = "/etc/systemd/system"
    host, target = _applied(stage, "old", f"printf '{unit}' > {folder}/lab-hang.service",
                            f"mkdir -p {folder}/multi-user.target.wants",
                            f"ln -s ../lab-hang.service {folder}/multi-user.target.wants/")  # fmt: skip
    _restart(host)
    with stage.step("a try that hangs"):
        host = stage.start(target.machine(), "try-1")
        # What systemd says of its end goes to a journal that nobody writes any more.
        host.wait_for("watchdog rebooting machine", _BOOT_SECONDS, never=f"{PROVED}|zeroth: cannot start: .*")
        stopped = host.wait_stopped(120)
        expect(stopped.reason == "guest-reset", f"it should have restarted by itself, not {stopped}")


def _applied(stage: Stage, name: str, *commands: str) -> tuple[Host, Target]:
    """A host whose next start tries the later version.

    :param commands: run on it before.
    """
    with stage.step("build the later version"):
        built = newer()
    host, target = resume_with_disk(stage, name=name)
    with stage.step("apply the upgrade"):
        for command in commands:
            host.ssh(command)
        before = _old_slot(host)
        apply_upgrade(host, built)
        expect(_old_slot(host) == before, "the upgrade changed what the running slot boots by")
    return host, target


def _proves_itself(stage: Stage, target: Target) -> Host:
    with stage.step("the new slot proves itself"):
        host = stage.start(target.machine(), "new")
        wait_proved(host, _BOOT_SECONDS)
        return host


def _restart(host: Host) -> None:
    host.ssh("systemctl reboot", ok=(0, 255))
    stopped = host.wait_stopped(600)
    expect(stopped.reason == "guest-reset", f"the machine should have restarted, not {stopped}")
    host.kill()


def _old_slot(host: Host) -> str:
    """A digest of boot loader, menu, and everything in the running slot's folder."""
    files = f"for f in {' '.join(OLD_SLOT)}; do mtype -i {_ESP} ::$f | sha256sum; done"
    return host.ssh(f"export MTOOLS_SKIP_CHECK=1; {files}; sha256sum /dev/disk/by-partlabel/zeroth-bios")


def _schema(host: Host, slot: str) -> int:
    program = "import sqlite3,sys; print(sqlite3.connect(sys.argv[1]).execute('PRAGMA user_version').fetchone()[0])"
    return int(host.ssh(f'python3 -c "{program}" file:/run/zeroth/state/{slot}/store/store.db'.replace("file:", "")))


def _check_etc(host: Host) -> None:
    """What the host had changed is there, and what the image changed too."""
    host.ssh(f"getent passwd ada && getent passwd {USER} && test $(cat /etc/lab-own) = mine")
    lines = host.ssh("cat /etc/mdadm/mdadm.conf").splitlines()
    expect((lines[0], lines[-1]) == ("# Of this host.", "# Of the later image."), f"mdadm.conf is not merged: {lines}")
    expect(host.ssh("cat /etc/issue").strip() == "this host", "the host's own /etc/issue is gone")
    expect("later image" in host.ssh("cat /etc/issue.zeroth-new"), "the image's /etc/issue is not beside it")
    etc = json.loads(host.ssh("zeroth upgrade status --json"))["etc"]
    conflicts = [one["path"] for one in etc if one["outcome"] == "conflict"]
    expect(conflicts == ["issue"], f"conflicts in /etc: {conflicts}")


def _check_old(host: Host) -> None:
    """The old version runs, and its state is the old one's."""
    said = json.loads(host.ssh("zeroth slot status --json"))
    wanted = {"booted": "a", "on_trial": False, "committed": "a", "trial": "b", "tries": 0}
    expect(wanted.items() <= said.items(), f"zeroth slot status says {said}")
    host.ssh(f"! getent passwd {USER}")
    expect(_schema(host, "a") == 1, "the old slot's store was migrated")
    # Every unit has started by then.
    check_units(host)
    check_xen(host)
    check_agent(host)

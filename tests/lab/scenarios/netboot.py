"""Started over the network: from DHCP and a web server to a running host."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.lab import disks
from tests.lab.answers import EAGER_FPU, HOSTNAME, TARGET, answer
from tests.lab.checks import check_units
from tests.lab.golden import booted_copy, golden
from tests.lab.install import (
    BOOT_PROBLEMS,
    FAILED,
    FINISHED,
    INSTALL_SECONDS,
    Target,
    boot,
    new_target,
)
from tests.lab.machine import Firmware, Machine, Netboot
from tests.lab.newer import NEWER, newer
from tests.lab.paths import ISO
from tests.lab.scenario import scenario
from tests.lab.stage import Stage, expect
from tests.lab.trial import wait_proved
from tests.lab.webserver import WebServer, serving

_TREE = ISO.parent / "netboot"
_WEB = "10.0.2.9"
_URL = f"http://{_WEB}"
# What a site's own script does: say where the answer is, then go on with ours, from the same server.
_START = f"#!ipxe\nset zeroth_arguments zeroth.answer={_URL}/answer.json\nchain netboot/boot.ipxe\n"
_LOADED = "zeroth: the system image is intact: it fits its root hash"
_SMALLEST = 1536


@scenario(minutes=16)
def netboot(stage: Stage) -> None:
    """A machine of 1536 MiB installs over HTTP, by iPXE and by GRUB; a damaged root image is refused."""
    # The usual domain 0 alone is as large as this machine.
    files = answer(dom0={"memory": "1 GiB", "xen_append": [EAGER_FPU]})
    with _server(stage, _TREE, files) as web:
        with stage.step("a damaged root image"):
            target = new_target(stage, Firmware.BIOS, name="untouched")
            host = stage.start(_machine(target, web, f"{_URL}/damaged/boot.ipxe"), "damaged")
            reason = "root.squashfs from the server does not fit the root hash"
            host.wait_for(f"zeroth: cannot start: {reason}", 900, never=f"{_LOADED}|{BOOT_PROBLEMS}")
            host.screen("damaged")
            host.kill()
        target = new_target(stage, Firmware.BIOS)
        with stage.step("install by iPXE, BIOS"):
            _install(stage, target, web)
        with stage.step("the installed host"):
            host = boot(stage, target.machine())
            expect(host.ssh("hostname -f").strip() == HOSTNAME, "the installed host has another name")
            check_units(host)
            host.kill()
        with stage.step("load by GRUB, UEFI"):
            _load_by_grub(stage, web)


@scenario(minutes=15, after=("iso-bios",))
def netboot_upgrade(stage: Stage) -> None:
    """A later version that is started over the network upgrades the host on the disk, and proves itself."""
    with stage.step("build the later version"):
        built = newer()
    target = booted_copy(stage, golden(stage, Firmware.BIOS))
    files = answer(mode="upgrade", disk={"select": f"serial={TARGET}"})
    with stage.step("upgrade by iPXE, BIOS"), _server(stage, built.netboot, files) as web:
        # The network comes before the disk.
        _install(stage, replace(target, disk=replace(target.disk, boot=None)), web)
    with stage.step("the new slot proves itself"):
        host = stage.start(target.machine(), "new")
        wait_proved(host, 1800)
        expect(NEWER in host.ssh("zeroth --version"), "the later version does not run")
        check_units(host)


@contextmanager
def _server(stage: Stage, tree: Path, files: dict[str, str]) -> Iterator[WebServer]:
    """The tree, a damaged one, and what a site adds to it."""
    folder = stage.folder / "www"
    folder.mkdir()
    (folder / "netboot").symlink_to(tree)
    (folder / "start.ipxe").write_text(_START)
    (folder / "answer.json").write_text(files["answer.json"])
    _damaged_tree(folder / "damaged")
    with serving(folder) as web:
        yield web


def _install(stage: Stage, target: Target, web: WebServer) -> None:
    web.asked.clear()
    host = stage.start(_machine(target, web, f"{_URL}/start.ipxe"), "install")
    host.wait_for(_LOADED, 900, never=f"zeroth: cannot start|{BOOT_PROBLEMS}")
    host.wait_for(FINISHED, INSTALL_SECONDS, never=f"{FAILED}|{BOOT_PROBLEMS}")
    stopped = host.wait_stopped(120)
    expect(stopped.reason == "guest-reset", f"it should have reset after its installation, not {stopped}")
    times = web.asked.count(("/netboot/root.squashfs", 200))
    expect(times == 1, f"the root image was fetched {times} times")
    expect(("/answer.json", 200) in web.asked, "nobody asked for the answer")


def _load_by_grub(stage: Stage, web: WebServer) -> None:
    target = new_target(stage, Firmware.UEFI, name="uefi")
    host = stage.start(_machine(target, web, "grubx64.efi", _tftp_folder(stage.folder / "tftp")), "grub")
    host.wait_for(_LOADED, 1500, never=f"zeroth: cannot start|{BOOT_PROBLEMS}")
    host.kill()


def _machine(target: Target, web: WebServer, file: str, tftp: Path | None = None) -> Machine:
    """The smallest machine that zeroth installs on; the firmware's own network boot where there is a TFTP folder."""
    services = ((f"{_WEB}:80", web.port),)
    return target.machine(
        memory_mib=_SMALLEST, cpus=1, netboot=Netboot(file, tftp, rom=tftp is None), services=services
    )  # fmt: skip


def _damaged_tree(folder: Path) -> None:
    """The tree with one other bit in the middle of the root image's data."""
    folder.mkdir()
    for path in _TREE.iterdir():
        if path.name != "root.squashfs":
            (folder / path.name).symlink_to(path)
    image = disks.copy(_TREE / "root.squashfs", folder / "root.squashfs")
    with image.open("r+b") as file:
        file.seek(image.stat().st_size // 2)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))


def _tftp_folder(folder: Path) -> Path:
    """What a TFTP server has; its menu names the web server, which has another address here."""
    folder.mkdir()
    for name in ("grubx64.efi", "vmlinuz", "initrd.img", "netboot.img"):
        (folder / name).hardlink_to(_TREE / name)
    menu = (_TREE / "grub.cfg").read_text()
    changed = menu.replace('set zeroth_url=""\n', f'set zeroth_url="{_URL}/netboot/"\n')
    expect(menu != changed, "the menu of GRUB has no place for the address")
    (folder / "grub.cfg").write_text(changed)
    return folder

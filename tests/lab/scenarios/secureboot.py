"""Secure Boot with the user's own keys, from the medium to both slots; and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from images.secureboot.programs import grub_loader
from tests.lab.checks import check_units, check_xen
from tests.lab.host import Host
from tests.lab.install import (
    BOOT_PROBLEMS,
    BOOT_SECONDS,
    FAILED,
    FINISHED,
    FIRST_BOOT,
    INSTALL_SECONDS,
    Target,
    installer_machine,
    new_target,
)
from tests.lab.machine import Firmware
from tests.lab.parts import copy_from, copy_inside, flip, opened
from tests.lab.scenario import scenario
from tests.lab.signed import enrolled, signed_medium, signer
from tests.lab.stage import Stage, expect
from tests.lab.trial import wait_proved
from zeroth import __version__
from zeroth.deploy.bootenv import BootState, write_boot_state
from zeroth.deploy.bootmenu import render_selector
from zeroth.deploy.esp import Esp
from zeroth.deploy.layout import Part
from zeroth.deploy.signedboot import PROGRAM, SIGNATURE
from zeroth.deploy.slotstate import Pending
from zeroth.system.files import sha256_file
from zeroth.system.run import run

_LOADER = "/EFI/BOOT/BOOTX64.EFI"
_ON = "Kernel is locked down from EFI Secure Boot"
_XEN = "Using builtin config file"
_LOADER_REFUSED = r"BdsDxe: failed to load Boot\d+ .*: Access Denied"


@scenario(minutes=25)
def secure_boot(stage: Stage) -> None:
    """With the user's keys enrolled: installs, starts both slots, goes back; refuses changed and foreign programs."""
    with stage.step("build"):
        medium = signed_medium(stage.log)
    target = _target(stage)
    with stage.step("install from CD"):
        machine = installer_machine(stage, target, medium=medium)
        host = stage.start(replace(machine, secure_boot=True), "install")
        host.wait_for("UEFI, Secure Boot on", INSTALL_SECONDS, never=f"{FAILED}|{BOOT_PROBLEMS}")
        host.wait_for(FINISHED, INSTALL_SECONDS, never=f"{FAILED}|{BOOT_PROBLEMS}")
        host.wait_stopped(120)
        host.kill()
    both_slots(stage, target)
    refusals(stage, target)


def both_slots(stage: Stage, target: Target) -> None:
    """Slot a starts; slot b with the same image, on trial; and without Secure Boot the disk's ordinary menu."""
    with stage.step("slot a"):
        host = _start(stage, target, "slot-a")
        host.wait_for(_ON, BOOT_SECONDS, never=BOOT_PROBLEMS)
        host.wait_for(FIRST_BOOT, BOOT_SECONDS, never=f"zeroth: first boot failed.*|{BOOT_PROBLEMS}")
        _check(host, {"booted": "a", "on_trial": False, "committed": "a"})
        check_units(host)
        # What an upgrade leaves: a note, and the /etc that this image has. The other slot copies the state itself.
        note = Pending(version=__version__, source="a", source_version=__version__, root_hash="")
        host.ssh_full("mkdir -p /run/zeroth/state/upgrade /run/image && mount -o bind,ro / /run/image && "
                      "cp -a /run/image/etc /run/zeroth/state/upgrade/base && umount /run/image && "
                      "cat >/run/zeroth/state/upgrade/b.json && sync", send=note.model_dump_json())  # fmt: skip
        host.ssh("systemctl poweroff", ok=(0, 255))
        host.wait_stopped(300)
        host.kill()
    _fill_slot_b(stage, target)
    with stage.step("slot b, on trial"):
        host = _start(stage, target, "slot-b")
        host.wait_for("Starting zeroth in slot b", BOOT_SECONDS, never=BOOT_PROBLEMS)
        wait_proved(host, BOOT_SECONDS)
        _check(host, {"booted": "b", "on_trial": False, "committed": "b"})
        host.kill()
    with stage.step("Secure Boot off: the disk's ordinary menu"):
        plain = replace(target, variables=stage.variables(Firmware.UEFI, "plain-vars.qcow2"))
        with opened(target, Part.ESP) as device:
            write_boot_state(Esp(device), BootState("a"))
        host = stage.start(plain.machine(), "secure-boot-off")
        host.wait_ssh(BOOT_SECONDS)
        words = host.ssh("cat /proc/cmdline").split()
        expect(any(word.startswith("zeroth.root=PARTUUID=") for word in words), f"the kernel was told {words}")
        host.kill()


def refusals(stage: Stage, target: Target) -> None:
    """What does not start, and what does then."""
    with stage.step("a changed byte in the program of slot b: back to slot a"):
        with opened(target, Part.ESP) as device:
            esp = Esp(device)
            (place, *_) = esp.extents(f"/zeroth/b/{PROGRAM}")
            flip(device, place + 20_000_000)
            write_boot_state(esp, BootState("a", "b", 2))
        _refused(stage, target, "changed", r"error: bad signature")
    with stage.step("the program of slot b signed by somebody else: the firmware refuses it"):
        with opened(target, Part.ESP) as device:
            esp = Esp(device)
            foreign = stage.folder / "foreign.efi"
            signer("Foreign").program(copy_from(esp, f"/zeroth/a/{PROGRAM}", stage.folder / PROGRAM), foreign)
            # GRUB is to hand it on: it is the firmware's turn.
            signer().for_grub(foreign)
            _put(esp, foreign, f"/zeroth/b/{PROGRAM}")
            _put(esp, stage.folder / "foreign.efi.sig", f"/zeroth/b/{SIGNATURE}")
            write_boot_state(esp, BootState("a", "b", 2))
        _refused(stage, target, "foreign", r"error: cannot load image")
    with stage.step("a boot menu signed by somebody else, or changed"):
        for name, loader in (("other-menu", _foreign_menu(stage)), ("changed-menu", None)):
            with opened(target, Part.ESP) as device:
                esp = Esp(device)
                if loader is not None:
                    copy_inside(esp, _LOADER, "/kept.efi", stage.folder)
                    _put(esp, loader, _LOADER)
                else:
                    copy_inside(esp, "/kept.efi", _LOADER, stage.folder)
                    (place, *_) = esp.extents(_LOADER)
                    flip(device, place + 300_000)
            host = _start(stage, target, name)
            host.wait_for(_LOADER_REFUSED, 300, never=f"{_XEN}|GRUB")
            host.kill()


def _target(stage: Stage) -> Target:
    target = new_target(stage, Firmware.UEFI)
    return Target(target.firmware, target.disk, enrolled(stage.folder / "secure-vars.qcow2"))


def _start(stage: Stage, target: Target, name: str) -> Host:
    return stage.start(target.machine(secure_boot=True), name)


def _check(host: Host, wanted: dict[str, object]) -> None:
    """Root can log in; the slot is the one that is wanted, below Xen, with Secure Boot on."""
    host.wait_ssh(BOOT_SECONDS)
    host.ssh(f"timeout {BOOT_SECONDS:g} systemctl is-system-running --wait", seconds=BOOT_SECONDS + 60, ok=(0, 1))
    said = json.loads(host.ssh("zeroth slot status --json"))
    expect(wanted.items() <= said.items(), f"zeroth slot status says {said}, not {wanted}")
    check_xen(host)
    expect("[integrity]" in host.ssh("cat /sys/kernel/security/lockdown"), "the kernel is not locked down")


def _fill_slot_b(stage: Stage, target: Target) -> None:
    """Slot b gets the same image and program, and is put on trial."""
    with opened(target, Part.SLOT_A) as source, opened(target, Part.SLOT_B) as slot:
        run(["dd", f"if={source}", f"of={slot}", "bs=4M", "conv=fsync", "status=none"])
    with opened(target, Part.ESP) as device:
        esp = Esp(device)
        for name in (SIGNATURE, PROGRAM):
            copy_inside(esp, f"/zeroth/a/{name}", f"/zeroth/b/{name}", stage.folder)
        write_boot_state(esp, BootState("a", "b", 2))


def _refused(stage: Stage, target: Target, name: str, said: str) -> None:
    """Slot b is refused with these words, and Xen is started from slot a by itself."""
    host = _start(stage, target, name)
    host.wait_for(said, 300, never=_XEN)
    host.wait_for("The program of slot b is refused", 60, never=_XEN)
    host.wait_for("Starting zeroth in slot a", 120)
    host.wait_for(_XEN, 300)
    host.kill()


def _foreign_menu(stage: Stage) -> Path:
    work, out = stage.folder / "menu", stage.folder / "menu.efi"
    work.mkdir()
    grub_loader(out, render_selector("zeroth", PROGRAM), signer=signer("Foreign"), work=work)
    return out


def _put(esp: Esp, source: Path, path: str) -> None:
    esp.put(source, path, sha256_file(source))

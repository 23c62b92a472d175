"""The one GRUB menu that both firmwares read, from data.

The menu itself never changes after the installation. Each slot has its entries in files of its own, which an upgrade
writes together with the slot; which slot is started stands in GRUB's environment block (:mod:`zeroth.deploy.bootenv`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined

from zeroth.deploy.imagedefaults import ImageDefaults
from zeroth.deploy.layout import InstallId, Part
from zeroth.deploy.verity import RootTree, verity_arguments
from zeroth.spec.model import Dom0Spec
from zeroth.system.size import MIB

__all__ = [
    "ENTRY",
    "MENU",
    "REPAIR",
    "BootEntry",
    "boot_entry",
    "grub_quote",
    "render_boot_menu",
    "render_entries",
    "render_selector",
]

MENU = "/boot/grub/grub.cfg"
ENTRY, REPAIR = "entry.cfg", "repair.cfg"
"""In the folder of a slot: what starts it, and what starts its kernel without Xen."""

_PLAIN = ImageDefaults()
_SAFE = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")


@dataclass(frozen=True)
class BootEntry:
    """One slot as the menu offers it.

    :ivar slot: ``a`` or ``b``.
    :ivar title: for people.
    :ivar xen: Xen's command line, in words.
    :ivar linux: domain 0's command line, in words; also that of the bare system, without the Xen console.
    """

    slot: str
    title: str
    xen: tuple[str, ...]
    linux: tuple[str, ...]
    bare_linux: tuple[str, ...]


def boot_entry(
    slot: str,
    version: str,
    identity: InstallId,
    dom0: Dom0Spec,
    tree: RootTree | None,
    image: ImageDefaults = _PLAIN,
    multipath: str = "",
) -> BootEntry:
    """The menu entry of a slot of an installation, with the domain 0 that the answer asks for.

    :param tree: of the slot's root image; None only where the image is not known yet, and nothing boots by it.
    :param image: what the image's builder set; the answer's words follow, so they win.
    :param multipath: the WWID of a disk that is seen over several paths; empty for others.
    """
    part = Part.SLOT_A if slot == "a" else Part.SLOT_B
    memory = f"{dom0.memory // MIB}M"
    serial = (f"com1={dom0.serial},8n1", "console=com1,vga") if dom0.serial else ("console=vga",)
    vcpus = (f"dom0_max_vcpus={dom0.vcpus}",) if dom0.vcpus else ()
    host = (
        "boot=zeroth",
        "zeroth.mode=host",
        f"zeroth.slot={slot}",
        f"zeroth.root={identity.source(part)}",
        f"zeroth.state={identity.source(Part.STATE)}",
        f"zeroth.log={identity.source(Part.LOG)}",
        *((f"zeroth.multipath={multipath}",) if multipath else ()),
        *(verity_arguments(tree) if tree else ()),
    )
    bare = (f"console=ttyS0,{dom0.serial}",) if dom0.serial else ()
    return BootEntry(
        slot=slot,
        title=f"{image.product} {version}" if version else image.product,
        xen=(f"dom0_mem={memory},max:{memory}", *vcpus, *serial, "ucode=scan", *image.boot.xen, *dom0.xen_append),
        linux=(*host, "console=hvc0", "console=tty0", *image.boot.dom0, *dom0.linux_append),
        bare_linux=(*host, *bare, "console=tty0", *image.boot.dom0, *dom0.linux_append),
    )


def render_boot_menu(serial: int | None) -> str:
    """The text of grub.cfg.

    :param serial: speed of the first serial port as a terminal besides the screen; None for none.
    """
    return _environment().get_template("grub.cfg.j2").render(serial=serial, unsigned="")


def render_selector(product: str, program: str) -> str:
    """The text of the menu inside the signed selector.

    :param product: what the slots hold, for people.
    :param program: name of the program in the folder of a slot.
    """
    # The environment block is written here, so nobody can sign it; nothing in it is believed but which slot to try.
    return (
        _environment().get_template("selector.cfg.j2").render(product=product, program=program, unsigned=" --skip-sig")
    )


def render_entries(entry: BootEntry) -> dict[str, str]:
    """The texts of a slot's own entries, by file name; the one that makes it bootable comes last."""
    templates = _environment()
    return {name: templates.get_template(f"{name}.j2").render(entry=entry) for name in (REPAIR, ENTRY)}


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("zeroth.deploy"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701 - this is GRUB's language, quoted by our own filter, and not HTML
    )
    environment.filters["grub"] = grub_quote
    return environment


def grub_quote(word: str) -> str:
    """A word that GRUB's shell takes as it is.

    :raises ValueError: for line ends and other control characters, which no command line can carry.
    """
    if any(ord(character) < 32 or ord(character) == 127 for character in word):
        raise ValueError(f"{word!r} holds a control character")
    if _SAFE.fullmatch(word):
        return word
    return "'" + word.replace("'", "'\\''") + "'"

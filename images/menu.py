"""The boot menu of the medium, and the file in which it takes further kernel arguments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from zeroth.deploy.bootmenu import grub_quote
from zeroth.errors import UserError

__all__ = [
    "ARGUMENTS_FILE",
    "ARGUMENTS_SIZE",
    "SCREEN",
    "SERIAL",
    "MenuEntry",
    "arguments_script",
    "entries",
    "kernel_arguments",
    "netboot_entries",
]

# The kernel writes to all consoles, and what reads from "the console" uses the last.
SCREEN = "console=ttyS0,115200n8 console=tty0"
SERIAL = "console=tty0 console=ttyS0,115200n8"
# Xen has the first serial port, and hvc0 is its console.
_DOM0 = "console=tty0 console=hvc0"
# The rest stays for guests; below 1 GiB the system in memory does not fit.
_XEN = "dom0_mem=min:1G,max:4G com1=115200,8n1 console=com1,vga ucode=scan"

ARGUMENTS_FILE = "boot/grub/embedded.cfg"
"""The menu reads it; ``zeroth iso embed --args`` writes into it where it lies, so its size never changes."""
ARGUMENTS_SIZE = 4096


@dataclass(frozen=True)
class MenuEntry:
    """An entry of the boot menu that starts our kernel.

    :ivar xen: Xen's command line, when the kernel is started as that of domain 0; else empty.
    """

    id: str
    title: str
    hotkey: str
    arguments: str
    xen: str = ""


def kernel_arguments(mode: str, consoles: str = SCREEN) -> str:
    """The kernel command line for a mode of the root image.

    :param mode: empty: whoever takes them says which.
    :param consoles: :data:`SCREEN` or :data:`SERIAL`: which is the main console.
    """
    return " ".join(filter(None, ("boot=zeroth", mode and f"zeroth.mode={mode}", consoles)))


def entries(product: str = "zeroth", words: Sequence[str] = ()) -> list[MenuEntry]:
    """The entries that start our kernel.

    :param product: what is installed, for people.
    :param words: more of the kernel's arguments, in every entry.
    """
    return [
        replace(entry, arguments=" ".join((entry.arguments, *map(grub_quote, words)))) for entry in _entries(product)
    ]


def netboot_entries(product: str = "zeroth", words: Sequence[str] = ()) -> list[MenuEntry]:
    """Those of them that start over the network: Xen takes but one initrd, and there is no medium to verify."""
    return [entry for entry in entries(product, words) if not entry.xen and entry.id != "verify"]


def _entries(product: str) -> list[MenuEntry]:
    return [
        MenuEntry("install", f"Install {product}", "i", f"{kernel_arguments('install')} quiet"),
        MenuEntry("serial", f"Install {product} on the serial console (ttyS0, 115200)", "s",
                  kernel_arguments("install", SERIAL)),
        MenuEntry("ask", f"Install {product}, asking here (screen or serial console)", "a",
                  f"{kernel_arguments('install', SERIAL)} quiet zeroth.ask"),
        MenuEntry("safe", f"Install {product} with plain video (nomodeset)", "n",
                  f"{kernel_arguments('install')} nomodeset quiet"),
        MenuEntry("rescue", "Rescue shell (changes nothing)", "r", kernel_arguments("rescue", SERIAL)),
        MenuEntry("xen", "Try this machine under Xen (rescue shell as domain 0)", "x",
                  kernel_arguments("rescue", _DOM0), _XEN),
        MenuEntry("verify", "Verify this medium", "t", f"{kernel_arguments('verify', SERIAL)} quiet"),
    ]  # fmt: skip


def arguments_script(words: Sequence[str] = ()) -> bytes:
    """The content of :data:`ARGUMENTS_FILE`: a function of GRUB's shell that adds the words to a command.

    :raises UserError: when they do not fit.
    :raises ValueError: as :func:`zeroth.deploy.bootmenu.grub_quote`.
    """
    added = "".join(f" {grub_quote(word)}" for word in words)
    text = f'# Kept for `zeroth iso embed --args`.\nfunction with_arguments {{\n  "$@"{added}\n}}\n'.encode()
    if len(text) >= ARGUMENTS_SIZE:
        raise UserError("these are more kernel arguments than the medium has room for", "Give fewer.")
    return text.ljust(ARGUMENTS_SIZE - 1, b"#") + b"\n"

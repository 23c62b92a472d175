"""The words of the language as data: what is accepted, what it means, what is refused and what to write instead.

The reader takes the accepted options from here, the reference page is made from here, and so they cannot drift apart.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["COMMANDS", "INSTEAD", "LANGUAGE_VERSION", "SECTIONS", "Command", "Option", "command_named"]

LANGUAGE_VERSION = 1


@dataclass(frozen=True)
class Option:
    """One option of a command.

    :param value: what to write after ``=``; empty for a switch.
    """

    name: str
    help: str
    value: str = ""


@dataclass(frozen=True)
class Command:
    """One command.

    :param names: all of them mean the same command object in the parser (``reboot``, ``poweroff``, ...).
    :param argument: what to write besides options; empty for nothing.
    :param fields: the top-level HostSpec fields that it sets.
    :param own: ours, not part of stock kickstart.
    :param repeats: may stand in more than one line.
    """

    names: tuple[str, ...]
    help: str
    example: str
    fields: tuple[str, ...]
    options: tuple[Option, ...] = ()
    argument: str = ""
    own: bool = False
    repeats: bool = False


COMMANDS: tuple[Command, ...] = (
    Command(
        ("keyboard",),
        "The keyboard layout of the console, `us` unless told. Once.",
        "keyboard de",
        ("keyboard",),
        (Option("--vckeymap", "The same as the argument; give one of the two.", "LAYOUT"),),
        argument="LAYOUT",
    ),
    Command(
        ("timezone",),
        "The time zone, `Etc/UTC` unless told. Once. The hardware clock always runs in UTC.",
        "timezone Europe/Berlin --utc",
        ("timezone",),
        (
            Option("--utc", "The hardware clock runs in UTC: so it does in any case."),
        ),
        argument="ZONE",
    ),
    Command(
        ("rootpw",),
        "The password of root. Once. Without it, there must be an `sshkey`.",
        "rootpw --iscrypted $y$j9T$...",
        ("root",),
        (
            Option("--iscrypted", "The argument is a hash, as `mkpasswd` or `openssl passwd -6` print it."),
            Option("--plaintext", "The argument is the password itself; it is hashed before anything is stored."),
            Option("--lock", "root has no password: only ssh keys open the host. Takes no argument."),
        ),
        argument="PASSWORD",
    ),
    Command(
        ("sshkey",),
        "A public key with which root may log in over ssh. May be repeated, one key a line. Quote the key.",
        'sshkey --username=root "ssh-ed25519 AAAA... admin@example.com"',
        ("root",),
        (Option("--username", "Whose key: `root` is the only account there is. Required.", "root"),),
        argument='"KEY"',
        repeats=True,
    ),
    Command(
        ("network",),
        "The management network, and the host name. One line for the network; the host name may stand in a line "
        "of its own.",
        "network --device=52:54:00:12:34:56 --bootproto=static --ip=192.0.2.10 --netmask=255.255.255.0 "
        "--gateway=192.0.2.1 --nameserver=192.0.2.53 --hostname=xen1.example.com",
        ("hostname", "management"),
        (
            Option(
                "--device",
                "The NIC: a MAC address, a kernel name, or `link` for the only one with a link (which is also what "
                "happens when the option is left out).",
                "NIC",
            ),
            Option("--bootproto", "How the address comes: `dhcp` (unless told) or `static`.", "dhcp|static"),
            Option("--ip", "The IPv4 address; needs `--bootproto=static` and `--netmask`.", "ADDRESS"),
            Option("--netmask", "As in `255.255.255.0`.", "MASK"),
            Option("--gateway", "The default route; with a static address.", "ADDRESS"),
            Option("--nameserver", "One or more DNS servers, with commas between them.", "ADDRESS,..."),
            Option("--hostname", "The host's name, with or without its domain. Required.", "NAME"),
            Option("--vlanid", "802.1Q tag of the management traffic, 1 to 4094.", "TAG"),
            Option("--bridge", "Name of the Open vSwitch bridge to make, `xenbr0` unless told. Ours.", "NAME"),
            Option("--onboot", "Only `yes`: the management network is always up.", "yes"),
            Option("--activate", "Changes nothing: the management network is always up."),
        ),
        repeats=True,
    ),
    Command(
        ("ignoredisk",),
        "Which disk to install on. Once. Without it the machine must have exactly one disk.",
        "ignoredisk --only-use=disk/by-id/nvme-EXAMPLE_1234",
        ("disk",),
        (
            Option(
                "--only-use",
                "The disk: a name (`sda`), a path (`/dev/disk/by-id/...`, or `disk/by-id/...`), one of `serial=`, "
                "`wwn=`, `id=`, `model=` with a value in which `*` and `?` may stand, or `only`, `smallest`, "
                "`largest`. Exactly one disk must match.",
                "DISK",
            ),
        ),
    ),
    Command(
        ("clearpart",),
        "The consent to erase the disk that is installed on. Once. Without it only an empty disk is taken.",
        "clearpart --all --initlabel",
        ("disk",),
        (
            Option("--all", "Everything on the disk may be erased. Required."),
            Option("--drives", "The disk, written as in `ignoredisk --only-use`; the same one where both are given.",
                   "DISK"),
            Option("--initlabel", "Changes nothing: the disk gets a new GPT in any case."),
            Option("--disklabel", "Only `gpt`.", "gpt"),
        ),
    ),
    Command(
        ("zerombr",),
        "May stand beside `clearpart --all` and changes nothing there: it is no consent by itself.",
        "zerombr",
        ("disk",),
    ),
    Command(
        ("xen",),
        "How Xen and domain 0 start. Once.",
        'xen --dom0-mem=2G --dom0-vcpus=4 --xen-append="ucode=scan" --serial=115200',
        ("dom0",),
        (
            Option("--dom0-mem", "Memory of domain 0 with its unit, 768M or more; `1536M` unless told.", "SIZE"),
            Option("--dom0-vcpus", "Virtual CPUs of domain 0; all unless told.", "NUMBER"),
            Option("--xen-append", "Words added to Xen's command line.", '"WORDS"'),
            Option("--dom0-append", "Words added to the command line of domain 0's kernel.", '"WORDS"'),
            Option("--serial", "Speed of the first serial port as a console, `115200` unless told, or `none`.",
                   "SPEED"),
        ),
        own=True,
    ),
    Command(
        ("reboot", "poweroff", "shutdown", "halt"),
        "What happens after a successful installation: `reboot` (also when none is given); `poweroff`, which "
        "`shutdown` is another word for; or `halt`, which waits for somebody to press Enter and then reboots. One of "
        "them, once.",
        "reboot",
        ("end_action",),
    ),
    Command(
        ("onfailure",),
        "What happens after a failed installation: a shell (unless told), or power off. Once. It is never tried again "
        "by itself.",
        "onfailure --poweroff",
        ("on_failure",),
        (
            Option("--shell", "Say why, and give a root shell on the consoles."),
            Option("--poweroff", "Say why, keep the log, and power off."),
        ),
        own=True,
    ),
    Command(
        ("reinstall",),
        "Apply this answer again even to a machine to which it was applied before. Without it a CD that stayed in the "
        "drive does no harm.",
        "reinstall",
        ("reinstall",),
        own=True,
    ),
)  # fmt: skip

# Why a word of stock kickstart is refused, and what to write instead.
_LAYOUT = "There is one disk layout; ignoredisk and clearpart say which disk, and that it may be erased."
_IMAGE = "The installer writes the image that it was started from: leave the line out."
_NOT_YET = "Leave it out and set it on the installed host."
INSTEAD: dict[str, str] = {
    **dict.fromkeys(("autopart", "part", "partition", "volgroup", "logvol", "raid", "btrfs", "mount"), _LAYOUT),
    **dict.fromkeys(
        ("url", "cdrom", "harddrive", "nfs", "repo", "liveimg", "install", "ostreesetup", "ostreecontainer", "bootc"),
        _IMAGE,
    ),
    **dict.fromkeys(("text", "graphical", "cmdline", "vnc", "rdp"), "The installer asks nothing: leave it out."),
    "bootloader": "Write xen --xen-append=... --dom0-append=... for words on the command lines.",
    "lang": "The host speaks English (C.UTF-8): leave it out.",
    "user": "root is the only account there is; use rootpw and sshkey.",
    "sshpw": "Use rootpw and sshkey.",
    "timesource": _NOT_YET,
    "services": _NOT_YET,
    "firewall": _NOT_YET,
    "logging": _NOT_YET,
    "eula": "Leave it out.",
    "selinux": "The host has no SELinux: leave it out.",
    "skipx": "The host has no X: leave it out.",
    "firstboot": "The host's first boot asks nothing: leave it out.",
}  # fmt: skip

SECTIONS = (
    "%pre", "%pre-install", "%post", "%onerror", "%traceback", "%packages", "%addon", "%anaconda", "%certificate",
)  # fmt: skip
"""Sections of stock kickstart; none is supported yet."""


def command_named(name: str) -> Command | None:
    """The command of that name."""
    return next((command for command in COMMANDS if name in command.names), None)

"""The words of the language as data: what is accepted, what it means, what is refused and what to write instead.

The reader takes the accepted options from here, the reference page is made from here, and so they cannot drift apart.
"""

from __future__ import annotations

from zeroth.spec.kickstart.entries import Command, Kind, Option
from zeroth.spec.kickstart.vocabulary_own import HOOKS, OWN

__all__ = [
    "COMMANDS",
    "HOOKS",
    "INSTEAD",
    "LANGUAGE_VERSION",
    "OF_SECTIONS",
    "SECTIONS",
    "STOCK",
    "Command",
    "Option",
    "command_named",
]

LANGUAGE_VERSION = 1


COMMANDS: tuple[Command, ...] = (
    Command(
        ("lang",),
        "The locale, `C.UTF-8` unless told. Once.",
        "lang en_GB.UTF-8",
        ("locale",),
        argument="LOCALE",
    ),
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
        ("timesource",),
        "Where the time comes from: one server or pool a line. Servers that DHCP names are used as well.",
        "timesource --ntp-server=ntp1.example.com",
        ("ntp",),
        more=("timesource --ntp-pool=pool.example.com --no-dhcp", "timesource --ntp-disable"),
        options=(
            Option("--ntp-server", "A server.", "SERVER"),
            Option("--ntp-pool", "A name that stands for several servers.", "NAME"),
            Option("--ntp-disable", "The clock is left alone.", field="enabled", kind=Kind.OFF),
            Option("--no-dhcp", "Servers that DHCP names are not used. Ours.", field="from_dhcp", kind=Kind.OFF),
        ),
        base="ntp",
        repeats=True,
    ),
    Command(
        ("rootpw",),
        "The password of root. Once. Without it, there must be an `sshkey`.",
        "rootpw --iscrypted $y$j9T$...",
        ("root",),
        more=("rootpw --lock",),
        options=(
            Option("--iscrypted", "The argument is a hash, as `mkpasswd` or `openssl passwd -6` print it."),
            Option("--plaintext", "The argument is the password itself; it is hashed before anything is stored."),
            Option("--lock", "root has no password: only ssh keys open the host. Takes no argument."),
        ),
        argument="PASSWORD",
    ),
    Command(
        ("sshkey",),
        "A public key with which a user may log in over ssh. May be repeated, one key a line. Quote the key.",
        'sshkey --username=root "ssh-ed25519 AAAA... admin@example.com"',
        ("root", "users"),
        (Option("--username", "Whose key: `root`, or the name in a `user` line. Required.", "NAME"),),
        argument='"KEY"',
        repeats=True,
    ),
    Command(
        ("user",),
        "A further account of domain 0, one a line. It needs a password or an `sshkey`.",
        'user --name=alice --gecos="Alice Example" --groups=sudo --iscrypted --password=$y$j9T$...',
        ("users",),
        (
            Option("--name", "The account's name. Required.", "NAME", "name"),
            Option("--gecos", "The person's name.", '"NAME"', "gecos"),
            Option("--groups", "Only `sudo`: may become root.", "sudo"),
            Option("--password", "The password; it is hashed before anything is stored.", "PASSWORD"),
            Option("--iscrypted", "What `--password` gives is a hash."),
            Option("--plaintext", "What `--password` gives is the password itself (also when not told)."),
            Option("--lock", "No password: only ssh keys open the account."),
            Option("--shell", "The login shell, `/bin/bash` unless told.", "PATH", "shell"),
        ),
        base="users[]",
        repeats=True,
    ),
    Command(
        ("network",),
        "A network, and the host name. The line without `--name` describes the management network; the host name may "
        "stand in a line of its own. Each line with `--name` is a further network, a bridge of its own.",
        "network --device=52:54:00:12:34:56 --bootproto=static --ip=192.0.2.10 --netmask=255.255.255.0 "
        "--gateway=192.0.2.1 --nameserver=192.0.2.53 --hostname=xen1.example.com",
        ("hostname", "management", "networks"),
        more=(
            "network --device=bond0 --bondslaves=52:54:00:12:34:56,52:54:00:12:34:57 "
            "--bondopts=mode=lacp,lacp_rate=fast --vlanid=100 --bootproto=dhcp --ipv6=auto",
            "network --name=Storage --purpose=storage,migration --device=enp2s0 --mtu=9000 --bootproto=dhcp\n"
            "network --name=Guests --purpose=guests --vlanid=200",
        ),
        options=(
            Option(
                "--device",
                "The NIC: a MAC address, a kernel name, a bond, or `link` for the only one with a link (also when "
                "the option is left out).",
                "NIC",
            ),
            Option("--bootproto", "How the IPv4 address comes: `dhcp` (of the management network, unless told) or "
                   "`static`.", "dhcp|static"),
            Option("--ip", "The IPv4 address; needs `--bootproto=static` and `--netmask`.", "ADDRESS"),
            Option("--netmask", "As in `255.255.255.0`.", "MASK"),
            Option("--gateway", "The default route; with a static address.", "ADDRESS"),
            Option("--nameserver", "One or more DNS servers, with commas between them.", "ADDRESS,..."),
            Option("--hostname", "The host's name, with or without its domain. Required.", "NAME"),
            Option("--vlanid", "802.1Q tag of the management traffic, 1 to 4094.", "TAG"),
            Option("--bridge", "Name of the Open vSwitch bridge to make, `xenbr0` unless told. Ours.", "NAME"),
            Option("--mtu", "Bytes, 1280 to 9216.", "BYTES", "mtu", Kind.NUMBER),
            Option("--noipv4", "No IPv4 address."),
            Option("--ipv6", "`auto` (from router advertisements), `dhcp`, or an address with its prefix length; none "
                   "unless told.", "ADDRESS"),
            Option("--ipv6gateway", "The default route of IPv6; with an address.", "ADDRESS"),
            Option("--noipv6", "No IPv6 address: so it is in any case."),
            Option("--ipv4-dns-search", "Domains in which bare names are looked for, with commas; needs `--device`.",
                   "DOMAIN,..."),
            Option("--bondslaves", "The NICs of a bond, with commas; `--device` is then the bond's name, which a "
                   "further network may name as its `--device` too.", "NIC,..."),
            Option("--bondopts", "Of a bond: `mode=active-backup`, `balance-slb` or `lacp`; with LACP also "
                   "`lacp_rate=slow` or `fast`, `hashing=tcpudp_ports` or `src_mac`, `fallback=yes` or `no`.",
                   "NAME=VALUE,..."),
            Option("--name", "Of a further network: what it is called. Ours.", "NAME", "name"),
            Option("--purpose", "Of a further network: `storage`, `migration`, `guests`, or several. Ours.",
                   "PURPOSE,...", "purposes", Kind.LIST),
            Option("--no-try", "The installer does not try the management network before it writes to a disk. Ours.",
                   field="try_first", kind=Kind.OFF),
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
        more=('ignoredisk --only-use="ssd & size>=400G & smallest" --alternatives=sda --drives=transport=usb',),
        base="disk",
        options=(
            Option(
                "--only-use",
                "The disk: a name (`sda`), a path (`/dev/disk/by-id/...`, or `disk/by-id/...`), one of `serial=`, "
                "`wwn=`, `id=`, `model=` with a value in which `*` and `?` may stand, or `only`, `smallest`, "
                "`largest`. `ssd & size>=400G & smallest` is several of these at once. Exactly one disk must match "
                "(of a `mirror` without `--with`: two).",
                "DISK",
                "select",
                Kind.DISK,
            ),
            Option("--alternatives", "Disks that are tried in this order when that matches none. Ours.", "DISK,...",
                   "alternatives", Kind.DISKS),
            Option("--drives", "Disks that are left out of consideration and never touched.", "DISK,...", "ignore",
                   Kind.DISKS),
        ),
    ),
    Command(
        ("clearpart",),
        "The consent to erase the disk that is installed on. Once. Without it only an empty disk is taken.",
        "clearpart --all --initlabel",
        ("disk",),
        more=("clearpart --all --drives=serial=S3Z1",),
        base="disk",
        options=(
            Option("--all", "Everything on the disk may be erased. Required."),
            Option("--drives", "The consent is for these disks alone, written as in `ignoredisk --only-use`. One disk "
                   "alone is also the one to install on, when nothing else says which.", "DISK,...", "wipe_disks",
                   Kind.DISKS),
            Option("--initlabel", "Changes nothing: the disk gets a new GPT in any case."),
            Option("--disklabel", "Only `gpt`.", "gpt"),
        ),
    ),
    Command(
        ("zerombr",),
        "May stand beside `clearpart --all` and changes nothing there: it is no consent by itself.",
        "clearpart --all\nzerombr",
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
    Command(
        ("services",),
        "Units of systemd that the host starts at boot, or does not. Once.",
        "services --enabled=ssh --disabled=open-iscsi",
        ("services",),
        (
            Option("--enabled", "Units, with commas.", "UNIT,...", "enable", Kind.LIST),
            Option("--disabled", "Units, with commas.", "UNIT,...", "disable", Kind.LIST),
        ),
        base="services",
    ),
    Command(
        ("logging",),
        "A syslog server that is told how the installation goes, one a line.",
        "logging --host=log.example.com --protocol=tls",
        ("notify",),
        (
            Option("--host", "The server. Required.", "SERVER", "server"),
            Option("--port", "514 unless told, with TLS 6514.", "NUMBER", "port", Kind.NUMBER),
            Option("--protocol", "`udp` (unless told), `tcp` or `tls`. Ours.", "PROTOCOL", "protocol"),
        ),
        base="notify.syslog[]",
        repeats=True,
    ),
    *OWN,
)  # fmt: skip

_PRINTED = "Leave it out: what the program prints is in the installer's log."
OF_SECTIONS = {"--log": _PRINTED, "--logfile": _PRINTED}
"""Options of stock kickstart's sections that are refused, and what to do instead."""

# Why a word of stock kickstart is refused, and what to write instead.
_LAYOUT = "There is one disk layout; ignoredisk and clearpart say which disk, and that it may be erased."
_IMAGE = "The installer writes the image that it was started from: leave the line out."
INSTEAD: dict[str, str] = {
    **dict.fromkeys(("autopart", "part", "partition", "volgroup", "logvol", "raid", "btrfs", "mount"), _LAYOUT),
    **dict.fromkeys(
        ("url", "cdrom", "harddrive", "nfs", "repo", "liveimg", "install", "ostreesetup", "ostreecontainer", "bootc"),
        _IMAGE,
    ),
    **dict.fromkeys(("text", "graphical", "cmdline", "vnc", "rdp"), "The installer asks nothing: leave it out."),
    "bootloader": "Write xen --xen-append=... --dom0-append=... for words on the command lines.",
    "sshpw": "Use rootpw and sshkey.",
    "firewall": "HostSpec has no firewall: leave it out and set it on the installed host.",
    "group": "Leave it out; user --groups=sudo makes an administrator.",
    "eula": "Leave it out.",
    "selinux": "The host has no SELinux: leave it out.",
    "skipx": "The host has no X: leave it out.",
    "firstboot": "The host's first boot asks nothing: leave it out.",
}  # fmt: skip

STOCK = frozenset({
    "auth", "authconfig", "authselect", "autopart", "autostep", "bootc", "bootloader", "btrfs", "cdrom",
    "clearpart", "cmdline", "device", "deviceprobe", "dmraid", "driverdisk", "eula", "fcoe", "firewall",
    "firstboot", "graphical", "group", "halt", "harddrive", "hmc", "ignoredisk", "install", "iscsi", "iscsiname",
    "keyboard", "lang", "liveimg", "logging", "logvol", "mediacheck", "method", "module", "mount", "multipath",
    "network", "nfs", "nvdimm", "ostreecontainer", "ostreesetup", "part", "partition", "poweroff", "raid", "rdp",
    "realm", "reboot", "repo", "reqpart", "rescue", "rhsm", "rootpw", "selinux", "services", "shutdown", "skipx",
    "snapshot", "sshkey", "sshpw", "syspurpose", "text", "timesource", "timezone", "updates", "url", "user", "vnc",
    "volgroup", "xconfig", "zerombr", "zfcp", "zipl",
})  # fmt: skip
"""The commands of stock kickstart (RHEL 10), those that are refused as well; a test compares with pykickstart."""

SECTIONS = (
    "%pre", "%pre-install", "%post", "%onerror", "%traceback", "%packages", "%addon", "%anaconda", "%certificate",
)  # fmt: skip
"""Sections of stock kickstart; those of HOOKS are supported."""


def command_named(name: str) -> Command | None:
    """The command or hook of that name."""
    return next((command for command in (*COMMANDS, *HOOKS) if name in command.names), None)

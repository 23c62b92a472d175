"""Every word of XenServer's and XCP-ng's answer files: what becomes of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from zeroth.spec.importers.xenserver import read_xenserver
from zeroth.spec.problems import Severity
from zeroth.spec.validate import validated

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "imported-answers.md"
HASH = "$6$salt$" + "x" * 86
_DISK = "<primary-disk>/dev/disk/by-id/x</primary-disk>"
_NIC = '<admin-interface hwaddr="52:54:00:12:34:56" proto="dhcp"/>'
_REST = f'<hostname>h1</hostname><root-password type="hash">{HASH}</root-password>'


def xml(more: str = "", *, disk: str = _DISK, nic: str = _NIC, root: str = "") -> str:
    return f"<installation{root}>{disk}{nic}{_REST}{more}</installation>"


def outcome(text: str) -> tuple[Any, list[str], list[str], list[str]]:
    """The data, and the texts of errors, warnings and what was left out, each with its hint."""
    document = read_xenserver(text)
    _, problems = validated(document)
    said = {
        severity: [f"{it.message} | {it.hint}" for it in problems if it.severity is severity] for severity in Severity
    }
    assert all(it.where.line for it in problems), problems
    return document.data, said[Severity.ERROR], said[Severity.WARNING], said[Severity.LEFT_OUT]


def at(data: Any, path: str) -> object:  # noqa: ANN401 - plain data
    for part in path.split("."):
        data = data[int(part)] if part.isdigit() else data.get(part)
    return data


STATIC = (
    '<admin-interface hwaddr="52:54:00:12:34:56" proto="static"><ipaddr>192.0.2.9</ipaddr>'
    "<subnet>255.255.254.0</subnet><gateway>192.0.2.1</gateway></admin-interface>"
)
STATIC6 = (
    '<admin-interface hwaddr="52:54:00:12:34:56" proto="none" protov6="static"><ipv6>2001:db8::9/64</ipv6>'
    "<gatewayv6>2001:db8::1</gatewayv6></admin-interface>"
)


def _nic(attributes: str) -> str:
    return f'<admin-interface hwaddr="52:54:00:12:34:56" {attributes}/>'


def _primary(attributes: str, text: str = "/dev/disk/by-id/x") -> str:
    return f"<primary-disk {attributes}>{text}</primary-disk>"


# Word of the vocabulary, answer, path, value.
CARRIED: list[tuple[str, str, str, object]] = [
    ("installation", xml(), "disk.wipe", True),
    ("installation mode", xml(root=' mode="fresh"'), "disk.wipe", True),
    ("installation sr-type", xml(root=' sr-type="ext"'), "disk.local_sr", "ext4"),
    ("installation srtype", xml(root=' srtype="lvm"'), "disk.local_sr", "lvm"),
    ("installation gpgcheck", xml(root=' gpgcheck="true"'), "hostname", "h1"),
    ("installation repo-gpgcheck", xml(root=' repo-gpgcheck="yes"'), "hostname", "h1"),
    ("installation netinstall-gpg-check", xml(root=' netinstall-gpg-check="yes"'), "hostname", "h1"),
    ("source type", xml('<source type="local"/>'), "hostname", "h1"),
    ("source gpgcheck", xml('<source type="local" gpgcheck="true"/>'), "hostname", "h1"),
    ("source repo-gpgcheck", xml('<source type="local" repo-gpgcheck="true"/>'), "hostname", "h1"),
    ("bootloader", xml("<bootloader>grub2</bootloader>"), "hostname", "h1"),
    ("bootloader location", xml('<bootloader location="mbr"/>'), "hostname", "h1"),
    ("bootloader write-boot-entry", xml('<bootloader write-boot-entry="true"/>'), "hostname", "h1"),
    ("network-backend", xml("<network-backend>vswitch</network-backend>"), "hostname", "h1"),
    ("primary-disk", xml(), "disk.select", "/dev/disk/by-id/x"),
    ("primary-disk guest-storage", xml(disk=_primary('guest-storage="no"')), "disk.local_sr", "none"),
    ("primary-disk gueststorage", xml(disk=_primary('gueststorage="no"')), "disk.local_sr", "none"),
    ("primary-disk preserve-first-partition", xml(disk=_primary('preserve-first-partition="no"')), "disk.wipe", True),
    ("primary-disk sr-at-end", xml(disk=_primary('sr-at-end="yes"')), "disk.wipe", True),
    ("primary-disk fs-type", xml(disk=_primary('fs-type="ext4"')), "disk.wipe", True),
    (
        "primary-disk swraid",
        xml(disk=_primary('swraid="true"', "/dev/disk/by-id/x, missing")),
        "disk.mirror_with",
        "missing",
    ),
    (
        "primary-disk swraid",
        xml(disk=_primary('swraid="true"', "missing,/dev/disk/by-id/x")),
        "disk.select",
        "/dev/disk/by-id/x",
    ),
    (
        "raid",
        xml(
            disk='<raid device="md1"><disk>/dev/disk/by-id/a</disk><disk>/dev/disk/by-id/b</disk></raid>'
            "<primary-disk>/dev/md/md1</primary-disk>"
        ),
        "disk.layout",
        "mirror",
    ),
    (
        "raid device",
        xml(
            disk='<raid device="/dev/md1"><disk>/dev/disk/by-id/a</disk><disk>/dev/disk/by-id/b</disk>'
            "</raid><primary-disk>md1</primary-disk>"
        ),
        "disk.select",
        "/dev/disk/by-id/a",
    ),
    (
        "disk",
        xml(
            disk='<raid device="md1"><disk>/dev/disk/by-id/a</disk><disk>/dev/disk/by-id/b</disk></raid>'
            "<primary-disk>md1</primary-disk>"
        ),
        "disk.mirror_with",
        "/dev/disk/by-id/b",
    ),
    ("guest-disk", xml("<guest-disk>/dev/disk/by-id/y</guest-disk>"), "disk.sr_disks.0", "/dev/disk/by-id/y"),
    (
        "guest-disks",
        xml("<guest-disks><guest-disk>/dev/disk/by-id/x</guest-disk></guest-disks>"),
        "disk.sr_disks",
        None,
    ),
    (
        "guest-disk",
        xml("<guest-disk>/dev/disk/by-id/y</guest-disk>", disk=_primary('guest-storage="no"')),
        "storage.0.disks",
        ["/dev/disk/by-id/y"],
    ),
    ("admin-interface name", xml(nic='<admin-interface name="enp1s0" proto="dhcp"/>'), "management.nic", "enp1s0"),
    ("admin-interface hwaddr", xml(), "management.nic", "52:54:00:12:34:56"),
    ("admin-interface proto", xml(nic=STATIC), "management.address.method", "static"),
    (
        "admin-interface protov6",
        xml(nic=_nic('proto="none" protov6="autoconf"')),
        "management.address6.method",
        "slaac",
    ),
    ("admin-interface protov6", xml(nic=_nic('proto="dhcp" protov6="dhcp"')), "management.address6.method", "dhcp"),
    ("admin-interface protov6", xml(nic=_nic('proto="dhcp" protov6="none"')), "management.address6", None),
    ("admin-interface vlan", xml(nic=_nic('proto="dhcp" vlan="4094"')), "management.vlan", 4094),
    ("ipaddr", xml(nic=STATIC), "management.address.address", "192.0.2.9/23"),
    ("ip", xml(nic=STATIC.replace("ipaddr", "ip")), "management.address.address", "192.0.2.9/23"),
    ("subnet", xml(nic=STATIC), "management.address.address", "192.0.2.9/23"),
    ("subnet-mask", xml(nic=STATIC.replace("subnet", "subnet-mask")), "management.address.address", "192.0.2.9/23"),
    ("gateway", xml(nic=STATIC), "management.address.gateway", "192.0.2.1"),
    ("ipv6", xml(nic=STATIC6), "management.address6.address", "2001:db8::9/64"),
    ("gatewayv6", xml(nic=STATIC6), "management.address6.gateway", "2001:db8::1"),
    ("root-password", xml(), "root.password_hash", HASH),
    ("root-password type", xml().replace(' type="hash"', "").replace(HASH, "x y"), "root.password", "x y"),
    ("root-password type", xml().replace('"hash"', '"plaintext"').replace(HASH, "x y"), "root.password", "x y"),
    ("name-server", xml("<name-server>192.0.2.53</name-server>"), "management.dns.0", "192.0.2.53"),
    (
        "nameserver",
        xml("<nameserver>192.0.2.53</nameserver><name-server>192.0.2.54</name-server>"),
        "management.dns",
        ["192.0.2.53", "192.0.2.54"],
    ),
    ("hostname", xml(), "hostname", "h1"),
    ("timezone", xml("<timezone>Europe/Berlin</timezone>"), "timezone", "Europe/Berlin"),
    ("keymap", xml("<keymap>uk</keymap>"), "keyboard", "gb"),
    ("keymap", xml("<keymap>de</keymap>"), "keyboard", "de"),
    ("ntp", xml('<ntp source="default"/>'), "ntp.from_dhcp", False),
    ("ntp source", xml('<ntp source="none"/>'), "ntp.enabled", False),
    ("ntp source", xml('<ntp source="dhcp"/>'), "ntp.from_dhcp", True),
    ("ntp-server", xml("<ntp-server>t.example.com</ntp-server>"), "ntp.servers", ["t.example.com"]),
    ("ntp-servers", xml('<ntp-servers>192.0.2.1</ntp-servers><ntp source="manual"/>'), "ntp.servers", ["192.0.2.1"]),
    ("ssh-mode", xml("<ssh-mode>off</ssh-mode>"), "services.disable", ["ssh"]),
    ("ssh-mode", xml("<ssh-mode>on</ssh-mode>"), "services.enable", ["ssh"]),
    ("service", xml('<service name="sshd" state="disabled"/>'), "services.disable", ["ssh"]),
    ("service name", xml('<service name="chronyd" state="enabled"/>'), "services.enable", ["chronyd"]),
    ("service state", xml('<service name="a" state="enabled"/>'), "services.enable", ["a"]),
]


@pytest.mark.parametrize(("word", "text", "path", "value"), CARRIED, ids=[case[0] for case in CARRIED])
def test_what_is_carried_over(word: str, text: str, path: str, value: object) -> None:
    data, errors, warnings, left_out = outcome(text)
    assert not errors + warnings + left_out
    assert at(data, path) == value


# Word, answer, what is left out, part of the reason.
LEFT_OUT: list[tuple[str, str, str, str]] = [
    ("installation mode", xml(root=' mode="reinstall"'), "the backup of the old system", "disk.wipe"),
    ("installation sr-type", xml(root=' sr-type="largeblock"'), "sr-type='largeblock'", "repository gets LVM"),
    ("installation gpgcheck", xml(root=' gpgcheck="false"'), "gpgcheck", "always checked"),
    ("installation repo-gpgcheck", xml(root=' repo-gpgcheck="no"'), "repo-gpgcheck", "always checked"),
    ("installation netinstall-gpg-check", xml(root=' netinstall-gpg-check="no"'), "netinstall-gpg-check", "checked"),
    ("anything", xml(root=' mod="fresh"'), "mod= of <installation> is unknown", "Did you mean mode?"),
    (
        "driver-source",
        xml('<driver-source type="url">http://x/</driver-source>'),
        "<driver-source>",
        "Debian's kernel",
    ),
    ("driver-source type", xml('<driver-source type="local"/>'), "<driver-source>", "Debian's kernel"),
    ("script", xml('<script stage="installation-start" type="url">http://x/</script>'), "<script>", "stage pre,"),
    ("script stage", xml('<script stage="packages-installed" type="nfs">n:/x</script>'), "<script>", "stage post,"),
    ("script stage", xml('<script stage="installation-complete" type="url">u</script>'), "<script>", "onerror"),
    ("script type", xml('<script stage="filesystem-populated" type="url">u</script>'), "<script>", "exit code counts"),
    (
        "post-install-script",
        xml('<post-install-script type="url">u</post-install-script>'),
        "<post-install",
        "stage post",
    ),
    ("install-failed-script", xml("<install-failed-script>u</install-failed-script>"), "<install-failed", "onerror"),
    (
        "ui-confirmation-prompt",
        xml("<ui-confirmation-prompt>true</ui-confirmation-prompt>"),
        "<ui-conf",
        "zeroth plan",
    ),
    ("selected-multiversion-drivers", xml("<selected-multiversion-drivers/>"), "<selected-multi", "one version"),
    (
        "driver",
        xml('<selected-multiversion-drivers><driver name="x">a</driver></selected-multiversion-drivers>'),
        "<selected-multi",
        "one version",
    ),
    (
        "driver name",
        xml('<selected-multiversion-drivers><driver name="x">a</driver></selected-multiversion-drivers>'),
        "<selected-multi",
        "one version",
    ),
    ("fcoe-interface", xml('<fcoe-interface name="eth1"/>'), "<fcoe-interface>", "FCoE is not supported"),
    ("fcoe-interface name", xml('<fcoe-interface name="eth1"/>'), "<fcoe-interface>", "FCoE"),
    ("fcoe-interface hwaddr", xml('<fcoe-interface hwaddr="x"/>'), "<fcoe-interface>", "FCoE"),
    ("source", xml('<source type="local"/><source type="local">/packs/x</source>'), "<source>", "Supplemental"),
    ("source type", xml('<source type="nfs">n:/x</source>'), "<source>", "zeroth's own medium"),
    ("bootloader location", xml('<bootloader location="partition"/>'), "a boot loader in a partition", "firmware"),
    ("bootloader write-boot-entry", xml('<bootloader write-boot-entry="no"/>'), "write-boot-entry", "Under UEFI"),
    ("network-backend", xml("<network-backend>bridge</network-backend>"), "backend bridge", "Open vSwitch"),
    ("raid", xml('<raid device="md9"><disk>sdx</disk><disk>sdy</disk></raid>'), "<raid>", "not the primary disk"),
    (
        "disk",
        xml(
            disk='<raid device="md1"><disk>/dev/disk/by-id/a</disk><disk>/dev/disk/by-id/b</disk>'
            "<disk>/dev/disk/by-id/c</disk></raid><primary-disk>md1</primary-disk>"
        ),
        "by-id/c",
        "two disks",
    ),
    (
        "primary-disk preserve-first-partition",
        xml(disk=_primary('preserve-first-partition="true"')),
        "keeping a partition",
        "disk.wipe",
    ),
    (
        "primary-disk preserve-first-partition",
        xml(disk=_primary('preserve-first-partition="if-utility"')),
        "keeping a utility partition",
        "DELLUTILITY",
    ),
    ("primary-disk sr-at-end", xml(disk=_primary('sr-at-end="false"')), "sr-at-end", "after it"),
    ("primary-disk fs-type", xml(disk=_primary('fs-type="ext3"')), "fs-type: ext3", "read-only image"),
    ("primary-disk", xml(disk=_DISK + "<primary-disk>sdz</primary-disk>"), "<primary-disk> is given again", "counts"),
    ("guest-disk", xml("<guest-disk>iscsi:x</guest-disk>"), "'iscsi:x'", "disk of the machine"),
    ("initial-partitions", xml("<initial-partitions/>"), "<initial-partitions>", "no installer"),
    (
        "partition",
        xml('<initial-partitions><partition number="1" size="1" id="x"/></initial-partitions>'),
        "<initial-partitions>",
        "no installer",
    ),
    ("admin-interface name", xml(nic='<admin-interface name="eth0" proto="dhcp"/>'), "eth0", "Give hwaddr="),
    (
        "admin-interface proto",
        xml(
            nic=STATIC.replace("static", "dhcp")
            .replace("<gateway>192.0.2.1</gateway>", "")
            .replace("<subnet>255.255.254.0</subnet>", "")
        ),
        "<ipaddr> is not used",
        "static",
    ),
    ("ipv6", xml(nic=_nic('proto="dhcp"') + "<ipv6>::1/64</ipv6>"), "<ipv6> is not used", "protov6"),
    ("keymap", xml("<keymap>us-acentos</keymap>"), "variant of the keymap us-acentos", "layout us"),
    ("ssh-mode", xml("<ssh-mode>auto</ssh-mode>"), "ssh-mode auto", "ssh is on"),
    ("existing-installation", xml("<existing-installation>sda</existing-installation>"), "<existing-", "upgrade"),
    (
        "existing-installation fs-type",
        xml('<existing-installation fs-type="ext4">a</existing-installation>'),
        "<existing-",
        "upgrade",
    ),
    ("backup-disk", xml("<backup-disk>sda</backup-disk>"), "<backup-disk>", "restore"),
    ("anything", xml("<host-name>x</host-name>"), "<host-name> is unknown", "Did you mean <hostname>?"),
    ("anything", xml("<zzzzzz><a>b</a></zzzzzz>"), "<zzzzzz> is unknown", "does not know it either"),
    ("anything", xml("text"), "the text in <installation>", "Remove it"),
]


@pytest.mark.parametrize(("word", "text", "what", "why"), LEFT_OUT, ids=[case[0] for case in LEFT_OUT])
def test_what_has_no_counterpart_is_listed(word: str, text: str, what: str, why: str) -> None:
    _, errors, _, left_out = outcome(text)
    assert not errors
    assert len(left_out) == 1, left_out
    message, _, hint = left_out[0].partition(" | ")
    assert what in message
    assert why in hint


# Word, answer, what is said.
TRAPS: list[tuple[str, str, str]] = [
    (
        "ui-confirmation-prompt",
        xml("<ui-confirmation-prompt>false</ui-confirmation-prompt>"),
        "XenServer's installer would",
    ),
    (
        "primary-disk guest-storage",
        xml(disk=_primary('guest-storage="1"')),
        "guest-storage='1' is neither true nor false",
    ),
    ("primary-disk", xml(disk="<primary-disk>sda</primary-disk>"), "/dev/sda may be another disk"),
    (
        "admin-interface name",
        xml(nic='<admin-interface name="eth0" hwaddr="52:54:00:12:34:56" proto="dhcp"/>'),
        "by its address 52:54:00:12:34:56",
    ),
    ("hostname", xml().replace("h1", "H1"), "the host name H1 is written in lower case"),
]


@pytest.mark.parametrize(("word", "text", "said"), TRAPS, ids=[case[0] for case in TRAPS])
def test_traps_are_told(word: str, text: str, said: str) -> None:
    _, errors, warnings, left_out = outcome(text)
    assert not errors + left_out
    assert said in warnings[0]


@pytest.mark.parametrize("text", [xml(root=' mode="reinstall"'), xml(disk=_primary('preserve-first-partition="yes"'))])
def test_no_consent_to_erase_what_would_have_been_kept(text: str) -> None:
    data, errors, _, _ = outcome(text)
    assert not errors
    assert "wipe" not in data["disk"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<upgrade/>", "would erase the disk and install anew"),
        ('<upgrade mode="fresh"/>', "would erase the disk and install anew"),
        ('<upgrade mode="upgrade"/>', "this asks to upgrade"),
        ('<installation mode="upgrade"/>', "this asks to upgrade"),
        ('<installation mode="new"/>', "mode='new' is unknown"),
        ("<restore/>", "brings back a backup"),
        (xml('<source type="http"/>'), "type='http' of <source> is unknown"),
        (xml('<script type="url" stage="x"/>'), "stage='x' of <script> is unknown"),
        (xml("<script/>"), "<script> has no stage"),
        (xml(disk="<primary-disk/>"), "<primary-disk> is empty"),
        (xml(disk="<primary-disk>sda,sdb</primary-disk>"), "names several disks"),
        (xml(disk=_primary('fs-type="xfs"')), "fs-type='xfs'"),
        (xml(disk=_primary('preserve-first-partition="x"')), "preserve-first-partition='x'"),
        (xml(disk=_primary('swraid="true"', "missing,missing")), "two disks of a mirror"),
        (xml(disk="<raid><disk>a</disk></raid><primary-disk>md1</primary-disk>"), "<raid> has no device"),
        (xml(nic=_nic('proto="bootp"')), "proto='bootp'"),
        (xml(nic=_nic("")), "has no proto"),
        (xml(nic=_nic('proto="none"')), "needs an address"),
        (xml(nic=_nic('proto="dhcp" vlan="x"')), "vlan='x'"),
        (xml(nic=STATIC.replace("255.255.254.0", "23")), "'23' is not a network mask"),
        (xml(nic=STATIC.replace("gateway", "gate")), "needs <gateway>"),
        (xml(nic=STATIC6.replace("ipv6", "ip6")), "needs <ipv6>"),
        (xml(nic=""), "there is no <admin-interface>"),
        (xml().replace(HASH, "!!"), "locks the account"),
        (xml('<ntp source="dhcp"/><ntp source="dhcp"/>'), "<ntp> is given twice"),
        (xml('<service name="a"/>'), "<service> has no state"),
        (xml('<ssh-mode>off</ssh-mode><service name="sshd" state="enabled"/>'), "both enabled and disabled"),
    ],
)
def test_what_is_wrong(text: str, said: str) -> None:
    _, errors, _, _ = outcome(text)
    assert any(said in error for error in errors), errors


def test_every_word_of_the_reference_is_tried() -> None:
    part = PAGE.read_text().partition("## XenServer and XCP-ng")[2].partition("## Proxmox VE")[0]
    words = set(re.findall(r"^\| `([^`]+)`", part, re.MULTILINE)) - {"upgrade", "restore"}
    tried = {case[0] for case in (*CARRIED, *LEFT_OUT, *TRAPS)} - {"anything"}
    assert words == tried

"""Every key of Proxmox VE's answer files: what becomes of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.unit.spec.test_importers_xenserver import HASH, at
from zeroth.spec.importers.proxmox import read_proxmox
from zeroth.spec.importers.toml_tree import read_toml
from zeroth.spec.problems import Severity, Span
from zeroth.spec.validate import validated

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "imported-answers.md"
_DISK = 'filesystem = "ext4"\ndisk-list = ["/dev/disk/by-id/x"]\n'
_STATIC = 'source = "from-answer"\ncidr = "192.0.2.9/24"\ngateway = "192.0.2.1"\ndns = "192.0.2.53"\n'


def toml(
    settings: str = "", *, disk: str = _DISK, network: str = "", more: str = "", fqdn: str = '"h1.example.com"'
) -> str:
    login = "" if "root-" in settings else f'root-password-hashed = "{HASH}"\n'
    return f"[global]\nfqdn = {fqdn}\n{login}{settings}\n[network]\n{network}\n[disk-setup]\n{disk}\n{more}\n"


def outcome(text: str) -> tuple[Any, list[str], list[str], list[str]]:
    document = read_proxmox(text)
    _, problems = validated(document)
    said = {
        severity: [f"{it.message} | {it.hint}" for it in problems if it.severity is severity] for severity in Severity
    }
    return document.data, said[Severity.ERROR], said[Severity.WARNING], said[Severity.LEFT_OUT]


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
_HOOK = '[post-installation-webhook]\nurl = "https://s.example.com/x"\n'

CARRIED: list[tuple[str, str, str, object]] = [
    ("global.fqdn", toml(), "hostname", "h1.example.com"),
    ("global.keyboard", toml('keyboard = "en-gb"'), "keyboard", "gb"),
    ("global.timezone", toml('timezone = "Europe/Berlin"'), "timezone", "Europe/Berlin"),
    ("global.root-password", toml('root-password = "x y"'), "root.password", "x y"),
    ("global.root-password-hashed", toml(), "root.password_hash", HASH),
    (
        "global.root-password-hashed",
        toml().replace("root-password-hashed", "root_password_hashed"),
        "root.password_hash",
        HASH,
    ),
    ("global.root-ssh-keys", toml(f'root-ssh-keys = ["{KEY}"]'), "root.ssh_keys.0", KEY),
    ("global.reboot-on-error", toml("reboot-on-error = false"), "hostname", "h1.example.com"),
    ("global.reboot-mode", toml('reboot-mode = "power-off"'), "end_action", "poweroff"),
    ("global.reboot-mode", toml('reboot-mode = "reboot"'), "end_action", "reboot"),
    ("network.source", toml(network='source = "from-dhcp"'), "management", None),
    ("network.source", toml(network=_STATIC), "management.address.method", "static"),
    ("network.cidr", toml(network=_STATIC), "management.address.address", "192.0.2.9/24"),
    (
        "network.cidr",
        toml(network=_STATIC.replace("192.0.2.", "2001:db8::")),
        "management.address6.address",
        "2001:db8::9/24",
    ),
    ("network.gateway", toml(network=_STATIC), "management.address.gateway", "192.0.2.1"),
    ("network.dns", toml(network=_STATIC), "management.dns", ["192.0.2.53"]),
    (
        "network.filter",
        toml(network=_STATIC + 'filter.ID_NET_NAME_MAC = "*5254AB123456"'),
        "management.nic",
        "52:54:ab:12:34:56",
    ),
    (
        "network.filter",
        toml(network=_STATIC + 'filter.ID_NET_NAME_MAC = "enx525400123456"'),
        "management.nic",
        "52:54:00:12:34:56",
    ),
    ("network.filter", toml(network=_STATIC + 'filter.ID_NET_NAME = "enp1s0"'), "management.nic", "enp1s0"),
    (
        "network.interface-name-pinning.enabled",
        toml(network="interface-name-pinning.enabled = false"),
        "management",
        None,
    ),
    ("disk-setup.filesystem", toml(), "disk.select", "/dev/disk/by-id/x"),
    ("disk-setup.disk-list", toml(), "disk.wipe", True),
    ("disk-setup.filter", toml(disk='filesystem = "ext4"\nfilter.ID_SERIAL = "*S3Z*"'), "disk.select", "id=*S3Z*"),
    (
        "disk-setup.filter",
        toml(disk='filesystem = "ext4"\nfilter.ID_SERIAL_SHORT = "S3Z[0-9]"'),
        "disk.select",
        "serial=S3Z[0-9]",
    ),
    ("disk-setup.filter", toml(disk='filesystem = "ext4"\nfilter.ID_WWN = "0x5*"'), "disk.wipe", True),
    ("disk-setup.filter", toml(disk='filesystem = "ext4"\nfilter.ID_BUS = "ata"'), "disk.select", "transport=ata"),
    ("disk-setup.filter", toml(disk='filesystem = "ext4"\nfilter.DEVNAME = "/dev/sdb"'), "disk.select", "/dev/sdb"),
]


@pytest.mark.parametrize(("key", "text", "path", "value"), CARRIED, ids=[case[0] for case in CARRIED])
def test_what_is_carried_over(key: str, text: str, path: str, value: object) -> None:
    data, errors, warnings, left_out = outcome(text)
    assert not errors + warnings + left_out
    assert at(data, path) == value


def _zfs(level: str, *disks: str, more: str = "", system: str = "zfs") -> str:
    names = ", ".join(f'"/dev/disk/by-id/{name}"' for name in disks)
    return toml(disk=f'filesystem = "{system}"\n{system}.raid = "{level}"\ndisk-list = [{names}]\n{more}')


LVM = ("hdsize", "swapsize", "maxroot", "maxvz", "minfree")
LEFT_OUT: list[tuple[str, str, str, str]] = [
    ("global.country", toml('country = "de"'), "global.country", "mirror"),
    ("global.mailto", toml('mailto = "a@example.com"'), "global.mailto", "No mail"),
    ("global.keyboard", toml('keyboard = "fr-ch"'), "variant of the keyboard fr-ch", "layout ch"),
    ("global.subscription-key", toml('subscription-key = "x"'), "global.subscription-key", "no subscription"),
    ("global.reboot-on-error", toml("reboot-on-error = true"), "rebooting after a failure", "on_failure"),
    (
        "network.filter",
        toml(network=_STATIC + 'filter.ID_NET_DRIVER = "ixgbe"'),
        "ID_NET_DRIVER = 'ixgbe'",
        "MAC address",
    ),
    ("network.filter", toml(network=_STATIC + 'filter.INTERFACE = "en*"'), "INTERFACE = 'en*'", "MAC address"),
    (
        "network.filter",
        toml(network=_STATIC + 'filter = {INTERFACE = "enp1s0", ID_NET_NAME = "enp2s0"}'),
        "the NIC enp2s0",
        "enp1s0 is taken",
    ),
    (
        "network.interface-name-pinning.enabled",
        toml(network="interface-name-pinning.enabled = true"),
        "interface-name-pinning",
        "kernel's names",
    ),
    (
        "network.interface-name-pinning.mapping",
        toml(network='interface-name-pinning = {enabled = true, mapping = {"52:54:00:00:00:01" = "net0"}}'),
        "interface-name-pinning",
        "kernel's names",
    ),
    ("disk-setup.filesystem", toml(disk=_DISK.replace("ext4", "xfs")), "filesystem: xfs", "read-only image"),
    (
        "disk-setup.filter",
        toml(disk='filesystem = "ext4"\nfilter = {ID_BUS = "ata", ID_PATH = "pci*"}\nfilter-match = "all"'),
        "ID_PATH = 'pci*'",
        "disk.wipe",
    ),
    *((f"disk-setup.lvm.{key}", toml(disk=f"{_DISK}lvm.{key} = 4"), f"lvm.{key}", "published layout") for key in LVM),
    ("first-boot.source", toml(more='[first-boot]\nsource = "from-iso"'), "first-boot", "stage post"),
    (
        "first-boot.ordering",
        toml(more='[first-boot]\nsource = "from-iso"\nordering = "fully-up"'),
        "first-boot",
        "post",
    ),
    (
        "first-boot.url",
        toml(more='[first-boot]\nsource = "from-url"\nurl = "https://x.example.com/"'),
        "first-boot",
        "post",
    ),
    (
        "first-boot.cert-fingerprint",
        toml(more='[first-boot]\nsource = "from-url"\ncert-fingerprint = "aa"'),
        "first-boot",
        "sha256",
    ),
]


@pytest.mark.parametrize(("key", "text", "what", "why"), LEFT_OUT, ids=[case[0] for case in LEFT_OUT])
def test_what_has_no_counterpart_is_listed(key: str, text: str, what: str, why: str) -> None:
    _, errors, _, left_out = outcome(text)
    assert not errors
    assert len(left_out) == 1, left_out
    message, _, hint = left_out[0].partition(" | ")
    assert what in message
    assert why in hint


RAID: list[tuple[str, str, Mapping[str, object], list[str]]] = [
    (
        "disk-setup.zfs.raid",
        _zfs("raid1", "a", "b"),
        {"layout": "mirror", "mirror_with": "/dev/disk/by-id/b"},
        ["zfs"],
    ),
    ("disk-setup.zfs.raid", _zfs("raid0", "a", "b"), {"sr_disks": ["/dev/disk/by-id/b"]}, ["zfs", "raid0"]),
    ("disk-setup.zfs.raid", _zfs("raid0", "a"), {"select": "/dev/disk/by-id/a"}, ["zfs", "raid0"]),
    ("disk-setup.zfs.raid", _zfs("raidz-1", "a", "b", "c"), {"layout": "mirror"}, ["zfs", "raidz-1", "by-id/c"]),
    (
        "disk-setup.btrfs.raid",
        _zfs("raid10", *"abcd", system="btrfs"),
        {"layout": "mirror"},
        ["btrfs", "raid10", "by-id/c", "by-id/d"],
    ),
    *(
        (
            f"disk-setup.zfs.{key}",
            _zfs("raid1", "a", "b", more=f"zfs.{key} = 1"),
            {"wipe": True},
            ["zfs", f"zfs.{key}"],
        )
        for key in ("ashift", "arc-max", "checksum", "compress", "copies", "hdsize")
    ),
    *(
        (
            f"disk-setup.btrfs.{key}",
            _zfs("raid1", "a", "b", more=f"btrfs.{key} = 1", system="btrfs"),
            {"wipe": True},
            ["btrfs", f"btrfs.{key}"],
        )
        for key in ("compress", "hdsize")
    ),
]


@pytest.mark.parametrize(("key", "text", "disk", "lost"), RAID, ids=[case[0] for case in RAID])
def test_raid_levels(key: str, text: str, disk: Mapping[str, object], lost: list[str]) -> None:
    data, errors, warnings, left_out = outcome(text)
    assert not errors + warnings
    assert disk.items() <= data["disk"].items()
    assert len(left_out) == len(lost)
    assert all(any(word in line for line in left_out) for word in lost)


TOLD: list[tuple[str, str, str]] = [
    ("disk-setup.disk-list", toml(disk=_DISK.replace("/dev/disk/by-id/x", "sda")), "/dev/sda may be another disk"),
    (
        "disk-setup.filter-match",
        toml(disk='filesystem = "ext4"\nfilter-match = "all"\nfilter = {ID_BUS = "ata", ID_MODEL = "X*"}'),
        "must fit all patterns",
    ),
    (
        "disk-setup.filter-match",
        toml(disk='filesystem = "ext4"\nfilter = {ID_BUS = "ata", ID_MODEL = "X*"}'),
        "one after the other",
    ),
    ("post-installation-webhook.url", toml(more=_HOOK), "zeroth's own events"),
    (
        "post-installation-webhook.cert-fingerprint",
        toml(more=f'{_HOOK}cert-fingerprint = "{"aa:" * 31}aa"'),
        "own events",
    ),
    ("post-installation-webhook.token", toml(more=f'{_HOOK}token = "t"'), "own events"),
    ("global.fqdn", toml(fqdn='"H1.example.com"'), "in lower case"),
    ("global.fqdn", toml(fqdn='"h1"'), "without a domain"),
]


@pytest.mark.parametrize(("key", "text", "said"), TOLD, ids=[case[0] for case in TOLD])
def test_what_is_told(key: str, text: str, said: str) -> None:
    _, errors, warnings, left_out = outcome(text)
    assert not errors + left_out
    assert len(warnings) == 1
    assert said in warnings[0]


def test_all_patterns_make_one_selector_and_any_several() -> None:
    data = outcome(TOLD[1][1])[0]
    assert data["disk"] == {"select": "transport=ata & model=X*", "wipe": True}
    data = outcome(TOLD[2][1])[0]
    assert data["disk"] == {"select": "transport=ata", "alternatives": ["model=X*"], "wipe": True}


def test_a_lost_pattern_loses_the_consent_to_erase() -> None:
    text = toml(disk='filesystem = "ext4"\nfilter = {ID_BUS = "ata", ID_PATH = "pci*"}\nfilter-match = "all"')
    assert "wipe" not in outcome(text)[0]["disk"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (toml(fqdn='{source = "from-dhcp"}'), "from DHCP has no counterpart"),
        (toml(fqdn='{domain = "x"}'), "fqdn has no source"),
        (toml(fqdn="1"), "fqdn is not text"),
        (toml('root-password = "a"\nroot-password-hashed = "b"'), "given twice, plain and hashed"),
        (toml("root-ssh-keys = []"), "no root password and no ssh key"),
        (toml(network='gateway = "192.0.2.1"'), "for a fixed address, not for DHCP"),
        (toml(network=_STATIC.replace("dns", "dsn")), "Did you mean dns?"),
        (toml(network=_STATIC + "filter.ID_NET_NAME = 1"), "network.filter.ID_NET_NAME is not text"),
        (toml(disk='disk-list = ["sda"]'), "filesystem is missing"),
        (toml(disk='filesystem = "ext4"'), "neither disk-list nor filter"),
        (toml(disk='filesystem = "ext4"\ndisk-list = []'), "names no disk"),
        (toml(disk='filesystem = "ext4"\ndisk-list = ["a", "b"]'), "takes one disk"),
        (toml(disk='filesystem = "zfs"\ndisk-list = ["a"]'), "[disk-setup.zfs] is missing"),
        (toml(disk='filesystem = "zfs"\nzfs.copies = 1\ndisk-list = ["a"]'), "zfs.raid is missing"),
        (toml(disk='filesystem = "ext4"\nfilter = {}'), "holds no pattern"),
        (toml(disk='filesystem = "ext4"\nfilter = {ID_PATH = "x"}'), "no pattern of disk-setup.filter"),
        (toml(more='[post-installation-webhook]\ntoken = "x"'), "webhook.url is missing"),
        (toml(more='[first-boot]\nsource = "x"'), "first-boot.source: 'x'"),
        ("disk-setup = 1", "disk-setup is not a table"),
    ],
)
def test_what_is_wrong(text: str, said: str) -> None:
    _, errors, _, _ = outcome(text)
    assert any(said in error for error in errors), errors


def test_every_key_of_the_reference_is_tried() -> None:
    part = PAGE.read_text().partition("## Proxmox VE")[2]
    keys = set(re.findall(r"^\| `([^`]+)`", part, re.MULTILINE))
    assert keys == {case[0] for case in (*CARRIED, *LEFT_OUT, *RAID, *TOLD)}


def test_places_in_toml() -> None:
    text = (
        "# x\na = 1 # y\n[b]\n'c d' = [\n  1, # one\n"
        '  {e = """\nx]\n""", f.g = 2},\n]\n[[h]]\ni = 1979-05-27 07:32:00\n'
        "[[h]]\n\"\\u0069\" = '''''x'''\n[h.j]\nk = -0.5e3\n"
    )
    data, marks, keys = read_toml(text)
    assert marks["a",] == Span(2, 5, 6)
    assert marks["b",] == Span(3, 2, 3)
    assert keys["b", "c d"] == Span(4, 1, 6)
    assert marks["b", "c d", 0] == Span(5, 3, 4)
    assert marks["b", "c d", 1, "e"] == Span(6, 8, 11)
    assert marks["b", "c d", 1, "f", "g"] == Span(8, 12, 13)
    assert marks["h", 0, "i"] == Span(11, 5, 24)
    assert marks["h", 1, "i"] == Span(13, 12, 21)
    assert marks["h", 1, "j", "k"] == Span(15, 5, 11)
    assert data["h"][1]["j"]["k"] == -500

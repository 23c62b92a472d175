"""Random hosts, and random damage to answer files."""

from __future__ import annotations

import base64
import string
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from hypothesis import strategies as st

from zeroth.spec.model import (
    REVEALED,
    DhcpAddress,
    DiskSpec,
    Dom0Spec,
    EndAction,
    HostSpec,
    ManagementNetwork,
    OnFailure,
    RootLogin,
    StaticAddress,
)
from zeroth.system.size import MIB, Size

LABELS = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
# What gets quoted wrongly, if anything does.
AWKWARD = st.text(
    st.sampled_from(string.ascii_letters + string.digits + " #'\"\\$`=*?[]-_.:,äß!{}&|"), min_size=1, max_size=20
)
SETTLED = AWKWARD.map(str.strip).filter(bool)
BOOT_WORDS = st.from_regex(r"[a-z][a-z0-9_.]{0,10}(=[A-Za-z0-9_.,:=+/@%~*()\[\]-]{1,10})?", fullmatch=True).filter(
    lambda word: word.partition("=")[0] not in ("dom0_mem", "dom0_max_vcpus", "root", "ro", "rw", "boot", "init")
    and not word.startswith("zeroth.")
)


@st.composite
def ssh_keys(draw: st.DrawFn) -> str:
    """A key as ssh-keygen writes it, with a comment or without."""
    name = b"ssh-ed25519"
    blob = len(name).to_bytes(4, "big") + name + (32).to_bytes(4, "big") + draw(st.binary(min_size=32, max_size=32))
    comment = draw(st.none() | SETTLED)
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}" + (f" {comment}" if comment else "")


@st.composite
def static_addresses(draw: st.DrawFn) -> StaticAddress:
    """An address and perhaps a gateway in the same network."""
    prefix = draw(st.integers(8, 30))
    number = draw(st.integers(int(IPv4Address("1.0.0.0")), int(IPv4Address("126.0.0.0"))))
    network = IPv4Network((number, prefix), strict=False)
    first = int(network.network_address) + 1
    last = int(network.broadcast_address) - 1
    own, gateway = draw(st.lists(st.integers(first, last), min_size=2, max_size=2, unique=True))
    data = {"address": f"{IPv4Address(own)}/{prefix}"}
    if draw(st.booleans()):
        data["gateway"] = str(IPv4Address(gateway))
    return StaticAddress.model_validate(data)


@st.composite
def hosts(draw: st.DrawFn) -> HostSpec:
    """Any host that an answer can describe."""
    word = st.text(st.sampled_from("./" + string.ascii_letters + string.digits), min_size=43, max_size=43)
    password = draw(st.none() | word.map(lambda it: f"$y$j9T$saltsaltsalt${it}"))
    keys = draw(st.lists(ssh_keys(), min_size=0 if password else 1, max_size=3))
    nic = st.from_regex(r"[0-9a-f][02468ace](:[0-9a-f]{2}){4}:[0-9a-f]1", fullmatch=True) | st.from_regex(
        r"e[a-z0-9]{1,14}", fullmatch=True
    )
    select = st.sampled_from(["only", "smallest", "largest", "/dev/sda", "/dev/disk/by-id/nvme-X_1"]) | SETTLED.map(
        lambda value: f"serial={value}"
    ).filter(lambda value: not set(",&") & set(value))
    return HostSpec(
        hostname=".".join(draw(st.lists(LABELS.filter(lambda it: it != "localhost"), min_size=1, max_size=2))),
        timezone=draw(st.sampled_from(["Etc/UTC", "Europe/Berlin", "Etc/GMT+3"])),
        keyboard=draw(st.sampled_from(["us", "de", "fr"])),
        root=RootLogin(password_hash=password, ssh_keys=tuple(keys)),
        disk=DiskSpec(select=draw(select), wipe=draw(st.booleans())),
        management=ManagementNetwork(
            nic=draw(st.none() | nic),
            vlan=draw(st.none() | st.integers(1, 4094)),
            address=draw(st.just(DhcpAddress()) | static_addresses()),
            dns=tuple(draw(st.lists(st.integers(1 << 24, 126 << 24).map(IPv4Address), max_size=3))),
            bridge=draw(st.from_regex(r"[a-z][a-z0-9-]{0,14}", fullmatch=True)),
            try_first=draw(st.booleans()),
        ),
        dom0=Dom0Spec(
            memory=Size(draw(st.integers(768, 1 << 20)) * MIB),
            vcpus=draw(st.none() | st.integers(1, 512)),
            xen_append=tuple(draw(st.lists(BOOT_WORDS, max_size=3))),
            linux_append=tuple(draw(st.lists(BOOT_WORDS, max_size=3))),
            serial=draw(st.sampled_from([None, 9600, 57600, 115200])),
        ),
        end_action=draw(st.sampled_from(EndAction)),
        on_failure=draw(st.sampled_from(OnFailure)),
        reinstall=draw(st.booleans()),
    )


_NAME = st.from_regex(r"[a-z][a-z0-9]{1,7}", fullmatch=True)
_TOKEN = st.text(
    st.sampled_from(string.ascii_letters + string.digits + " #'\"\\$,=-"), min_size=1, max_size=12
).filter(lambda it: bool(it.strip()) and it != "***")
_SELECTORS = st.sampled_from(
    [
        "/dev/sdb",
        "ssd",
        "hdd",
        "ssd & size>=400G & smallest",
        "serial=A,B\\C*",
        "model=X Y",
        "transport=nvme & largest",
    ]
)
_STORAGES: st.SearchStrategy[dict[str, Any]] = st.sampled_from([
    {"type": "local", "disks": ["serial=a,b", "/dev/sdc"], "format": "ext4", "wipe": True},
    {"type": "nfs", "server": "nas.example.com", "path": "/a#b", "version": "4.2", "content": "iso",
     "options": "a,b=c"},
    {"type": "iscsi", "portals": ["192.0.2.1", "2001:db8::1"], "target": "iqn.2001-04.com.example:x", "lun": 3,
     "username": "chap", "password": "a b,c", "create": True, "wipe": True},
    {"type": "ocfs2", "disk": "ssd & largest", "cluster": "lab", "heartbeat": "local", "slots": 4, "threshold": 61,
     "create": True},
    {"type": "drbd", "disk": "/dev/sdx", "peer": {"name": "other.example.org", "address": "2001:db8::2"},
     "address": "192.0.2.9", "secret": "x'y", "protocol": "A", "port": 7000},
])  # fmt: skip
_POWERS = st.sampled_from(
    [
        {"wake_on_lan": True, "watchdog": 60, "governor": "performance", "max_cstate": 0},
        {"bmc": {"protocol": "ipmi", "address": "192.0.2.7", "port": 623, "username": "admin", "password": "p 'w"}},
    ]
)
_POOLS = st.sampled_from([
    {"action": "create", "name": "the lab", "description": "a, b # c"},
    {"action": "join", "address": ["xen1.example.com", "192.0.2.3"], "port": 8443, "token": "t o,k", "timeout": 0,
     "certificate": "ab" * 32},
])  # fmt: skip
_VFS = st.sampled_from(
    [
        [{"vlan": 0, "trust": False, "spoof_check": True, "link_state": "enable", "min_rate": 1, "max_rate": 2}],
        [
            {"first": 0, "last": 0},
            {"first": 1, "last": 3, "vlan": 7, "vlan_protocol": "802.1ad", "qos": 0},
            {"first": 4},
        ],
    ]
)
_ADDRESS6 = st.sampled_from([
    {"method": "slaac"}, {"method": "dhcp"}, {"method": "static", "address": "2001:db8::10/64", "gateway": "fe80::1"},
])  # fmt: skip
_BONDS = st.sampled_from(
    [
        {"name": "bond7", "nics": ["y1", "y2"]},
        {
            "nics": ["y1", "52:54:00:12:34:56"],
            "mode": "lacp",
            "lacp_rate": "fast",
            "hashing": "src_mac",
            "fallback": False,
        },
    ]
)
_HOOKS = st.sampled_from([
    {"stage": "pre", "script": "echo don't\n%include x\n  %foo\n#\n|reboot\\\n"},
    {"stage": "pre-install", "script": "x = 'a\n", "interpreter": "/usr/bin/python3", "ok": [0, 3], "timeout": 5},
    {"stage": "post", "script": "\n\ntrue", "nochroot": True, "must_succeed": True},
    {"stage": "onerror", "url": "https://server.example.com/a%20b", "sha256": "cd" * 32},
])  # fmt: skip


@st.composite
def whole_hosts(draw: st.DrawFn) -> HostSpec:
    """Any host with everything that HostSpec has, or some of it."""
    data = draw(hosts()).model_dump(mode="json", context=REVEALED)
    data["hostname"] = "xen1.example.com"

    def perhaps(target: dict[str, Any], name: str, strategy: st.SearchStrategy[Any]) -> None:
        if draw(st.booleans()):
            target[name] = draw(strategy)

    perhaps(data, "locale", st.just("de_DE.UTF-8@euro"))
    perhaps(data, "ntp", st.sampled_from([
        {"enabled": False}, {"servers": ["ntp1.example.com", "2001:db8::7"], "pools": ["pool.example.com"]},
        {"from_dhcp": False},
    ]))  # fmt: skip
    disk = data["disk"]
    disk["select"] = draw(_SELECTORS)
    for name in ("alternatives", "ignore"):
        perhaps(disk, name, st.lists(_SELECTORS, min_size=1, max_size=3))
    if not disk["wipe"]:
        perhaps(disk, "wipe_disks", st.lists(_SELECTORS, min_size=1, max_size=3))
    if draw(st.booleans()):
        disk["layout"] = "mirror"
        perhaps(disk, "mirror_with", st.sampled_from(["missing", "/dev/sdm"]))
    rests: list[dict[str, Any]] = [
        {}, {"local_sr": "none"}, {"keep_sr": True}, {"local_sr": "ext4", "sr_disks": ["serial=x,y", "hdd"]},
    ]  # fmt: skip
    disk |= draw(st.sampled_from(rests))
    management = data["management"]
    if draw(st.booleans()):
        management |= {"nic": None, "bond": draw(_BONDS)}
    perhaps(management, "address6", _ADDRESS6)
    if management["address6"]["method"] != "none" and draw(st.booleans()):
        management["address"] = {"method": "none"}
    perhaps(management, "mtu", st.integers(1280, 9216))
    perhaps(management, "search", st.just(["example.com", "example.org"]))
    management["bridge"] = "xenbr0"
    if draw(st.booleans()):
        data["networks"] = [
            {"name": "st, 1", "nic": "z0", "purposes": ["storage", "migration"], "mtu": 9000,
             "address": {"method": "static", "address": "198.51.100.9/24"}},
            {"name": "guests", "bond": {"name": "bond8", "nics": ["z1", "z2"]}, "purposes": ["guests"], "vlan": 4,
             "bridge": "guestbr"},
            {"name": "six", "nic": "bond8", "purposes": ["storage"], "address6": draw(st.just({"method": "slaac"}))},
        ]  # fmt: skip
    if draw(st.booleans()):
        key = draw(ssh_keys())
        data["users"] = [
            {"name": "alice", "gecos": "Alice Äxample", "admin": True, "shell": "/bin/sh", "ssh_keys": [key]},
            {"name": draw(_NAME.map(lambda it: f"b{it}x")), "password_hash": "$6$salt$" + "x" * 86, "ssh_keys": [key]},
        ]
    perhaps(data, "sriov", st.builds(
        lambda settings: [{"nic": "q0", "functions": "max", "purpose": "host", "settings": settings},
                          {"nic": "52:54:00:00:00:09", "functions": 4}], _VFS,
    ))  # fmt: skip
    names = draw(st.lists(_TOKEN.map(str.strip), max_size=3, unique=True))
    data["storage"] = [{**draw(_STORAGES), "name": name} for name in names]
    perhaps(data, "proxy", st.builds(
        lambda secret: {"url": "http://proxy.example.com:3128", "username": "me", "password": secret,
                        "exceptions": [".example.com", "192.0.2.0/24"]}, _TOKEN,
    ))  # fmt: skip
    perhaps(data, "power", _POWERS)
    perhaps(data, "pool", _POOLS)
    perhaps(data, "services", st.just({"enable": ["ssh.service", "a@b.timer"], "disable": ["open-iscsi.service"]}))
    data["hooks"] = draw(st.lists(_HOOKS, max_size=3))
    perhaps(data, "notify", st.builds(
        lambda secret: {"webhooks": [{"url": "https://t.example.com/x", "secret": secret, "token": secret,
                                      "certificate": "ef" * 32, "progress": False}],
                        "syslog": [{"server": "192.0.2.8", "protocol": "tls", "port": 99}, {"server": "log"}]}, _TOKEN,
    ))  # fmt: skip
    if not disk["wipe"] and not disk["wipe_disks"] and draw(st.booleans()):
        data |= {"mode": "upgrade", "allow_downgrade": draw(st.booleans())}
    return HostSpec.model_validate(data)


@st.composite
def damaged(draw: st.DrawFn, texts: list[str]) -> str:
    """One of some texts with up to five pieces taken out, put in, doubled or swapped."""
    text = draw(st.sampled_from(texts))
    pieces = st.sampled_from(
        ['"', "'", "\\", "#", "--", "=", "%", "\n", "\t", ": ", "- ", "{", "[", "}", "&a", "*a", "0", "é"]
    )
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 30)))
        put = draw(st.one_of(st.just(""), pieces, st.text(max_size=5), st.just(text[start:end] * 2)))
        text = text[:start] + put + text[end:]
    return text

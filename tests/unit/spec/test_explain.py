"""The explanation leaves nothing out: whatever is changed in a host changes what is said about it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from zeroth.spec import AnswerText, load_answer
from zeroth.spec.explain import explained
from zeroth.spec.model import REVEALED, HostSpec
from zeroth.spec.validate import models_in

EVERYTHING = Path(__file__).parents[2] / "answers" / "good" / "everything.yaml"
_TAGS = ("method", "type", "action")
_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK/pYT0+/d8DMz4Mrk4yZxaLEUQmkWcDabXMx4VEX7oS admin@example.com"
_OTHER = _KEY.replace("admin", "other")
_HASH = "$y$j9T$tAhDGhwwsUzn5xyXdGblI1$2dItBn9gul2z3a2IzhLmUxY18EKNw0tD7KQ.PjYI.ZD"
_SHA, _SHB = "ab" * 32, "cd" * 32
_Data = dict[str, Any]

UNTOLD = {
    "schema_version": "of the file, not of the host",
    "root.password": "a secret; an answer that is loaded has its hash instead",
    "users.password": "as that of root",
    "proxy.password": "a secret: the username tells that there is one",
    "storage.iscsi.password": "as that of the proxy",
    "storage.drbd.secret": "a secret, and every DRBD resource has one",
    "power.bmc.password": "a secret, and every BMC has one",
    "pool.join.token": "a secret, and who joins has one",
    "management.address.none.method": "each way to get an address is told by its own words (and so on below)",
}


def _net(it: _Data) -> _Data:
    return {"networks": [{"name": "a", "purposes": ["guests"], "vlan": 5, **it}]}


def _bond(it: _Data) -> _Data:
    return {"management": {"bond": {"nics": ["eth0", "eth1"], "mode": "lacp", **it}}}


def _netbond(it: _Data) -> _Data:
    return _net({"bond": {"nics": ["eth0", "eth1"], "mode": "lacp", **it}})


def _vf(it: _Data) -> _Data:
    return {"sriov": [{"nic": "eth0", "functions": 8, "settings": [{"vlan": 7, **it}]}]}


def _sr(kind: str, **base: Any) -> Callable[[_Data], _Data]:  # noqa: ANN401 - JSON
    return lambda it: {"storage": [{"type": kind, "name": "a", **base, **it}]}


# Where the settings of a group stand, with what they need beside them.
GROUPS: dict[str, Callable[[_Data], _Data]] = {
    "": lambda it: it,
    "root": lambda it: {"root": {"ssh_keys": [_KEY], **it}},
    "users": lambda it: {"users": [{"name": "ops", "ssh_keys": [_KEY], **it}]},
    "disk": lambda it: {"disk": it},
    "management": lambda it: {"management": it},
    "management.bond": _bond,
    "management.address.static": lambda it: {"management": {"address": {
        "method": "static", "address": "192.0.2.10/24", **it}}},
    "management.address6.static": lambda it: {"management": {"address6": {
        "method": "static", "address": "2001:db8::1/64", **it}}},
    "networks": _net,
    "networks.bond": _netbond,
    "networks.address.static": lambda it: _net({"address": {"method": "static", "address": "192.0.2.10/24", **it}}),
    "networks.address6.static": lambda it: _net({"address6": {"method": "static", "address": "2001:db8::1/64", **it}}),
    "ntp": lambda it: {"ntp": it},
    "proxy": lambda it: {"proxy": {"url": "http://proxy:3128", **it}},
    "sriov": lambda it: {"sriov": [{"nic": "eth0", "functions": 8, **it}]},
    "sriov.settings": _vf,
    "storage.local": _sr("local", disks=["/dev/sdb"]),
    "storage.nfs": _sr("nfs", server="nas", path="/a"),
    "storage.iscsi": _sr("iscsi", portals=["192.0.2.1"], target="iqn.2001-04.com.example:a"),
    "storage.ocfs2": _sr("ocfs2", disk="/dev/sdb", cluster="c"),
    "storage.ocfs2.nodes": lambda it: _sr("ocfs2", disk="/dev/sdb", cluster="c")(
        {"nodes": [{"name": "xen1", "address": "192.0.2.1"}, {"name": "xen2", "address": "192.0.2.2", **it}]}),
    "storage.drbd": _sr("drbd", peer={"name": "xen2", "address": "192.0.2.2"}, disk="/dev/sdb", secret="s3"),
    "storage.drbd.peer": lambda it: _sr("drbd", disk="/dev/sdb", secret="s3")(
        {"peer": {"name": "xen2", "address": "192.0.2.2", **it}}),
    "power": lambda it: {"power": it},
    "power.bmc": lambda it: {"power": {"bmc": {"address": "bmc", "username": "u", "password": "p", **it}}},
    "pool.create": lambda it: {"pool": {"action": "create", "name": "lab", **it}},
    "pool.join": lambda it: {"pool": {"action": "join", "address": ["a"], "token": "t", "certificate": _SHA, **it}},
    "dom0": lambda it: {"dom0": it},
    "services": lambda it: {"services": it},
    "hooks": lambda it: {"hooks": [{"stage": "post", **({} if "url" in it else {"script": "true"}), **it}]},
    "notify.webhooks": lambda it: {"notify": {"webhooks": [{"url": "https://a", **it}]}},
    "notify.syslog": lambda it: {"notify": {"syslog": [{"server": "log", **it}]}},
}  # fmt: skip
_BOND = {"name": ("bond0", "bond1"), "mode": ("active-backup", "balance-slb"),
         "nics": (["eth0", "eth1"], ["eth0", "eth2"]), "lacp_rate": ("slow", "fast"),
         "hashing": ("tcpudp_ports", "src_mac"), "fallback": (True, False)}  # fmt: skip
_NETWORK = {"nic": (None, "eth0"), "vlan": (6, 7), "mtu": (None, 9000)}
_STATIC = {"address": ("192.0.2.10/24", "192.0.2.11/24"), "gateway": (None, "192.0.2.1")}
_STATIC6 = {"address": ("2001:db8::1/64", "2001:db8::2/64"), "gateway": (None, "fe80::1")}
_SR = {"name": ("a", "b"), "default": (False, True)}
_MADE = {"create": (False, True), "wipe": ({"create": True}, {"create": True, "wipe": True})}
# Two values of each setting; where something must stand beside it, the group's settings as a whole.
CHANGES: dict[str, dict[str, tuple[Any, Any]]] = {
    "": {"hostname": ("xen1", "xen2"), "locale": ("C.UTF-8", "de_DE.UTF-8"), "timezone": ("Etc/UTC", "Europe/Paris"),
         "keyboard": ("us", "de"), "end_action": ("reboot", "halt"), "on_failure": ("shell", "poweroff"),
         "mode": ("install", "upgrade"), "reinstall": (False, True),
         "allow_downgrade": ({"mode": "upgrade"}, {"mode": "upgrade", "allow_downgrade": True})},
    "root": {"password_hash": (None, _HASH), "ssh_keys": ([_KEY], [_OTHER])},
    "users": {"name": ("ops", "dev"), "gecos": ("", "Somebody"), "admin": (False, True),
              "shell": ("/bin/bash", "/bin/sh"), "password_hash": (None, _HASH), "ssh_keys": ([_KEY], [_OTHER])},
    "disk": {"select": ("only", "ssd & size>=400G & smallest"), "alternatives": ([], ["serial=A*"]),
             "ignore": ([], ["transport=usb"]), "wipe": (False, True), "wipe_disks": ([], ["/dev/sda"]),
             "layout": ("single", "mirror"), "local_sr": ("lvm", "none"), "keep_sr": (False, True),
             "mirror_with": ({"layout": "mirror"}, {"layout": "mirror", "mirror_with": "missing"}),
             "sr_disks": ([], ["/dev/sdb"])},
    "management": {**_NETWORK, "dns": ([], ["192.0.2.53"]), "search": ([], ["example.com"]),
                   "bridge": ("xenbr0", "xenbr1"), "try_first": (True, False)},
    "management.bond": _BOND, "management.address.static": _STATIC, "management.address6.static": _STATIC6,
    "networks": {**_NETWORK, "name": ("a", "b"), "bridge": (None, "br9"),
                 "purposes": ({"address6": {"method": "slaac"}, "purposes": ["storage"]},
                              {"address6": {"method": "slaac"}, "purposes": ["migration"]})},
    "networks.bond": _BOND, "networks.address.static": {"address": _STATIC["address"]},
    "networks.address6.static": {"address": _STATIC6["address"]},
    "ntp": {"enabled": (True, False), "servers": ([], ["ntp1"]), "pools": ([], ["pool.example.com"]),
            "from_dhcp": (True, False)},
    "proxy": {"url": ("http://a", "http://b"), "exceptions": ([], [".example.com"]),
              "username": ({}, {"username": "u", "password": "p"})},
    "sriov": {"nic": ("eth0", "eth1"), "functions": (8, "max"), "purpose": ("guests", "host")},
    "sriov.settings": {"first": (None, 0), "last": ({"first": 0}, {"first": 0, "last": 3}), "vlan": (7, 0),
                       "vlan_protocol": ("802.1Q", "802.1ad"), "qos": (None, 3), "spoof_check": (None, False),
                       "trust": (None, True), "link_state": (None, "disable"), "min_rate": (None, 5),
                       "max_rate": (None, 5)},
    "storage.local": {**_SR, "disks": (["/dev/sdb"], ["/dev/sdc"]), "format": ("lvm", "ext4"), "wipe": (False, True)},
    "storage.nfs": {**_SR, "server": ("nas", "nas2"), "path": ("/a", "/b"), "version": ("4.1", "3"),
                    "content": ("disks", "iso"), "options": ("", "soft")},
    "storage.iscsi": {**_SR, **_MADE, "portals": (["192.0.2.1"], ["192.0.2.2"]), "port": (3260, 3261), "lun": (0, 1),
                      "target": ("iqn.2001-04.com.example:a", "iqn.2001-04.com.example:b"),
                      "username": ({}, {"username": "u", "password": "p"})},
    "storage.ocfs2": {**_SR, **_MADE, "disk": ("/dev/sdb", "/dev/sdc"), "cluster": ("c", "d"), "slots": (16, 8),
                      "heartbeat": ("global", "local"), "threshold": (31, 61)},
    "storage.ocfs2.nodes": {"name": ("xen2", "xen3"), "address": ("192.0.2.2", "192.0.2.3")},
    "storage.drbd": {**_SR, **_MADE, "disk": ("/dev/sdb", "/dev/sdc"), "address": (None, "192.0.2.1"),
                     "port": (7788, 7789), "protocol": ("C", "A")},
    "storage.drbd.peer": {"name": ("xen2", "xen3"), "address": ("192.0.2.2", "192.0.2.3")},
    "power": {"wake_on_lan": (False, True), "watchdog": (None, 60), "governor": (None, "powersave"),
              "max_cstate": (None, 0)},
    "power.bmc": {"protocol": ("redfish", "ipmi"), "address": ("bmc", "bmc2"), "port": (None, 444),
                  "username": ("u", "v"), "certificate": (None, _SHA)},
    "pool.create": {"name": ("lab", "live"), "description": ("", "of the lab")},
    "pool.join": {"address": (["a"], ["a", "b"]), "port": (443, 444), "certificate": (_SHA, _SHB),
                  "timeout": (600, 60)},
    "dom0": {"memory": ("2 GiB", "3 GiB"), "vcpus": (None, 2), "xen_append": ([], ["ucode=scan"]),
             "linux_append": ([], ["quiet"]), "serial": (115200, None)},
    "services": {"enable": ([], ["lldpd"]), "disable": ([], ["ssh"])},
    "hooks": {"stage": ("pre", "pre-install"), "script": ("true", "false"), "interpreter": ("/bin/sh", "/bin/bash"),
              "timeout": (600, 60), "ok": ([0], [0, 3]), "must_succeed": (False, True), "nochroot": (False, True),
              "url": ({"url": "https://a", "sha256": _SHA}, {"url": "https://b", "sha256": _SHA}),
              "sha256": ({"url": "https://a", "sha256": _SHA}, {"url": "https://a", "sha256": _SHB})},
    "notify.webhooks": {"url": ("https://a", "https://b"), "secret": (None, "s"), "token": (None, "t"),
                        "certificate": (None, _SHA), "progress": (True, False)},
    "notify.syslog": {"server": ("log", "log2"), "protocol": ("udp", "tls"), "port": (None, 515)},
}  # fmt: skip


def _leaves(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every setting by its path; the kinds of a union are told apart by their tag."""
    for name, field in model.model_fields.items():
        path = f"{prefix}.{name}".lstrip(".")
        inner = models_in(field.annotation)
        if not inner:
            yield path
        for part in inner:
            tag = next((part.model_fields[it].default for it in _TAGS if it in part.model_fields), "")
            yield from _leaves(part, f"{path}.{tag}".rstrip("."))


def test_no_setting_is_forgotten() -> None:
    told = {f"{group}.{name}".lstrip(".") for group, names in CHANGES.items() for name in names}
    wanted = {leaf for leaf in _leaves(HostSpec) if leaf.rpartition(".")[2] not in _TAGS}
    # A gateway belongs to the management network alone.
    impossible = {"networks.address.static.gateway", "networks.address6.static.gateway"}
    assert told | {leaf for leaf in UNTOLD if leaf.rpartition(".")[2] not in _TAGS} == wanted - impossible
    assert not told & set(UNTOLD)


@pytest.mark.parametrize(
    ("group", "name"), [(group, name) for group, names in CHANGES.items() for name in names], ids=str
)
def test_what_is_changed_is_told(group: str, name: str) -> None:
    one, other = (_told(group, name, value) for value in CHANGES[group][name])
    assert one != other


_WAYS = {
    "management.address": ("dhcp", "static", "none"), "management.address6": ("none", "slaac", "dhcp", "static"),
    "networks.address": ("none", "dhcp", "static"), "networks.address6": ("none", "slaac", "dhcp", "static"),
}  # fmt: skip


@pytest.mark.parametrize("where", _WAYS)
def test_ways_to_an_address_are_told_apart(where: str) -> None:
    part, field = where.split(".")
    fixed = {"address": "192.0.2.1/24", "address6": "2001:db8::1/64"}
    other = {"address": "address6", "address6": "address"}[field]
    told = set()
    for way in _WAYS[where]:
        address = {"method": way, **({"address": fixed[field]} if way == "static" else {})}
        told.add(json.dumps(_rows(GROUPS[part]({field: address, other: {"method": "dhcp"}}))))
    assert len(told) == len(_WAYS[where])


def test_no_topic_comes_twice_and_no_secret_is_told() -> None:
    spec = load_answer(AnswerText.from_file(EVERYTHING))
    rows = explained(spec)
    assert len(dict(rows)) == len(rows)
    text = json.dumps(rows)
    for secret in ("proxy-secret", "chap-secret", "drbd-secret", "bmc-secret", "join-secret", "sign-secret",
                   "bearer-secret", "$y$", "before anything else"):  # fmt: skip
        assert secret in spec.model_dump_json(context=REVEALED).replace("\\", "")
        assert secret not in text


def test_it_reads_as_people_speak() -> None:
    rows = dict(explained(load_answer(AnswerText.from_file(EVERYTHING))))
    assert rows["Disk"].startswith(
        "the smallest SSD disk of at least 400 GiB; if there is none, the one disk of at most 2 TB whose "
    )
    assert rows["Network"].startswith(
        "bond bond0 of the NICs 52:54:00:12:34:56 and 52:54:00:12:34:57 (LACP with the switch, fast rate, spread by "
        "src_mac; until the switch answers it is down), VLAN 100, MTU 9000, on the bridge xenbr1"
    )
    assert rows["User ops"] == "Operations, with a password, shell /bin/sh; may become root (sudo)"
    assert rows["Not done"].startswith("by this version: ")


def _told(group: str, name: str, value: Any) -> dict[str, str]:  # noqa: ANN401 - JSON
    return _rows(GROUPS[group](value if isinstance(value, dict) else {name: value}))


def _rows(data: _Data) -> dict[str, str]:
    text = json.dumps({"hostname": "xen1", "root": {"ssh_keys": [_KEY]}, **data})
    # What is not done yet is told as well, and would hide what is forgotten.
    return {topic: text for topic, text in explained(load_answer(AnswerText(text, "a.json"))) if topic != "Not done"}

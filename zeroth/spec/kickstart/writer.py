"""A HostSpec written as kickstart; reading it gives the same HostSpec again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from zeroth.spec.kickstart.entries import Kind, Option
from zeroth.spec.kickstart.vocabulary import command_named
from zeroth.spec.kickstart.words import join_list
from zeroth.spec.model import (
    REVEALED,
    Dhcp6Address,
    DhcpAddress,
    HostSpec,
    Layout,
    ManagementNetwork,
    NetworkSpec,
    NoAddress,
    PowerSpec,
    RunMode,
    ServicesSpec,
    SlaacAddress,
    Static6Address,
    StaticAddress,
)

__all__ = ["kickstart_text"]


def kickstart_text(spec: HostSpec) -> str:
    """The kickstart file for a host. It holds its secrets: treat it as one."""
    data = spec.model_dump(mode="json", context=REVEALED)
    lines = [
        f"lang {spec.locale}",
        f"keyboard {spec.keyboard}",
        f"timezone {spec.timezone} --utc",
        *(f"timesource {_option('--ntp-server', server)}" for server in spec.ntp.servers),
        *(f"timesource {_option('--ntp-pool', pool)}" for pool in spec.ntp.pools),
        *([] if spec.ntp.enabled else ["timesource --ntp-disable"]),
        *([] if spec.ntp.from_dhcp else ["timesource --no-dhcp"]),
        *_root(spec),
        *(line for user in data["users"] for line in _user(user)),
        _network(spec.management, spec.hostname),
        *(_network(network) for network in spec.networks),
        *_disk(data["disk"]),
        *(line for card in data["sriov"] for line in _sriov(card)),
        *(_line("sr", sr) for sr in data["storage"]),
        *([_line("proxy", data["proxy"])] if spec.proxy else []),
        *([_line("power", data["power"])] if spec.power != PowerSpec() else []),
        *([_line("pool", data["pool"])] if spec.pool else []),
        *([_line("services", data["services"])] if spec.services != ServicesSpec() else []),
        *(_line("webhook", webhook) for webhook in data["notify"]["webhooks"]),
        *(_line("logging", target) for target in data["notify"]["syslog"]),
        _xen(spec),
        *(
            ["upgrade" + (" --allow-downgrade" if spec.allow_downgrade else "")]
            if spec.mode is RunMode.UPGRADE
            else []
        ),
        str(spec.end_action),
        f"onfailure --{spec.on_failure}",
        *(["reinstall"] if spec.reinstall else []),
        *(f"{_line('%' + hook['stage'], hook)}\n{hook['script'] or ''}%end" for hook in data["hooks"]),
    ]
    return "\n".join(lines) + "\n"


def _line(name: str, data: Mapping[str, Any], *more: str) -> str:
    """A command with the options whose fields are set."""
    command = command_named(name)
    assert command
    return " ".join([name, *more, *(word for option in command.options for word in _words(option, data))])


def _words(option: Option, data: Mapping[str, Any]) -> list[str]:
    value: Any = data if option.field else None
    for part in option.field.split(".") if option.field else ():
        value = value.get(part) if value else None
    if value is None or value == [] or value == "":
        return []
    match option.kind:
        case Kind.ON | Kind.OFF:
            return [option.name] if value is (option.kind is Kind.ON) else []
        case Kind.YES_NO:
            return [f"{option.name}={'yes' if value else 'no'}"]
        case Kind.LIST | Kind.DISKS | Kind.NUMBERS:
            return [_option(option.name, join_list(value))]
        case Kind.PAIRS:
            return [_option(option.name, join_list(f"{it['name']}={it['address']}" for it in value))]
    return [_option(option.name, value)]


def _user(user: Mapping[str, Any]) -> list[str]:
    more = ["--groups=sudo"] if user["admin"] else []
    if user["password_hash"]:
        more += ["--iscrypted", _option("--password", user["password_hash"])]
    name = user["name"]
    return [_line("user", user, *more),
            *(f"sshkey --username={name} {shlex.quote(key)}" for key in user["ssh_keys"])]  # fmt: skip


def _disk(disk: Mapping[str, Any]) -> list[str]:
    lines = [_line("ignoredisk", disk)]
    if disk["wipe"]:
        lines.append("clearpart --all --initlabel")
    elif disk["wipe_disks"]:
        lines.append(_line("clearpart", disk, "--all", "--initlabel"))
    if disk["layout"] == Layout.MIRROR:
        lines.append(_line("mirror", disk))
    return [*lines, _line("localsr", disk)]


def _sriov(card: Mapping[str, Any]) -> list[str]:
    lines = [_line("sriov", card)]
    for settings in card["settings"]:
        first, last = settings["first"], settings["last"]
        which = [] if first is None else [f"--range={first}" + ("" if last is None else f"-{last}")]
        lines.append(_line("vf", settings, _option("--nic", card["nic"]), *which))
    return lines


def _option(name: str, value: object) -> str:
    return f"{name}={shlex.quote(str(value))}"


def _root(spec: HostSpec) -> list[str]:
    root = spec.root
    if root.password_hash:
        password = f"rootpw --iscrypted {shlex.quote(root.password_hash)}"
    elif root.password:
        password = f"rootpw --plaintext {shlex.quote(root.password.get_secret_value())}"
    else:
        password = "rootpw --lock"  # noqa: S105 - not a password
    return [password, *(f"sshkey --username=root {shlex.quote(key)}" for key in root.ssh_keys)]


def _network(network: ManagementNetwork | NetworkSpec, hostname: str = "") -> str:
    words = [_option("--hostname", hostname)] if hostname else []
    if network.bond:
        bond = network.bond
        words += [_option("--device", bond.name), _option("--bondslaves", join_list(bond.nics))]
        fallback = "yes" if bond.fallback else "no"
        options = f"mode={bond.mode},lacp_rate={bond.lacp_rate},hashing={bond.hashing},fallback={fallback}"
        words.append(_option("--bondopts", options))
    else:
        words.append(_option("--device", network.nic or "link"))
    if network.vlan:
        words.append(_option("--vlanid", network.vlan))
    words += [*_address(network.address), *_address6(network.address6)]
    if isinstance(network, ManagementNetwork):
        for option, values in (("--nameserver", network.dns), ("--ipv4-dns-search", network.search)):
            words += [_option(option, join_list(values))] if values else []
    if network.bridge:
        words.append(_option("--bridge", network.bridge))
    return _line("network", network.model_dump(mode="json"), *words)


def _address(address: NoAddress | DhcpAddress | StaticAddress) -> list[str]:
    if isinstance(address, NoAddress):
        return ["--noipv4"]
    words = [_option("--bootproto", address.method)]
    if isinstance(address, StaticAddress):
        words += [_option("--ip", address.address.ip), _option("--netmask", address.address.netmask)]
        words += [_option("--gateway", address.gateway)] if address.gateway else []
    return words


def _address6(address: NoAddress | SlaacAddress | Dhcp6Address | Static6Address) -> list[str]:
    if isinstance(address, Static6Address):
        gateway = [_option("--ipv6gateway", address.gateway)] if address.gateway else []
        return [_option("--ipv6", address.address), *gateway]
    words = {"none": [], "slaac": ["--ipv6=auto"], "dhcp": ["--ipv6=dhcp"]}
    return words[address.method]


def _xen(spec: HostSpec) -> str:
    dom0 = spec.dom0
    words = ["xen", _option("--dom0-mem", str(dom0.memory).replace(" ", ""))]
    if dom0.vcpus:
        words.append(_option("--dom0-vcpus", dom0.vcpus))
    if dom0.xen_append:
        words.append(_option("--xen-append", " ".join(dom0.xen_append)))
    if dom0.linux_append:
        words.append(_option("--dom0-append", " ".join(dom0.linux_append)))
    return " ".join([*words, _option("--serial", dom0.serial or "none")])

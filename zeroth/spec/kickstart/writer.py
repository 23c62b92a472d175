"""A HostSpec written as kickstart; reading it gives the same HostSpec again."""

from __future__ import annotations

import shlex

from zeroth.spec.model import HostSpec, StaticAddress

__all__ = ["kickstart_text"]


def kickstart_text(spec: HostSpec) -> str:
    """The kickstart file for a host, every setting spelt out. It holds the password's hash: treat it as a secret."""
    lines = [
        f"keyboard {spec.keyboard}",
        f"timezone {spec.timezone} --utc",
        *_root(spec),
        _network(spec),
        f"ignoredisk {_option('--only-use', spec.disk.select)}",
        *(["clearpart --all --initlabel"] if spec.disk.wipe else []),
        _xen(spec),
        str(spec.end_action),
        f"onfailure --{spec.on_failure}",
        *(["reinstall"] if spec.reinstall else []),
    ]
    return "\n".join(lines) + "\n"


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


def _network(spec: HostSpec) -> str:
    management = spec.management
    words = ["network", _option("--hostname", spec.hostname)]
    if management.nic:
        words.append(_option("--device", management.nic))
    if management.vlan:
        words.append(_option("--vlanid", management.vlan))
    words.append(_option("--bootproto", management.address.method))
    if isinstance(management.address, StaticAddress):
        address = management.address.address
        words += [_option("--ip", address.ip), _option("--netmask", address.netmask)]
        if management.address.gateway:
            words.append(_option("--gateway", management.address.gateway))
    if management.dns:
        words.append(_option("--nameserver", ",".join(map(str, management.dns))))
    return " ".join([*words, _option("--bridge", management.bridge)])


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

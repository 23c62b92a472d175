"""The types of HostSpec's fields: what a host name, a NIC, a disk selector or a hash must look like."""

from __future__ import annotations

import base64
import binascii
import re
from ipaddress import IPv4Address
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

__all__ = [
    "BootWord",
    "BridgeName",
    "DiskSelector",
    "HostAddress",
    "HostName",
    "KeyboardLayout",
    "LinuxWord",
    "NicName",
    "PasswordHash",
    "SerialSpeed",
    "SshKey",
    "TimeZone",
    "XenWord",
]

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
# Linux: at most 15 characters, no slash, no space; we ask for the plain ones.
_KERNEL_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,14}")
# The OpenSSH names of public keys.
_KEY_TYPES = (
    "ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
)  # fmt: skip
# crypt(5): method, parameters, salt, and a hash of the method's own length. "!" or "*" would lock the account.
_HASH = re.compile(
    r"\$5\$(rounds=[0-9]+\$)?[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{43}"
    r"|\$6\$(rounds=[0-9]+\$)?[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{86}"
    r"|\$g?y\$[./0-9A-Za-z]+\$[./0-9A-Za-z]{1,86}\$[./0-9A-Za-z]{43}"
    r"|\$2[aby]\$[0-9]{2}\$[./0-9A-Za-z]{53}"
    r"|\$7\$[./0-9A-Za-z]{11,97}\$[./0-9A-Za-z]{43}"
)
# What ends up in a GRUB menu: nothing that its script language could take for its own.
_BOOT_WORD = re.compile(r"[A-Za-z0-9_.,:=+/@%~*()\[\]-]+")
_OWN_XEN = {"dom0_mem": "dom0.memory", "dom0_max_vcpus": "dom0.vcpus"}
_OWN_LINUX = {"root": "", "ro": "", "rw": "", "boot": "", "init": ""}
_SPEEDS = (9600, 19200, 38400, 57600, 115200)


def _host_name(text: str) -> str:
    if text in ("localhost", "localhost.localdomain"):
        raise ValueError(f"{text!r} is what every machine calls itself: give the host a name of its own")
    if text.replace(".", "").isdigit():
        raise ValueError(f"{text!r} would be taken for a number or an address")
    return text


def _nic(text: str) -> str:
    lowered = text.lower().replace("-", ":") if len(text) == 17 else text
    if _MAC.fullmatch(lowered):
        if int(lowered[:2], 16) & 1:
            raise ValueError(f"{text!r} is a group address, not that of a NIC")
        if lowered == "00:00:00:00:00:00":
            raise ValueError(f"{text!r} is not the address of a NIC")
        return lowered
    if ":" in text:
        raise ValueError(f"{text!r} is not a MAC address: write six pairs, as in 52:54:00:12:34:56")
    if not _KERNEL_NAME.fullmatch(text) or text == "lo":
        raise ValueError(f"{text!r} is neither a MAC address nor a kernel name such as enp1s0")
    return text


def _ssh_key(text: str) -> str:
    words = text.split(" ", 2)
    if len(words) < 2 or words[0] not in _KEY_TYPES or "\n" in text or "\r" in text:
        raise ValueError(
            f"this is not a public ssh key: it begins with one of {', '.join(_KEY_TYPES[:3])}, ... and a key"
        )
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("the ssh key is damaged: its second word is not base64") from None
    # RFC 4253 6.6: the blob begins with the length and the name of its type.
    name = words[0].encode()
    if blob[:4] != len(name).to_bytes(4, "big") or blob[4 : 4 + len(name)] != name or len(blob) < len(name) + 36:
        raise ValueError(f"the ssh key is damaged: it is not of the type {words[0]}, or cut short")
    if not text.isprintable():
        raise ValueError("the ssh key's comment holds unprintable characters")
    return text


def _password_hash(text: str) -> str:
    if not _HASH.fullmatch(text):
        raise ValueError("this is not a password hash of a kind that is accepted (yescrypt $y$, SHA-512 $6$, ...)")
    return text


def _disk(text: str) -> str:
    if text in ("only", "smallest", "largest"):
        return text
    kind, equals, value = text.partition("=")
    if equals and kind in ("serial", "wwn", "id", "model") and value.strip() and value.isprintable():
        return text
    if re.fullmatch(r"/dev/[A-Za-z0-9_.:+@/-]+", text) and ".." not in text and not text.endswith("/"):
        return text
    raise ValueError(
        f"{text!r} does not select a disk: write a path (/dev/disk/by-id/...), serial=, wwn=, id= or model= with a "
        "value, or only, smallest, largest"
    )


def _xen_word(text: str) -> str:
    return _boot_word(text, _OWN_XEN)


def _linux_word(text: str) -> str:
    if text.startswith("zeroth."):
        raise ValueError(f"{text!r}: words that begin with zeroth. are set by zeroth itself")
    return _boot_word(text, _OWN_LINUX)


def _boot_word(text: str, own: dict[str, str]) -> str:
    if not _BOOT_WORD.fullmatch(text):
        raise ValueError(f"{text!r} cannot stand on a boot command line: no spaces, quotes or special characters")
    name = text.partition("=")[0].lower()
    if name in own:
        instead = f": set {own[name]}" if own[name] else ""
        raise ValueError(f"{name!r} is set by zeroth itself{instead}")
    return text


def _host_address(address: IPv4Address) -> IPv4Address:
    for what, is_it in (
        ("the unspecified address", address.is_unspecified),
        ("a loopback address", address.is_loopback),
        ("a multicast address", address.is_multicast),
        ("a reserved address", address.is_reserved),
    ):
        if is_it:
            raise ValueError(f"{address} is {what}")
    return address


def _speed(value: int) -> int:
    if value not in _SPEEDS:
        raise ValueError(f"{value} is no usual speed of a serial port: {', '.join(map(str, _SPEEDS))}")
    return value


# RFC 1123: labels of letters, digits and hyphens, not at an end; at most 253 characters in all (Linux allows 64).
HostName = Annotated[str, Field(max_length=64, pattern=rf"^{_LABEL}(\.{_LABEL})*$"), AfterValidator(_host_name)]
NicName = Annotated[str, AfterValidator(_nic)]
SshKey = Annotated[
    str, BeforeValidator(lambda it: it.strip() if isinstance(it, str) else it), AfterValidator(_ssh_key)
]
PasswordHash = Annotated[str, AfterValidator(_password_hash)]
DiskSelector = Annotated[str, AfterValidator(_disk)]
BootWord = Annotated[str, Field(min_length=1, max_length=256)]
XenWord = Annotated[BootWord, AfterValidator(_xen_word)]
LinuxWord = Annotated[BootWord, AfterValidator(_linux_word)]
HostAddress = Annotated[IPv4Address, AfterValidator(_host_address)]
SerialSpeed = Annotated[int, Field(strict=True), AfterValidator(_speed)]
BridgeName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,14}$")]
# Only what may be a file name below /usr/share/zoneinfo; whether it is one, the machine says (checks.py).
TimeZone = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9+_-]*(/[A-Za-z0-9][A-Za-z0-9+_-]*){0,2}$", max_length=64)]
KeyboardLayout = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]

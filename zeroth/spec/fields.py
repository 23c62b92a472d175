"""The types of HostSpec's fields: what a host name, a NIC, a disk selector or a hash must look like."""

from __future__ import annotations

import base64
import binascii
import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from zeroth.spec.selector import parse_selector

__all__ = [
    "AnyHostAddress", "BootWord", "BridgeName", "ClusterName", "DiskSelector", "DomainName", "Fingerprint",
    "HostAddress", "HostAddress6", "HostName", "Interpreter", "IscsiName", "KeyboardLayout", "LinkName", "LinuxWord",
    "LocaleName", "NetworkName", "NfsPath", "NicName", "PasswordHash", "PersonName", "Script", "SecondDisk",
    "SerialSpeed", "ServerName", "Sha256", "ShellPath", "SshKey", "TimeZone", "UnitName", "Url", "UserName",
    "VisibleText", "XenWord",
]  # fmt: skip

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
_DOMAIN = rf"{_LABEL}(\.{_LABEL})*\.?"
_SYSTEM_USERS = ("root", "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news", "uucp", "proxy",
                 "www-data", "backup", "list", "irc", "nobody", "sshd", "chrony", "zeroth", "messagebus", "polkitd",
                 "tss", "uuidd", "libvirt-qemu", "dnsmasq", "openvswitch", "statd", "rpc")  # fmt: skip
_SECTION_TAGS = ("%end", "%pre", "%pre-install", "%post", "%onerror", "%traceback", "%packages", "%addon",
                 "%anaconda", "%certificate")  # fmt: skip
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
    return str(parse_selector(text))


def _second_disk(text: str) -> str:
    return text if text == "missing" else _disk(text)


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


_Address = TypeVar("_Address", IPv4Address, IPv6Address, IPv4Address | IPv6Address)


def _host_address(address: _Address) -> _Address:
    for what, is_it in (
        ("the unspecified address", address.is_unspecified),
        ("a loopback address", address.is_loopback),
        ("a multicast address", address.is_multicast),
        ("a reserved address", address.is_reserved),
    ):
        if is_it:
            raise ValueError(f"{address} is {what}")
    return address


def _either_family(value: object) -> object:
    """Tried here, so that there is one complaint and not one for each family."""
    if isinstance(value, IPv4Address | IPv6Address):
        return value
    try:
        return ip_address(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError(f"{value!r} is neither an IPv4 nor an IPv6 address") from None


def _server(text: str) -> str:
    """A host name, or an address of either family in its usual form."""
    try:
        return str(_host_address(ip_address(text)))
    except ValueError:
        if ":" in text or text.replace(".", "").isdigit():
            raise ValueError(f"{text!r} is neither a host name nor the address of a host") from None
    if not re.fullmatch(_DOMAIN, text.lower()) or len(text) > 253:
        raise ValueError(f"{text!r} is neither a host name nor an address")
    return text.lower()


def _url(text: str) -> str:
    """What is wrong is said without the address: it may hold a password."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("the address is malformed, as in https://server.example.com/path") from None
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise ValueError("the address does not begin with http:// or https:// and a server")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the address holds a user name or password: these have settings of their own")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("the address holds characters that must be written as %..")
    return text


def _fingerprint(text: str) -> str:
    plain = text.replace(":", "").lower()
    if not re.fullmatch(r"[0-9a-f]{64}", plain):
        raise ValueError(f"{text!r} is not a SHA-256 fingerprint: 64 hexadecimal digits, with or without colons")
    return plain


def _user_name(text: str) -> str:
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", text):
        raise ValueError(f"{text!r} is not a user name: at most 32 lower-case letters, digits, _ and -")
    if text in _SYSTEM_USERS or text.startswith(("systemd-", "_")):
        raise ValueError(f"{text!r} is an account of the system itself")
    return text


def _visible(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("this holds unprintable characters, or spaces at its ends")
    return text


def _gecos(text: str) -> str:
    if ":" in text or "," in text:
        raise ValueError("a person's name cannot hold a colon or a comma here")
    return text


def _iscsi_name(text: str) -> str:
    # RFC 3720 3.2.6.
    lowered = text.lower()
    if not re.fullmatch(
        r"iqn\.[0-9]{4}-(0[1-9]|1[0-2])\.[a-z0-9.-]+(:[a-z0-9.:_-]+)?|(eui|naa)\.[0-9a-f]{16,32}", lowered
    ):
        raise ValueError(f"{text!r} is not the name of an iSCSI target, as in iqn.2001-04.com.example:disks")
    return lowered


def _unit(text: str) -> str:
    name = text if "." in text else f"{text}.service"
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.@:-]{0,200}\.(service|socket|timer|path|target)", name):
        raise ValueError(f"{text!r} is not the name of a systemd unit, as in ssh or chrony.service")
    if name.startswith("zeroth-"):
        raise ValueError(f"{name} belongs to the host itself: it can be neither enabled nor disabled")
    return name


def _script(text: str) -> str:
    """With one line feed at its end."""
    if "\0" in text or "\r" in text:
        raise ValueError("a script holds neither NUL nor carriage return: save it with Unix line ends")
    for number, line in enumerate(text.splitlines(), 1):
        # In kickstart it would end the script.
        if line.split()[:1] and line.split()[0] in _SECTION_TAGS:
            raise ValueError(
                f"line {number} of a script begins with {line.split()[0]}, which ends a script in kickstart"
            )
    if not text.strip():
        raise ValueError("the script is empty")
    return text.strip("\n") + "\n"


def _interpreter(text: str) -> str:
    if not re.fullmatch(r"/[A-Za-z0-9_./+-]+", text) or ".." in text:
        raise ValueError(f"{text!r} is not the path of a program")
    return text


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
SecondDisk = Annotated[str, AfterValidator(_second_disk)]
HostAddress6 = Annotated[IPv6Address, AfterValidator(_host_address)]
AnyHostAddress = Annotated[IPv4Address | IPv6Address, BeforeValidator(_either_family), AfterValidator(_host_address)]
ServerName = Annotated[str, Field(min_length=1, max_length=253), AfterValidator(_server)]
DomainName = Annotated[str, Field(max_length=253, pattern=rf"^{_LABEL}(\.{_LABEL})*$")]
Url = Annotated[str, Field(min_length=1, max_length=2048), AfterValidator(_url)]
Fingerprint = Annotated[str, AfterValidator(_fingerprint)]
Sha256 = Fingerprint
UserName = Annotated[str, AfterValidator(_user_name)]
VisibleText = Annotated[str, Field(max_length=128), AfterValidator(_visible)]
PersonName = Annotated[VisibleText, AfterValidator(_gecos)]
NetworkName = Annotated[VisibleText, Field(min_length=1)]
LinkName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,14}$")]
ShellPath = Annotated[str, AfterValidator(_interpreter)]
Interpreter = ShellPath
ClusterName = Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,16}$")]
IscsiName = Annotated[str, Field(max_length=223), AfterValidator(_iscsi_name)]
NfsPath = Annotated[str, Field(pattern=r"^/[^\s,]*$", max_length=1024)]
UnitName = Annotated[str, AfterValidator(_unit)]
LocaleName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9-]+)?(@[a-z]+)?$", max_length=32)]
Script = Annotated[str, Field(max_length=65536), AfterValidator(_script)]

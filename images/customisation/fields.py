"""The types of the fields of ``zeroth-image.yaml``, and of what describes an extension."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from images.packages import PACKAGE_NAME
from zeroth.spec.fields import LinuxWord, XenWord

__all__ = [
    "BootWord", "FileMode", "LinuxWord", "Locale", "ModuleName", "Owner", "PackageWish", "ProductName", "SourcePath",
    "SystemName", "TargetPath", "XenWord", "forbidden", "split_wish",
]  # fmt: skip

BootWord = LinuxWord

# deb-version(7): epoch, upstream version, revision.
_VERSION = re.compile(r"(?:[0-9]+:)?[0-9][A-Za-z0-9.+~-]*")
# tmpfiles.d and dpkg take more; these are never misread.
_PATH = re.compile(r"/[A-Za-z0-9@_+=:,.~/-]*")
_FORBIDDEN = {
    "/boot": "kernel, initrd and Xen come from packages, and lie beside the root image",
    "/dev": "it is made when the host runs",
    "/home": "on a host it is a link into /var; /etc/skel fills new homes",
    "/proc": "it is made when the host runs",
    "/root": "on a host it is a link into /var; /etc/skel fills new homes",
    "/run": "it is made when the host runs",
    "/srv": "on a host it is a link into /var",
    "/sys": "it is made when the host runs",
    "/tmp": "it is empty when a host starts",  # noqa: S108 - no file is made there
    "/etc/.updated": "the build writes it",
    "/etc/group": "accounts come from packages and from the answer",
    "/etc/gshadow": "accounts come from packages and from the answer",
    "/etc/machine-id": "each host has its own",
    "/etc/passwd": "accounts come from packages and from the answer",
    "/etc/resolv.conf": "systemd-resolved writes it",
    "/etc/shadow": "accounts come from packages and from the answer",
    "/etc/ssh/ssh_host": "each host has its own keys",
    "/usr/lib/os-release": "it tells packages what they run on; set branding instead",
    "/usr/lib/sysimage": "it is the package database",
    "/usr/lib/zeroth/boot": "the installer takes boot programs from there",
    "/usr/share/factory": "the build fills it from /var",
    "/var/cache/apt": "it is emptied",
    "/var/lib/apt": "it is emptied",
    "/var/lib/dpkg": "it is the package database",
    "/var/lib/zeroth": "it is the store of a host",
    "/var/log": "logs of a host have a partition of their own",
    "/var/run": "it is made when the host runs",
    "/var/tmp": "it is emptied",  # noqa: S108 - no file is made there
}
_PREFIXES = ("/etc/ssh/ssh_host",)
# Folders of the tree that are links; what is written there is meant for where they lead (UsrMerge).
_MERGED = re.compile(r"^/(bin|sbin|lib|lib64)(?=/|$)")


def forbidden(path: str) -> str:
    """Why nothing may be put at an absolute, normalised path of the image; empty when it may."""
    path = _MERGED.sub(r"/usr/\1", path)
    for place, reason in _FORBIDDEN.items():
        if path == place or path.startswith(f"{place}/") or (place in _PREFIXES and path.startswith(place)):
            return f"nothing can be put into {place}: {reason}"
    return ""


def _target(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError(f"{text!r} is not absolute: a target begins with /")
    if not _PATH.fullmatch(text):
        raise ValueError(f"{text!r} holds a space or another character that a target cannot have")
    if text.endswith("/") or "//" in text or {".", ".."} & set(text.split("/")):
        raise ValueError(f"{text!r} is not normalised: write it without .., ., // and without a slash at its end")
    reason = forbidden(text)
    if reason:
        raise ValueError(f"{text!r}: {reason}")
    return text


def _source(text: str) -> str:
    if not text or not text.isprintable():
        raise ValueError("a source is the path of a file, relative to this one")
    return text


def _no_number(value: object) -> object:
    # 0644 without quotes is a number in YAML, and its nought is lost.
    if isinstance(value, int | float):
        raise ValueError('a mode stands in quotes, as in "0644"')  # noqa: TRY004 - pydantic wants this kind
    return value


def _mode(text: str) -> str:
    if not re.fullmatch(r"0[0-7]{3}", text):
        raise ValueError(f"{text!r} is not a mode: write four octal digits from 0000 to 0777, as in 0644")
    return text


def split_wish(text: str) -> tuple[str, str]:
    """Name and version of a package that is asked for; the version is empty when any will do."""
    name, _, version = text.partition("=")
    return name, version


def _package(text: str) -> str:
    name, version = split_wish(text)
    if not PACKAGE_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a package name")
    if "=" in text and not _VERSION.fullmatch(version):
        raise ValueError(f"{version!r} is not a version of a Debian package")
    return text


def _product(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._+()-]{0,39}", text) or text.endswith(" "):
        raise ValueError(
            f"{text!r} is not a title: at most 40 letters, digits, spaces and . _ + ( ) - without accents"
        )
    return text


def _system_name(text: str) -> str:
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", text):
        raise ValueError(f"{text!r} is not a system user's name")
    return text


PackageWish = Annotated[str, AfterValidator(_package)]
TargetPath = Annotated[str, Field(max_length=512), AfterValidator(_target)]
SourcePath = Annotated[str, Field(max_length=1024), AfterValidator(_source)]
FileMode = Annotated[str, BeforeValidator(_no_number), AfterValidator(_mode)]
Owner = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_-]{0,31}(:[a-z_][a-z0-9_-]{0,31})?$")]
ModuleName = Annotated[str, Field(pattern=r"^[a-z0-9][A-Za-z0-9_-]{0,55}$")]
Locale = Annotated[str, Field(pattern=r"^[a-z]{2,3}_[A-Z]{2}(\.UTF-8)(@[a-z]+)?$")]
ProductName = Annotated[str, AfterValidator(_product)]
SystemName = Annotated[str, AfterValidator(_system_name)]

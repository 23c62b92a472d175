"""An answer in words: what the host will be, and what will be destroyed.

Everything that HostSpec holds is told; a test goes through its fields one by one.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from zeroth.spec.explain.disks import disk_rows
from zeroth.spec.explain.host import host_rows
from zeroth.spec.explain.install import install_rows
from zeroth.spec.explain.network import network_rows
from zeroth.spec.explain.storage import storage_rows
from zeroth.spec.explain.words import Rows, counted, listed, sentences
from zeroth.spec.gaps import gaps
from zeroth.spec.model import HostSpec, RootLogin, RunMode, UserSpec

__all__ = ["explained"]


def explained(spec: HostSpec, left_out: Sequence[str] = ()) -> Rows:
    """Rows of a topic and what holds for it; no topic comes twice. No secret is told.

    :param left_out: what another installer's answer says that has no counterpart.
    """
    return [
        *_purpose(spec),
        ("Host", f"{spec.hostname}, time zone {spec.timezone}, keyboard {spec.keyboard}, locale {spec.locale}"),
        ("Login", f"root, with {_ways_in(spec.root)}"),
        *((f"User {user.name}", _user(user)) for user in spec.users),
        *disk_rows(spec.disk),
        *network_rows(spec),
        *storage_rows(spec.storage),
        *host_rows(spec),
        *install_rows(spec),
        *_not_done(spec),
        *([("Left out", f"of the other installer's answer: {sentences(*left_out)}")] if left_out else []),
    ]


def _not_done(spec: HostSpec) -> Rows:
    missing = dict.fromkeys(gap.what for gap in gaps(spec))
    return [("Not done", f"by this version: {sentences(*missing)}")] if missing else []


def _purpose(spec: HostSpec) -> Rows:
    if spec.mode is RunMode.INSTALL:
        return []
    older = "an older version too" if spec.allow_downgrade else "an older version is refused"
    return [("Upgrade", f"the host on the disk gets this medium's version and keeps its settings; {older}")]


def _ways_in(login: RootLogin | UserSpec) -> str:
    ways = ["a password"] if login.password_hash or login.password else []
    if login.ssh_keys:
        ways.append(f"{counted(len(login.ssh_keys), 'ssh key')} ({listed(map(_key, login.ssh_keys))})")
    return listed(ways) or "no way in"


def _user(user: UserSpec) -> str:
    return sentences(
        ", ".join(filter(None, [user.gecos, f"with {_ways_in(user)}", f"shell {user.shell}"])),
        "may become root (sudo)" if user.admin else "",
    )


def _key(key: str) -> str:
    """Whose key it is by its comment; by its fingerprint, as ssh-keygen shows it, where it has none."""
    _, blob, *comment = key.split(" ", 2)
    digest = base64.b64encode(hashlib.sha256(base64.b64decode(blob)).digest()).decode().rstrip("=")
    return comment[0] if comment else f"SHA256:{digest}"

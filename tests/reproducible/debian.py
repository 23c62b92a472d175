"""Another release of Debian than this machine's, in a folder: a build must not depend on which one it runs on."""

from __future__ import annotations

import os
import platform
import shlex
import ssl
from pathlib import Path

from images.config import SUITE
from zeroth.system.run import run

__all__ = ["inside", "other_debian"]

_OLDER = "bookworm"
_CONFIGURATION = ("/etc/apt/apt.conf.d", "/etc/pip.conf", "/etc/xdg/pip", "/root/.config/pip", "/root/.pip",
                  "/etc/resolv.conf", "/etc/hosts", "/usr/local/share/ca-certificates")  # fmt: skip
"""How this machine reaches the package mirrors and the registry."""
_MOUNTS = """\
set -e
mount --bind "$1" "$1"
for name in proc sys dev; do mount --rbind "/$name" "$1/$name"; done
mkdir -p "$1$2"
mount --rbind "$2" "$1$2"
exec chroot "$1" sh -c "$3"
"""


def other_debian(work: Path, clone: Path, cache: Path) -> Path:
    """Make it from the mirrors that a build's cache names, with what a build needs in it and in the clone's ``.venv``.

    :param work: holds the clone; the new tree gets a folder beside it.
    """
    suite = _OLDER if platform.freedesktop_os_release().get("VERSION_CODENAME") == SUITE else SUITE
    tree, sources = work / suite, work / f"{suite}.list"
    sources.write_text((cache / "index" / "sources.list").read_text().replace(SUITE, suite))
    run(["mmdebstrap", "--mode=root", "--variant=apt", "--include=ca-certificates,faketime,git,iproute2,python3",
         suite, tree, sources])  # fmt: skip
    known = (os.environ.get(name) for name in ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"))
    bundles = {path for path in (*known, ssl.get_default_verify_paths().cafile) if path}
    for path in (*_CONFIGURATION, *bundles):
        if Path(path).exists():
            (tree / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            run(["cp", "-aLT", path, tree / path.lstrip("/")])
    bootstrap = f"cd {shlex.quote(os.fspath(clone))} && exec tools/bootstrap"
    run(inside(tree, work, bootstrap))
    return tree


def inside(tree: Path, work: Path, command: str) -> list[str]:
    """The argv that runs a shell command in a tree; what is mounted for it ends with it.

    :param work: a folder of this machine that is there under the same name.
    """
    return ["unshare", "--mount", "sh", "-c", _MOUNTS, "sh", os.fspath(tree), os.fspath(work), command]

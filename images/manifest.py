"""What an image is made of: packages, hashes, inputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from debian.deb822 import Deb822

from images.config import ARCHITECTURE, SUITE, BuildConfig
from zeroth.system.files import sha256_file

__all__ = ["describe", "image_manifest", "installed_packages"]

_DATABASES = ("usr/lib/sysimage/dpkg/status", "var/lib/dpkg/status")


def installed_packages(tree: Path) -> dict[str, dict[str, str]]:
    """Version and source package of everything that dpkg has installed in a tree, by name."""
    status = next(path for name in _DATABASES if (path := tree / name).is_file())
    packages = {}
    with status.open(encoding="utf-8") as file:
        for stanza in Deb822.iter_paragraphs(file, use_apt_pkg=False):
            if str(stanza.get("Status", "")).endswith(" installed"):
                source = str(stanza.get("Source", stanza["Package"])).split(" ")[0]
                packages[str(stanza["Package"])] = {"version": str(stanza["Version"]), "source": source}
    return dict(sorted(packages.items()))


def describe(path: Path) -> dict[str, object]:
    """Size in bytes and SHA-256 of a file."""
    return {"size": path.stat().st_size, "sha256": sha256_file(path)}


def image_manifest(
    tree: Path, files: Mapping[str, Path], config: BuildConfig, origin: Mapping[str, object]
) -> dict[str, object]:
    """The manifest that lies on the medium: what the files there are made of. The same for the same inputs.

    :param origin: of the packages: ``security`` tells whether the security suite was among the sources.
    """
    return {
        "product": "zeroth",
        "version": config.version,
        "architecture": ARCHITECTURE,
        "debian": SUITE,
        "profile": config.profile.value,
        "firmware": config.firmware,
        "security_updates": origin["security"],
        "source_date_epoch": config.epoch,
        "files": {name: describe(path) for name, path in sorted(files.items())},
        "packages": installed_packages(tree),
    }

"""What an image is made of: packages, hashes, inputs."""

from __future__ import annotations

import email
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from debian.deb822 import Deb822

from images.config import ARCHITECTURE, SUITE, BuildConfig
from images.licences import NO_ASSERTION, Licences
from zeroth.system.files import sha256_file

__all__ = [
    "DATABASE",
    "FORMAT",
    "describe",
    "dpkg_status",
    "image_manifest",
    "installed_packages",
    "wheel_facts",
    "write_json",
]

FORMAT = 1
"""Of the manifest; counted up when a reader of the old form would misread the new one."""
DATABASE = "usr/lib/sysimage/dpkg"
"""The package database of a finished tree; in a tree of packages it is still in var/lib/dpkg."""
_DATABASES = (f"{DATABASE}/status", "var/lib/dpkg/status")


def dpkg_status(tree: Path) -> Iterator[Mapping[str, str]]:
    """The paragraphs of dpkg's database in a tree, of packages that are installed."""
    status = next(path for name in _DATABASES if (path := tree / name).is_file())
    with status.open(encoding="utf-8") as file:
        for stanza in Deb822.iter_paragraphs(file, use_apt_pkg=False):
            if str(stanza.get("Status", "")).endswith(" installed"):
                yield {name: str(stanza[name]) for name in stanza}


def installed_packages(
    tree: Path, licences: Licences | None = None, archives: Mapping[str, str] | None = None
) -> dict[str, dict[str, str]]:
    """What dpkg has installed in a tree, by name: version, architecture, source package and its version; its licence.

    :param licences: of the packages.
    :param archives: SHA-256 of the archives that they were unpacked from, where it is known.
    """
    packages = {}
    for stanza in dpkg_status(tree):
        name, version = stanza["Package"], stanza["Version"]
        source, _, source_version = stanza.get("Source", name).partition(" ")
        packages[name] = {
            "version": version,
            "architecture": stanza.get("Architecture", ""),
            "source": source,
            "source_version": source_version.strip("()") or version,
            "licence": licences.of(name) if licences else NO_ASSERTION,
        }
        if archives and name in archives:
            packages[name]["sha256"] = archives[name]
    return dict(sorted(packages.items()))


def wheel_facts(path: Path) -> dict[str, str]:
    """Name, version, licence and SHA-256 of a wheel."""
    with zipfile.ZipFile(path) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        said = email.message_from_bytes(wheel.read(name))
    licence = str(said.get("License-Expression", NO_ASSERTION))
    facts = {"name": str(said["Name"]), "version": str(said["Version"]), "licence": licence}
    return {**facts, "sha256": sha256_file(path)}


def describe(path: Path) -> dict[str, object]:
    """Size in bytes and SHA-256 of a file."""
    return {"size": path.stat().st_size, "sha256": sha256_file(path)}


def image_manifest(
    tree: Path,
    files: Mapping[str, Path],
    config: BuildConfig,
    origin: Mapping[str, object],
    licences: Licences,
    wheels: Iterable[Path],
    firmware: Sequence[str],
    customisation: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """The manifest that lies on the medium: what the files there are made of. The same for the same inputs.

    :param origin: of the packages: ``security`` tells whether the security suite was among the sources, ``archives``
        the SHA-256 of the packages' archives.
    :param wheels: Python packages that Debian has not.
    :param firmware: names of its sets of firmware.
    :param customisation: what its builder changed about the image.
    """
    archives = origin.get("archives")
    assert isinstance(archives, dict), "the step that installs the packages notes where they came from"
    return {
        "format": FORMAT,
        "product": "zeroth",
        "version": config.version,
        "architecture": ARCHITECTURE,
        "debian": SUITE,
        "profile": config.profile.value,
        "firmware": list(firmware),
        **({"customisation": customisation} if customisation is not None else {}),
        "security_updates": origin["security"],
        "source_date_epoch": config.epoch,
        "files": {name: describe(path) for name, path in sorted(files.items())},
        "packages": installed_packages(tree, licences, archives),
        "wheels": sorted((wheel_facts(path) for path in wheels), key=lambda it: it["name"]),
    }


def write_json(path: Path, document: object) -> None:
    """Write plain data as JSON, the same bytes for the same data."""
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")

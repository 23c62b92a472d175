"""What both bills of materials say, before either form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from packageurl import PackageURL

from images.inputs import digest_text
from images.licences import NO_ASSERTION

__all__ = ["File", "Part", "Subject", "subject_of"]


@dataclass(frozen=True)
class Part:
    """One package of the image.

    :param kind: ``deb`` or ``pypi``.
    :param licence: an SPDX expression; empty when none is known.
    :param sha256: of the archive that it was unpacked from; empty when it is not known.
    :param source: name and version of the source package, for packages of Debian.
    """

    kind: str
    name: str
    version: str
    licence: str
    sha256: str
    architecture: str = ""
    source: tuple[str, str] | None = None

    @property
    def purl(self) -> PackageURL:
        """Its package URL (github.com/package-url/purl-spec, types deb and pypi)."""
        if self.kind == "deb":
            where = {"arch": self.architecture, "distro": "debian-13"}
            return PackageURL("deb", "debian", self.name, self.version, qualifiers=where)
        return PackageURL("pypi", None, self.name, self.version)

    @property
    def source_purl(self) -> PackageURL | None:
        """The package URL of its source package."""
        if self.source is None:
            return None
        return PackageURL("deb", "debian", *self.source, qualifiers={"arch": "source", "distro": "debian-13"})


@dataclass(frozen=True)
class File:
    """One file that a medium holds."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Subject:
    """What a bill is about.

    :param identity: the same for the same manifest, and for no other.
    :param created: the time that stands in the bill: the newest that any file of the image may have.
    """

    name: str
    version: str
    identity: UUID
    created: datetime
    parts: tuple[Part, ...]
    files: tuple[File, ...]


def subject_of(manifest: Mapping[str, Any], text: str) -> Subject:
    """What a manifest says.

    :param text: the manifest's own text.
    """
    debs = [
        Part("deb", name, it["version"], _licence(it), it.get("sha256", ""), it["architecture"],
             (it["source"], it["source_version"]))
        for name, it in manifest["packages"].items()
    ]  # fmt: skip
    wheels = [Part("pypi", it["name"], it["version"], _licence(it), it["sha256"]) for it in manifest["wheels"]]
    return Subject(
        manifest["product"], manifest["version"], uuid5(NAMESPACE_URL, f"zeroth:{digest_text(text)}"),
        datetime.fromtimestamp(manifest["source_date_epoch"], UTC), (*debs, *wheels),
        tuple(File(name, it["sha256"]) for name, it in manifest["files"].items()),
    )  # fmt: skip


def _licence(entry: Mapping[str, str]) -> str:
    return "" if entry["licence"] == NO_ASSERTION else entry["licence"]

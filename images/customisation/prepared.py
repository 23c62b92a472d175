"""A customisation that was read and whose sources were found: values that the steps of a build work with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from images.customisation.fields import split_wish
from images.customisation.model import ImageSpec
from images.inputs import digest_text, digest_tree, files_below
from images.packages import PackageList
from zeroth.spec.document import Document
from zeroth.spec.document import Path as Way
from zeroth.spec.problems import Problem
from zeroth.system.files import sha256_file

__all__ = ["Customisation", "LocalDeb", "OwnElement", "PlacedFile"]

_LOCALES = "locales"


@dataclass(frozen=True)
class PlacedFile:
    """A file with its content and its place.

    :ivar content: the bytes, or the file that holds them.
    :ivar mode: permission bits.
    :ivar owner: user or user:group, by name.
    """

    target: str
    content: bytes | Path
    mode: int = 0o644
    owner: str = "root"

    @cached_property
    def sha256(self) -> str:
        """Of the content."""
        return (
            sha256_file(self.content) if isinstance(self.content, Path) else hashlib.sha256(self.content).hexdigest()
        )

    def facts(self) -> dict[str, str]:
        """For the manifest. The digest of what only some may read would help to guess it, so it is left out."""
        told = {"target": self.target, "mode": f"{self.mode:04o}", "owner": self.owner}
        return {**told, "sha256": self.sha256} if self.mode & 0o004 else told

    @property
    def identity(self) -> str:
        """Everything about it, as one line."""
        return f"{self.target} {self.mode:04o} {self.owner} {self.sha256}"


@dataclass(frozen=True)
class LocalDeb:
    """A package file of the user's."""

    path: Path
    package: str
    version: str
    architecture: str
    sha256: str

    @property
    def file_name(self) -> str:
        """A name without surprises, as apt would give it."""
        return f"{self.package}_{self.version.replace(':', '%3a')}_{self.architecture}.deb"

    def facts(self) -> dict[str, str]:
        """For the manifest."""
        return {"package": self.package, "version": self.version, "architecture": self.architecture,
                "sha256": self.sha256}  # fmt: skip


@dataclass(frozen=True)
class OwnElement:
    """An element of the user's."""

    name: str
    folder: Path

    @cached_property
    def digest(self) -> str:
        """Of its files."""
        return digest_tree(self.folder, files_below(self.folder))


@dataclass(frozen=True)
class Customisation:
    """What an image holds beyond, or otherwise than, ours.

    :ivar name: what the user calls the file.
    :ivar files: what is put into the tree, templates rendered.
    :ivar warnings: what its user should know.
    """

    name: str
    text: str
    document: Document
    spec: ImageSpec
    files: tuple[PlacedFile, ...] = ()
    debs: tuple[LocalDeb, ...] = ()
    elements: tuple[OwnElement, ...] = ()
    warnings: tuple[Problem, ...] = ()

    def where(self, way: Way) -> str:
        """A place in the file, as ``file:line:column``."""
        span = self.document.place(way)
        return f"{self.name}:{span.line}:{span.column}" if span.line else self.name

    @cached_property
    def packages(self) -> PackageList:
        """The packages that are asked for, with the place of each."""
        lines = {split_wish(wish)[0]: self.where(("packages", at)) for at, wish in enumerate(self.spec.packages)}
        if self.spec.locales:
            lines.setdefault(_LOCALES, self.where(("locales",)))
        return PackageList(tuple(sorted(lines.items())))

    @cached_property
    def pins(self) -> dict[str, str]:
        """Versions by package, of those that are pinned."""
        return {name: version for name, version in map(split_wish, self.spec.packages) if version}

    @property
    def preferences(self) -> str:
        """What makes apt keep to the pinned versions, even where that means to go back (apt_preferences(5))."""
        return "".join(
            f"Package: {name}\nPin: version {version}\nPin-Priority: 1001\n\n"
            for name, version in sorted(self.pins.items())
        )

    def package_inputs(self) -> dict[str, str]:
        """What of it decides the tree of packages, beside their names. Empty when nothing does."""
        found = {"pinned versions": json.dumps(self.pins, sort_keys=True)} if self.pins else {}
        if self.debs:
            found["own packages"] = digest_text("\n".join(deb.sha256 for deb in self.debs))
        return found

    def tree_inputs(self) -> dict[str, str]:
        """What of it decides the finished tree, beside the packages. Empty when nothing does."""
        found = {f"own element {element.name}": element.digest for element in self.elements}
        if self.elements:
            found["order of own elements"] = " ".join(element.name for element in self.elements)
        if self.files:
            found["own files"] = digest_text("\n".join(sorted(file.identity for file in self.files)))
        if self.spec.modules.initrd or self.spec.locales:
            found["modules and locales"] = " ".join((*self.spec.modules.initrd, *self.spec.locales))
        return found

    def manifest(self) -> Mapping[str, object]:
        """The section of the manifest: names and digests, no contents."""
        spec = self.spec
        return {
            "product": spec.branding.product,
            "packages": list(self.packages.names),
            "pinned": dict(sorted(self.pins.items())),
            "debs": [deb.facts() for deb in self.debs],
            "files": [file.facts() for file in sorted(self.files, key=lambda file: file.target)],
            "elements": {element.name: element.digest for element in self.elements},
            "modules": spec.modules.model_dump(mode="json"),
            "boot": spec.boot.model_dump(mode="json"),
            "locales": list(spec.locales),
            "system_ids": dict(sorted(spec.system_ids.items())),
        }

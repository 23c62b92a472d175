"""What one build is asked to make, and where things lie."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from images.snapshot import Snapshot
from zeroth import __version__
from zeroth.errors import UserError

__all__ = [
    "ARCHITECTURE",
    "KEYRING",
    "SUITE",
    "VOLUME_LABEL",
    "BuildConfig",
    "Profile",
    "checkout",
    "image_release",
    "released_name",
]

SUITE = "trixie"
"""Debian 13: what the image and the tools tree are made of, whatever the build host runs."""
ARCHITECTURE = "amd64"
CUSTOMISATION_FILE = "zeroth-image.yaml"
"""What the user changes about the image; taken from the checkout's root when no other is given."""
PRODUCT = "zeroth"
"""What the product is called where the user gives it no other name."""
COMPONENTS = ("main", "non-free-firmware")
VOLUME_LABEL = "ZEROTH"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
"""The keys that Debian signs its archives with."""


class Profile(StrEnum):
    """How much work goes into a small image."""

    DEV = "dev"
    """Quick to make: light compression."""
    RELEASE = "release"
    """Small: strong compression."""

    @property
    def zstd_level(self) -> int:
        """Level given to mksquashfs; 15 costs six times the time of 3 and saves 7 % (measured on the whole image)."""
        return 3 if self is Profile.DEV else 15


@dataclass(frozen=True)
class BuildConfig:
    """One build.

    :param root: the checkout that is built.
    :param mirror: address of a Debian archive that replaces the ones in the build host's apt configuration.
    :param answer: file embedded in the ISO as the answer of an unattended installation.
    :param firmware: put firmware for server network cards and storage adapters into the image, or none; when not
        given, ``customise`` decides, and else the profile.
    :param update: ask the mirror for newer packages even though a tree of packages is cached.
    :param offline: ask nobody but mirrors on this machine; what earlier builds fetched is there too.
    :param snapshot: take packages as of then, from a mirror that keeps them.
    :param keyring: the keys that sign the mirror's Release files.
    :param upgrade: make an upgrade file too.
    :param customise: file that says what the user changes about the image.
    :param into: folder where results are published; ``dist`` of the checkout when not given.
    :param jobs: how many steps, and how many compressor threads, may run at the same time.
    """

    root: Path
    profile: Profile = Profile.RELEASE
    mirror: str = ""
    answer: Path | None = None
    firmware: bool | None = None
    update: bool = False
    offline: bool = False
    snapshot: Snapshot | None = None
    keyring: Path = KEYRING
    upgrade: bool = False
    jobs: int = os.cpu_count() or 1
    customise: Path | None = None
    into: Path | None = None

    @property
    def cache(self) -> Path:
        """Everything that can be made again; ``ZEROTH_CACHE`` puts it elsewhere, to be shared by several checkouts."""
        given = os.environ.get("ZEROTH_CACHE")
        return Path(given).absolute() if given else self.root / ".cache" / "zeroth"

    @property
    def index(self) -> Path:
        """Folder of the package index; each snapshot has its own."""
        folder = self.cache / "index"
        return folder / self.snapshot.stamp if self.snapshot else folder

    @property
    def pool(self) -> Path:
        """Folder of downloaded packages."""
        return self.cache / "packages"

    @property
    def dist(self) -> Path:
        """Where results are published."""
        return self.into or self.root / "dist"

    @property
    def log(self) -> Path:
        """What every tool printed during the last build."""
        return self.cache / "build.log"

    @property
    def packages(self) -> Path:
        """Folder of the package lists."""
        return self.root / "images" / "packages"

    @property
    def elements(self) -> Path:
        """Folder of our diskimage-builder elements."""
        return self.root / "images" / "elements"

    @property
    def version(self) -> str:
        """Version of what is built."""
        return __version__

    @property
    def epoch(self) -> int:
        """No file in a result is younger than this (seconds since 1970; see SOURCE_DATE_EPOCH)."""
        given = os.environ.get("SOURCE_DATE_EPOCH")
        if given is not None:
            if not given.isdigit():
                raise UserError(f"SOURCE_DATE_EPOCH is {given!r}", "It is a number: seconds since 1970.")
            return int(given)
        project = tomllib.loads((self.root / "pyproject.toml").read_text())
        return int(project["tool"]["zeroth"]["source-date-epoch"])


def released_name(version: str) -> str:
    """What the files of a version are called, before the dot."""
    return f"zeroth-{version}-{ARCHITECTURE}"


def image_release(version: str) -> str:
    """What an image says of itself in os-release(5), besides Debian's; systemd-sysext(8) compares the level."""
    return f"IMAGE_ID=zeroth\nIMAGE_VERSION={version}\nSYSEXT_LEVEL={version}\n"


def checkout() -> Path:
    """The checkout that this code runs from.

    :raises UserError: when it runs from an installed package, which lacks the rooms' sources.
    """
    root = Path(__file__).resolve().parents[1]
    if not (root / "pyproject.toml").is_file():
        raise UserError(
            "images are built from a checkout of zeroth, and this is an installed copy",
            "Get the sources, and run `make iso` there.",
        )
    return root

"""Which archives packages came from: the signed Release files that apt verified, told without any mirror's name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from debian.deb822 import Deb822

from zeroth.system.files import sha256_file

__all__ = ["Release", "installed_archives", "release_files", "releases"]


@dataclass(frozen=True)
class Release:
    """One suite of an archive at one time.

    :param sha256: of the signed Release file, which holds the hashes of all indices, and these of all packages.
    :param date: when it was made, as the file says.
    """

    origin: str
    label: str
    codename: str
    version: str
    date: str
    sha256: str

    def facts(self) -> dict[str, str]:
        """Plain data, without what the file does not say."""
        return {name: value for name, value in asdict(self).items() if value}


def release_files(lists: Path) -> Iterator[tuple[Path, Mapping[str, str]]]:
    """The signed Release files among a folder of apt's indices, with their fields; names in any case.

    :param lists: in the form of ``/var/lib/apt/lists``.
    """
    for path in sorted((*lists.glob("*_InRelease"), *lists.glob("*_Release"))):
        with path.open(encoding="utf-8") as file:
            yield path, Deb822(Deb822.split_gpg_and_payload(line.encode() for line in file)[1])


def releases(lists: Path) -> list[Release]:
    """The suites whose indices lie in a folder of apt's, by label and codename.

    :param lists: in the form of ``/var/lib/apt/lists``.
    """
    found = []
    for path, said in release_files(lists):
        fields = {name: str(said.get(name.capitalize(), "")) for name in ("origin", "label", "codename", "version",
                                                                         "date")}  # fmt: skip
        found.append(Release(**fields, sha256=sha256_file(path)))
    return sorted(set(found), key=lambda it: (it.label, it.codename, it.sha256))


def installed_archives(status: Iterator[Mapping[str, str]], archives: Mapping[str, str]) -> dict[str, str]:
    """SHA-256 of the archive that each installed package came out of, by package; only those that are known.

    :param status: paragraphs of dpkg's database.
    :param archives: SHA-256 by the file name that apt gives an archive.
    """
    found = {}
    for paragraph in status:
        name, version = paragraph["Package"], paragraph["Version"].replace(":", "%3a")
        digest = archives.get(f"{name}_{version}_{paragraph.get('Architecture', '')}.deb")
        if digest:
            found[name] = digest
    return dict(sorted(found.items()))

"""Licences of packages, from the copyright files that Debian demands of them (Policy 12.5), as SPDX expressions.

Only the machine-readable form of these files is read (DEP 5, "Machine-readable debian/copyright file 1.0"). Of other
files is said what is true: :data:`NO_ASSERTION`. A file describes the whole source package, so an expression may name
more licences than apply to what was installed from it. Names of licences that SPDX does not know become references
(``LicenseRef-…``) that carry the text.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from debian.copyright import Copyright, License, NotMachineReadableError
from license_expression import ExpressionError, Licensing, get_spdx_licensing

__all__ = ["NO_ASSERTION", "Licences", "expression", "read_licences", "spdx_licensing"]

NO_ASSERTION = "NOASSERTION"
# The short names that DEP 5 defines, and spellings found in Debian 13, where they are not SPDX's own.
_NAMES = {
    "apache": "LicenseRef-Debian-Apache", "apache-2": "Apache-2.0", "apache2": "Apache-2.0",
    "artistic": "Artistic-1.0-Perl", "artistic-1": "Artistic-1.0-Perl", "artistic-2": "Artistic-2.0",
    "bsd-2-clause": "BSD-2-Clause", "bsd-3-clause": "BSD-3-Clause", "bsd-4-clause": "BSD-4-Clause",
    "bsl": "BSL-1.0", "cc0": "CC0-1.0", "expat": "MIT", "mit": "MIT", "openldap-2.8": "OLDAP-2.8",
    "psf-2": "PSF-2.0", "sil-1.1": "OFL-1.1", "zlib": "Zlib",
}  # fmt: skip
_EXCEPTIONS = {
    "linux-syscall-note": "Linux-syscall-note", "bison": "Bison-exception-2.2", "bison-2.2": "Bison-exception-2.2",
    "libtool": "Libtool-exception", "llvm": "LLVM-exception", "texinfo": "Texinfo-exception",
}  # fmt: skip
_GNU = re.compile(r"(?P<name>GPL|LGPL|AGPL|GFDL)-?(?P<version>[1-3](?:\.[0-9])?)(?P<later>\+?)", re.IGNORECASE)
_OPERATOR = re.compile(r"(,?\s+(?:and|or)\s+)", re.IGNORECASE)
_WITH = re.compile(r"(?P<name>\S+) with (?P<exception>\S+) exception", re.IGNORECASE)
_SLUG = re.compile(r"[^A-Za-z0-9.]+")
# A larger file is a mistake or an attack.
_LIMIT = 4 << 20
_TEXT_LIMIT = 64 << 10
# python-debian tells of every old address of the format, on standard error.
logging.getLogger("debian.copyright").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Licences:
    """Licences of the packages of a tree.

    :param packages: an SPDX expression, or :data:`NO_ASSERTION`, by package.
    :param texts: of the references in them, by reference.
    """

    packages: Mapping[str, str]
    texts: Mapping[str, str] = field(default_factory=dict)

    def of(self, package: str) -> str:
        """The expression for a package."""
        return self.packages.get(package, NO_ASSERTION)


def read_licences(tree: Path) -> Licences:
    """Read the copyright files of all packages in a tree."""
    packages: dict[str, str] = {}
    texts: dict[str, str] = {}
    folder = tree / "usr" / "share" / "doc"
    for place in sorted(folder.iterdir()) if folder.is_dir() else ():
        file = _inside(tree, place / "copyright")
        if file is None:
            continue
        found = _read(file)
        if found is not None:
            packages[place.name], more = found
            texts |= more
    return Licences(packages, dict(sorted(texts.items())))


def expression(synopsis: str, texts: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """A licence as a copyright file names it (``GPL-2+ or Expat``), as an SPDX expression.

    :param texts: the texts of licences that the file gives, by name in lower case.
    :returns: the expression, and the texts of the references in it.
    """
    refs: dict[str, str] = {}
    # A comma before an operator makes it bind looser: "A or B, and C" is "(A or B) and C".
    groups: list[str] = [""]
    loose: list[str] = []
    name = " ".join(synopsis.split())
    for part in _OPERATOR.split(name):
        word = part.strip(" ,").upper()
        if word not in ("AND", "OR"):
            groups[-1] += _one(part.strip(), texts, refs)
        elif part.startswith(","):
            loose.append(word)
            groups.append("")
        else:
            groups[-1] += f" {word} "
    parts = [f"({group})" if " " in group and loose else group for group in groups]
    whole = " ".join([parts[0], *(item for pair in zip(loose, parts[1:], strict=True) for item in pair)])
    try:
        spdx_licensing().parse(whole)
    except ExpressionError:
        # Operators with nothing between them: the words are the name.
        refs.clear()
        return _reference(name, texts, refs), refs
    return whole, refs


def _read(file: Path) -> tuple[str, dict[str, str]] | None:
    """The expression of one copyright file and the texts of its references; None when it is not machine-readable."""
    if file.stat().st_size > _LIMIT:
        return None
    try:
        with file.open(encoding="utf-8") as lines:
            document = Copyright(lines, strict=False)
        given: list[object] = [part.license for part in document.all_files_paragraphs()]
        licences = [licence for licence in given if isinstance(licence, License)]
        texts = dict(_texts([*(part.license for part in document.all_license_paragraphs()), *licences]))
    except (NotMachineReadableError, ValueError, UnicodeDecodeError):
        return None
    refs: dict[str, str] = {}
    found: dict[str, None] = {}
    for synopsis in sorted({licence.synopsis for licence in licences if licence.synopsis}):
        one, more = expression(synopsis, texts)
        refs |= more
        found[one] = None
    if not found:
        return None
    several = len(found) > 1
    whole = " AND ".join(f"({one})" if several and " OR " in one else one for one in found)
    return str(spdx_licensing().dedup(whole)), refs


def _texts(licences: Iterable[object]) -> Iterator[tuple[str, str]]:
    for licence in licences:
        if isinstance(licence, License) and licence.synopsis and licence.text and licence.text.strip():
            yield licence.synopsis.lower(), licence.text.strip()[:_TEXT_LIMIT]


def _one(name: str, texts: Mapping[str, str], refs: dict[str, str]) -> str:
    """One licence, perhaps with an exception."""
    match = _WITH.fullmatch(name)
    if match:
        licence, exception = _known(match["name"]), _EXCEPTIONS.get(match["exception"].lower())
        if licence and exception and not licence.startswith("LicenseRef-"):
            return f"{licence} WITH {exception}"
    elif known := _known(name):
        if known.startswith("LicenseRef-"):
            refs[known] = texts.get(name.lower(), "")
        return known
    return _reference(name, texts, refs)


def _reference(name: str, texts: Mapping[str, str], refs: dict[str, str]) -> str:
    """A reference for a licence that SPDX has no name of."""
    text = texts.get(name.lower(), "")
    # The same name stands for different texts in different packages.
    mark = hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:8] if text else ""
    slug = _SLUG.sub("-", name.replace("+", "-or-later")).strip("-.")[:60] or "unnamed"
    reference = "-".join(part for part in ("LicenseRef-Debian", slug, mark) if part)
    refs[reference] = text
    return reference


@cache
def _known(name: str) -> str:
    """SPDX's name of a licence; empty when it has none."""
    lower = name.lower()
    if lower in _NAMES:
        return _NAMES[lower]
    match = _GNU.fullmatch(name)
    if match:
        version = match["version"] if "." in match["version"] else f"{match['version']}.0"
        version = {("GFDL", "1.0"): ""}.get((match["name"].upper(), version), version)
        name = f"{match['name'].upper()}-{version}-{'or-later' if match['later'] else 'only'}"
    return _spdx_names().get(name.lower(), "")


@cache
def spdx_licensing() -> Licensing:
    """SPDX's names of licences and the grammar of its expressions."""
    # The library reads its list of licences anew at each call.
    return get_spdx_licensing()


@cache
def _spdx_names() -> Mapping[str, str]:
    """SPDX's names of licences by the same in lower case."""
    symbols = spdx_licensing().known_symbols.values()
    return {
        symbol.key.lower(): symbol.key
        for symbol in symbols
        if not symbol.is_exception and not symbol.key.startswith("LicenseRef-")
    }


def _inside(tree: Path, path: Path) -> Path | None:
    """Where a file of a tree lies once its links are followed as inside the tree; None when it is not there."""
    for _ in range(8):
        try:
            place = path.parent.readlink() if path.parent.is_symlink() else None
            if place is not None:
                path = _target(tree, path.parent, place) / path.name
            elif path.is_symlink():
                path = _target(tree, path, path.readlink())
            else:
                return path if path.is_file() else None
        except OSError:
            return None
    return None


def _target(tree: Path, link: Path, to: Path) -> Path:
    return tree / str(to).lstrip("/") if to.is_absolute() else link.parent / to

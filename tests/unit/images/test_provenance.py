"""Licences, archives and bills of materials."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from license_expression import get_spdx_licensing

from images.licences import NO_ASSERTION, expression, read_licences
from images.manifest import wheel_facts
from images.releases import Release, installed_archives, releases
from images.sbom import write_bills
from images.sbom.parts import subject_of

SPDX = get_spdx_licensing()
COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: thing

Files: *
Copyright: 2026 Somebody
License: GPL-2+

Files: lib/*
Copyright: 2026 Somebody
License: Expat or Odd-Terms
 Do as you like.

License: GPL-2+
 On Debian systems, see /usr/share/common-licenses/GPL-2.

License: Odd-Terms
 Do as you like, but tell us.
"""
RELEASE = """\
-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA256

Origin: Debian
Label: Debian
Codename: trixie
Date: Sat, 21 Nov 2026 09:15:44 UTC
SHA256:
 aa 1 main
-----BEGIN PGP SIGNATURE-----

xx
-----END PGP SIGNATURE-----
"""
MANIFEST = {
    "product": "zeroth", "version": "1.2", "source_date_epoch": 1795305600,
    "files": {"vmlinuz": {"size": 3, "sha256": "a" * 64}},
    "packages": {
        "thing": {"version": "1:2-3", "architecture": "amd64", "source": "things", "source_version": "2",
                  "licence": "GPL-2.0-or-later AND LicenseRef-Debian-Odd", "sha256": "b" * 64},
        "g++": {"version": "1", "architecture": "all", "source": "g++", "source_version": "1",
                "licence": NO_ASSERTION},
    },
    "wheels": [{"name": "pykickstart", "version": "3", "licence": "MIT", "sha256": "c" * 64}],
}  # fmt: skip


def _package(tree: Path, name: str, text: str) -> None:
    folder = tree / "usr/share/doc" / name
    folder.mkdir(parents=True)
    (folder / "copyright").write_text(text)


def test_licences_of_a_tree(tmp_path: Path) -> None:
    _package(tmp_path, "thing", COPYRIGHT)
    _package(tmp_path, "prose", "This is free software, see the file COPYING.\n")
    (tmp_path / "usr/share/doc/thing-data").symlink_to("thing")
    (tmp_path / "usr/share/doc/away").symlink_to("/usr/share/doc/thing")
    (tmp_path / "usr/share/doc/loop").symlink_to("loop")
    found = read_licences(tmp_path)
    said = found.of("thing")
    assert said.endswith(" AND GPL-2.0-or-later")
    assert said.startswith("(MIT OR LicenseRef-Debian-Odd-Terms-")
    assert found.of("thing-data") == found.of("away") == said
    assert found.of("prose") == found.of("loop") == found.of("missing") == NO_ASSERTION
    assert list(found.texts.values()) == ["Do as you like, but tell us."]


@pytest.mark.parametrize(
    ("synopsis", "spdx"),
    [
        ("GPL-2", "GPL-2.0-only"), ("GPL-2+", "GPL-2.0-or-later"), ("LGPL-2.1+", "LGPL-2.1-or-later"),
        ("Expat", "MIT"), ("BSD-3-clause", "BSD-3-Clause"), ("GPL-3.0+", "GPL-3.0-or-later"),
        ("GPL-1+ or Artistic", "GPL-1.0-or-later OR Artistic-1.0-Perl"),
        ("Expat or ISC, and Zlib", "(MIT OR ISC) AND Zlib"),
        ("GPL-2 with Linux-syscall-note exception or Expat", "GPL-2.0-only WITH Linux-syscall-note OR MIT"),
        ("public-domain", "LicenseRef-Debian-public-domain"),
        ("GPL-2+ with Odd exception", "LicenseRef-Debian-GPL-2-or-later-with-Odd-exception"),
        ("", "LicenseRef-Debian-unnamed"),
    ],
)  # fmt: skip
def test_debians_names_in_spdx(synopsis: str, spdx: str) -> None:
    assert expression(synopsis, {})[0] == spdx


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(["GPL-2+", "or", "and", ", and", ",", "with", "exception", "Ünï (x)", "MIT/X11"])))
def test_any_synopsis_gives_an_expression_that_parses(words: list[str]) -> None:
    found, texts = expression(" ".join(words), {})
    parsed = SPDX.parse(found)
    unknown = {key for key in SPDX.license_keys(parsed) if key not in SPDX.known_symbols}
    assert unknown <= set(texts)


def test_two_texts_of_one_name_are_two_licences() -> None:
    one, other = (expression("permissive", {"permissive": text})[0] for text in ("do", "do not"))
    assert one != other


def test_releases_are_told_without_the_mirrors_name(tmp_path: Path) -> None:
    (tmp_path / "mirror.example_debian_dists_trixie_InRelease").write_text(RELEASE)
    (found,) = releases(tmp_path)
    assert isinstance(found, Release)
    assert (found.codename, found.date) == ("trixie", "Sat, 21 Nov 2026 09:15:44 UTC")
    assert "example" not in json.dumps(found.facts())
    assert "version" not in found.facts()


def test_archives_of_installed_packages() -> None:
    status = [{"Package": "a", "Version": "1:2", "Architecture": "amd64"}, {"Package": "own", "Version": "1"}]
    assert installed_archives(iter(status), {"a_1%3a2_amd64.deb": "12"}) == {"a": "12"}


def test_facts_of_a_wheel(tmp_path: Path) -> None:
    path = tmp_path / "thing-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("thing-1.dist-info/METADATA", "Metadata-Version: 2.4\nName: thing\nVersion: 1\n")
    facts = wheel_facts(path)
    assert (facts["name"], facts["version"], facts["licence"]) == ("thing", "1", NO_ASSERTION)


def test_bills_are_valid_complete_and_the_same_each_time(tmp_path: Path) -> None:
    text = json.dumps(MANIFEST)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        # Each library checks its own document and refuses one that breaks the standard.
        write_bills(tmp_path / name, "zeroth-1.2-amd64", text, {"LicenseRef-Debian-Odd": "Tell us."})
    names = ["zeroth-1.2-amd64.cdx.json", "zeroth-1.2-amd64.spdx.json"]
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == names
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    cyclonedx, spdx = (json.loads((tmp_path / "one" / name).read_text()) for name in names)
    assert (cyclonedx["specVersion"], spdx["spdxVersion"]) == ("1.6", "SPDX-2.3")
    purl = "pkg:deb/debian/thing@1:2-3?arch=amd64&distro=debian-13"
    component = next(it for it in cyclonedx["components"] if it["name"] == "thing")
    assert component["purl"].replace("%3A", ":") == purl
    assert component["licenses"] == [{"expression": "GPL-2.0-or-later AND LicenseRef-Debian-Odd"}]
    assert {it["name"] for it in cyclonedx["components"]} == {"thing", "g++", "pykickstart", "vmlinuz"}
    package = next(it for it in spdx["packages"] if it["name"] == "thing")
    assert package["licenseDeclared"] == "GPL-2.0-or-later AND LicenseRef-Debian-Odd"
    assert package["checksums"] == [{"algorithm": "SHA256", "checksumValue": "b" * 64}]
    assert spdx["hasExtractedLicensingInfos"][0]["extractedText"] == "Tell us."
    assert next(it for it in spdx["packages"] if it["name"] == "g++")["licenseDeclared"] == NO_ASSERTION


def test_another_manifest_is_another_bill() -> None:
    one, other = (subject_of(MANIFEST, text) for text in ("a", "b"))
    assert one.identity != other.identity
    assert one.created == datetime.fromtimestamp(1795305600, UTC)
